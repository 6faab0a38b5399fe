"""What templates there are, and what a template may name: for whoever writes some."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, get_origin, get_type_hints

import msgspec
from jinja2 import FileSystemLoader

from app.delivery.check import element_of, fields_of, present
from app.delivery.render import BUILT_IN, COMMON, PARTS

_WORDS: Final[Mapping[Any, str]] = {
    str: "text",
    int: "whole number",
    bool: "yes or no",
    dt.date: "date",
    dt.datetime: "instant",
}
_FILTERS: Final[Mapping[str, str]] = {"money": "money", "date": "date", "instant": "instant"}


class Variable(NamedTuple):
    """A line of the table: `invoices[].due_on`, `date`, and the filter that writes it, empty where none is needed."""

    name: str
    type: str
    filter: str


def catalogue(directory: Path | None) -> dict[str, dict[Path, tuple[str, ...]]]:
    """Return, by template, the languages that the built-in templates and those of `directory` have of it."""
    found: defaultdict[str, dict[Path, tuple[str, ...]]] = defaultdict(dict)
    for source in (BUILT_IN, *([directory] if directory else [])):
        languages: defaultdict[str, set[str]] = defaultdict(set)
        for name in FileSystemLoader(source).list_templates():
            template, _, rest = name.partition("/")
            language, _, part = rest.partition("/")
            if part in PARTS:
                languages[template].add(language)
        for template, some in languages.items():
            found[template][source] = tuple(sorted(some))
    return dict(sorted(found.items()))


def variables_of(variables: type[msgspec.Struct]) -> Iterator[Variable]:
    """Return what a template may name of its trigger, one line for each value, nested ones included."""
    for name, kind in get_type_hints(variables).items():
        yield from _lines(name, kind)


def common_variables() -> Iterator[Variable]:
    """Return what every template may name besides."""
    for name, kind in COMMON.items():
        yield from _lines(name, kind)


def _lines(name: str, kind: Any) -> Iterator[Variable]:
    there = present(kind)
    maybe = "" if there is kind else " or none"
    if get_origin(there) in {list, tuple}:
        element = element_of(there)
        fields = fields_of(element)
        yield Variable(name, f"list of {'records' if fields else _WORDS.get(element, 'values') + 's'}{maybe}", "")
        for field, type_ in (fields or {}).items():
            yield from _lines(f"{name}[].{field}", type_)
        return
    fields = fields_of(there)
    word = "money" if fields is not None and set(fields) == {"amount", "currency"} else _WORDS.get(there, "record")
    yield Variable(name, word + maybe, _filter(name, word))
    if word == "record":
        for field, type_ in (fields or {}).items():
            yield from _lines(f"{name}.{field}", type_)


def _filter(name: str, word: str) -> str:
    if name.endswith("_bytes"):
        return "data_size"
    return "percent" if name == "percent" else _FILTERS.get(word, "")
