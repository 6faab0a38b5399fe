"""docs/metrics.md names every metric, with its labels and its kind."""

import re
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from app import metrics

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = (DOCS / "metrics.md").read_text("utf-8")
ROW = re.compile(r"^\| `(\w+)(?:\{([\w,]+)\})?` \| (counter|gauge|histogram) \| [^|]+ \|$", re.MULTILINE)
REGISTERED = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]


def name_of(metric: MetricWrapperBase) -> str:
    return f"{metric._name}_total" if metric._type == "counter" else str(metric._name)


def test_every_metric_has_one_row_with_its_labels_and_its_kind_and_there_is_no_other() -> None:
    rows = sorted((name, labels, kind) for name, labels, kind in ROW.findall(DOCUMENT))
    assert rows == sorted((name_of(each), ",".join(each._labelnames), each._type) for each in REGISTERED)


def test_no_document_names_a_metric_that_does_not_exist() -> None:
    names = {name_of(each) for each in REGISTERED}
    for path in (*DOCS.glob("*.md"), DOCS.parent / "README.md"):
        said = set(re.findall(r"`(whimbrel_\w+)", path.read_text("utf-8")))
        assert said <= names, path.name
