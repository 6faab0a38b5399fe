"""Does a template name only what its trigger provides? Asked when a rule is applied, not when it is sent."""

import datetime as dt
from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
from babel import Locale
from jinja2 import TemplateError, TemplateNotFound, nodes
from jinja2.meta import find_referenced_templates, find_undeclared_variables

from app.delivery.locales import DEFAULT_LANGUAGE
from app.delivery.render import COMMON, PARTS, Renderer, RenderError


def check_template(template: str, variables: type[msgspec.Struct], renderer: Renderer) -> list[str]:
    """Return what is wrong with `template` for a trigger with these variables, in every language; empty: nothing.

    Each mistake names file and variable. Also rendered: once with everything optional there, once with nothing of it.
    """
    languages = sorted(_languages(template, renderer))
    if DEFAULT_LANGUAGE not in languages:
        known = ", ".join(sorted(_templates(renderer)))
        return [f"there is no template {template} in {DEFAULT_LANGUAGE}; there are: {known}"]
    mistakes: list[str] = []
    for language in languages:
        for part in PARTS:
            mistakes += _unknown_names(f"{template}/{language}/{part}", variables, renderer)
        if not mistakes:
            mistakes += _trial(template, language, variables, renderer)
    return mistakes


def sample_values(variables: type[msgspec.Struct], *, filled: bool = True) -> dict[str, Any]:
    """Return made-up values by type; with `filled` everything optional is there, without nothing of it."""
    return {name: _sample(name, kind, filled=filled) for name, kind in get_type_hints(variables).items()}


def _names(renderer: Renderer) -> Iterator[list[str]]:
    loader = renderer.environment.loader
    for name in loader.list_templates() if loader is not None else ():
        yield name.split("/")


def _templates(renderer: Renderer) -> set[str]:
    return {parts[0] for parts in _names(renderer) if not parts[0].startswith("_")}


def _languages(template: str, renderer: Renderer) -> set[str]:
    if template.startswith("_"):  # the layout's
        return set()
    return {parts[1] for parts in _names(renderer) if parts[0] == template and len(parts) > len(("folder", "file"))}


def _unknown_names(name: str, variables: type[msgspec.Struct], renderer: Renderer) -> list[str]:
    """Walk the file, and what it extends or includes; macros that it imports have only their arguments."""
    known: dict[str, Any] = COMMON | get_type_hints(variables)
    mistakes: list[str] = []
    waiting, seen = [name], set()
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        try:
            tree = _parse(current, renderer)
            unknown = find_undeclared_variables(tree) - set(known) - _own_names(tree)
        except TemplateNotFound:
            mistakes.append(f"{current}: there is no such file")
            continue
        except TemplateError as error:
            mistakes.append(f"{current}: {error.message}")
            continue
        mistakes += [
            f"{current}: unknown variable {each}; known: {', '.join(sorted(known))}" for each in sorted(unknown)
        ]
        mistakes += [f"{current}: line {line}: {text}" for line, text in _unknown_attributes(tree, known)]
        waiting += [each for each in find_referenced_templates(tree) if each is not None]
    return mistakes


def _parse(name: str, renderer: Renderer) -> nodes.Template:
    environment = renderer.environment
    if environment.loader is None:
        raise TemplateNotFound(name)
    return environment.parse(environment.loader.get_source(environment, name)[0], name)


def _own_names(tree: nodes.Template) -> set[str]:
    """Return what the file imports or sets at its top: Jinja2 takes its use inside a block for a variable's."""
    imported = {node.target for node in tree.find_all(nodes.Import)}
    return imported | {node.name for assign in tree.find_all(nodes.Assign) for node in _targets(assign)}


def _targets(assign: nodes.Assign) -> Iterator[nodes.Name]:
    yield from [assign.target] if isinstance(assign.target, nodes.Name) else assign.target.find_all(nodes.Name)


def _unknown_attributes(tree: nodes.Template, known: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    bound = dict(known)
    for loop in tree.find_all(nodes.For):
        if isinstance(loop.target, nodes.Name):
            bound[loop.target.name] = element_of(_type(loop.iter, bound))
    for node in tree.find_all(nodes.Getattr):
        fields = fields_of(_type(node.node, bound))
        if fields is not None and node.attr not in fields:
            yield node.lineno, f"there is no {node.attr}; there are: {', '.join(sorted(fields))}"


def _type(node: nodes.Node, bound: Mapping[str, Any]) -> Any:
    """Return the type of a name or of an attribute of one; None: not known."""
    if isinstance(node, nodes.Name):
        return bound.get(node.name)
    if isinstance(node, nodes.Getattr):
        return (fields_of(_type(node.node, bound)) or {}).get(node.attr)
    return None


def fields_of(kind: Any) -> dict[str, Any] | None:
    """Return the fields of a record with their types, None where it is none."""
    there = present(kind)
    if isinstance(there, type) and issubclass(there, msgspec.Struct):
        return get_type_hints(there)
    return None


def element_of(kind: Any) -> Any:
    """Return the type of a list's elements, None where it is none."""
    there = present(kind)
    return get_args(there)[0] if get_origin(there) in {list, tuple} else None


def present(kind: Any) -> Any:
    """Return T of `T | None`."""
    if get_origin(kind) in {Union, UnionType}:
        return next(each for each in get_args(kind) if each is not NoneType)
    return kind


def _trial(template: str, language: str, variables: type[msgspec.Struct], renderer: Renderer) -> list[str]:
    locale = Locale.parse("en_US")
    mistakes = []
    for filled in (True, False):
        common = {name: _sample(name, kind, filled=filled) for name, kind in COMMON.items()}
        values = common | sample_values(variables, filled=filled)
        try:
            renderer.render_values(template, language, values, locale, dt.UTC)
        except RenderError as error:
            mistakes.append(f"{error} (tried with {'every' if filled else 'no'} optional variable)")
    return mistakes


_SAMPLES: dict[Any, Any] = {
    str: "sample",
    int: 2,
    float: 2.0,
    bool: True,
    dt.date: dt.date(2026, 6, 10),
    dt.datetime: dt.datetime(2026, 6, 10, 13, tzinfo=dt.UTC),
}


def _sample(name: str, kind: Any, *, filled: bool) -> Any:
    there = present(kind)
    if there is not kind and not filled:
        return None
    if name == "currency":
        return "USD"
    if get_origin(there) in {list, tuple}:
        return [_sample(name, element_of(there), filled=filled)] if filled else []
    fields = fields_of(there)
    if fields is not None:
        return there(**{field: _sample(field, type_, filled=filled) for field, type_ in fields.items()})
    return _SAMPLES.get(there, "sample")
