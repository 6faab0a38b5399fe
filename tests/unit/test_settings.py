"""docs/settings.md names every setting, with its default and what it accepts."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from app.settings import PREFIX, Settings

DOCUMENT = (Path(__file__).parents[2] / "docs" / "settings.md").read_text("utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \|$", DOCUMENT, re.MULTILINE)
HINTS = get_type_hints(Settings)


def shown(default: Any) -> str:
    if default in ("", None):
        return "empty"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def test_every_setting_has_one_row_with_its_default_and_there_is_no_other() -> None:
    settings = {PREFIX + field.name.upper(): shown(field.default) for field in fields(Settings)}
    assert {name: default for name, default, _ in ROWS} == settings
    assert len(ROWS) == len(settings)


@pytest.mark.parametrize("name", [name for name, kind in HINTS.items() if get_origin(kind) is Literal])
def test_a_row_names_every_value_that_its_setting_accepts(name: str) -> None:
    (said,) = (said for variable, _, said in ROWS if variable == PREFIX + name.upper())
    assert set(get_args(HINTS[name])) <= set(re.findall(r"`(\w+)`", said))
