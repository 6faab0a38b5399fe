"""docs/adding-a-trigger.md adds a 24th trigger; done as it says, in a copy of the package, it is one as all others."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import account_event, an_event, written

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "adding-a-trigger.md").read_text("utf-8")
ID = "autopay_card_removed"
COMPANIES = """
- id: acme
  name: Acme Fiber
  from: {name: Acme Billing, address: billing@acme.example}
  time_zone: America/New_York
"""
CARD = {"card_id": "c1", "brand": "visa", "last4": "4242", "expires": "2027-08"}
HISTORY = [
    account_event("2026-06-01 12:00"),
    an_event("billing.card.updated", "2026-06-01 12:00", id_=None, autopay=True, **CARD),
    an_event("billing.card.updated", "2026-06-01 12:00", id_=None, autopay=False, **(CARD | {"card_id": "c2"})),
    an_event("billing.card.removed", "2026-06-10 11:00", card_id="c2"),
    an_event("billing.card.removed", "2026-06-10 12:00", id_="gone", card_id="c1"),
]


def blocks(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)
    return str(found)


def new_files() -> dict[str, str]:
    """The files that the diff adds; it changes none."""
    found = {}
    for part in blocks("diff").split("--- /dev/null\n+++ b/")[1:]:
        path, counted, *lines = part.splitlines()
        assert counted == f"@@ -0,0 +1,{len(lines)} @@"
        assert all(line.startswith("+") for line in lines)
        found[path] = "".join(f"{line[1:]}\n" for line in lines)
    assert blocks("diff").count("\n--- ") == len(found) - 1
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the diff applied, a rule for it, and a history."""
    place = tmp_path_factory.mktemp("adding")
    shutil.copytree(ROOT / "app", place / "app", ignore=shutil.ignore_patterns("__pycache__"))
    for path, text in new_files().items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text, "utf-8")
    (place / "config").mkdir()
    (place / "config" / "rules.yaml").write_text(blocks("yaml"), "utf-8")
    (place / "config" / "companies.yaml").write_text(COMPANIES, "utf-8")
    (place / "events.jsonl").write_bytes(b"\n".join(map(written, HISTORY)))
    return place


def whimbrel(place: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "app", *arguments], cwd=place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_one_python_file_and_one_template_folder() -> None:
    assert {path.rpartition("/")[0] if "templates" in path else path for path in new_files()} == {
        f"app/triggers/{ID}.py",
        f"app/templates/{ID}/en",
    }


def test_the_configuration_takes_a_rule_for_it(place: Path) -> None:
    whimbrel(place, "config", "check", "config")


def test_its_variables_are_told(place: Path) -> None:
    told = whimbrel(place, "templates", "variables", ID)
    assert {"brand", "last4", "account_number"} <= set(told.split())


def test_it_is_decided(place: Path) -> None:
    span = ("--from", "2026-06-01T00:00:00Z", "--until", "2026-07-01T00:00:00Z")
    whimbrel(place, "simulate", "--config", "config", "--events", "events.jsonl", *span, "--output", "decisions.jsonl")
    (line,) = map(json.loads, (place / "decisions.jsonl").read_text("utf-8").splitlines())
    assert (line["rule"], line["trigger"], line["outcome"]) == ("autopay-off", ID, "sent")
    assert (line["subject"], line["moment"]) == ("card:c1:billing:gone", "2026-06-10T16:00:00Z")
    assert line["recipients"] == ["fin@a1.example"]


def test_its_message_is_written(place: Path) -> None:
    shown = whimbrel(place, "templates", "preview", "autopay-off", "--event", "events.jsonl", "--config", "config")
    assert "Your visa card ending in 4242 no longer pays your invoices" in shown
    html = [path.read_text("utf-8") for path in (place / "previews").glob("*.html")]
    assert ["visa ending in 4242" in text for text in html] == [True]
