"""One mapping of a file, read field by field; what is wrong is noted with its place, and reading goes on."""

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import Final, TypeVar

from app.config.mistakes import Mistake
from app.config.yaml import Field, Fields, Items, Node, Scalar

T = TypeVar("T")
_SHOWN: Final = 60
Parser = Callable[[Node], T]


class Refused(Exception):  # noqa: N818 - it becomes a Mistake, which is no error by itself
    """A value that its field cannot have: the message says which ones it can."""


class Sheet:
    """One file and the mistakes found in it so far."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.mistakes: list[Mistake] = []

    def refuse(self, line: int, field: str, reason: str) -> None:
        self.mistakes.append(Mistake(self.file, line, field, reason))


class Entry:
    """The fields of one mapping, under the path of the field that holds it ("" for an entry of the file's list)."""

    def __init__(self, sheet: Sheet, node: Fields, path: str = "") -> None:
        self.line = node.line
        self._sheet = sheet
        self._path = path
        self._fields: dict[str, Field] = {}
        for field in node.fields:
            self._add(field)

    def _add(self, field: Field) -> None:
        first = self._fields.setdefault(field.key, field)
        if first is not field:
            self.refuse(field.key, f"given twice, first in line {first.line}", line=field.line)

    def refuse(self, name: str, reason: str, line: int | None = None) -> None:
        """Note a mistake in the field `name`, at its line unless another is given."""
        where = self._fields[name].line if line is None and name in self._fields else line or self.line
        self._sheet.refuse(where, self._at(name), reason)

    def only(self, accepted: Sequence[str]) -> None:
        """Refuse every field that is not `accepted`."""
        for name in self._fields:
            if name not in accepted:
                self.refuse(name, f"unknown field; accepted: {', '.join(accepted)}{suggestion(name, accepted)}")

    def has(self, name: str) -> bool:
        """Whether the field is there with a value other than null."""
        return self._node(name) is not None

    def is_null(self, name: str) -> bool:
        """Whether null is written in the field."""
        return name in self._fields and not self.has(name)

    def read(self, name: str, parse: Parser[T]) -> T | None:
        """Return the field's value, None where it is absent or refused."""
        node = self._node(name)
        if node is None:
            return None
        try:
            return parse(node)
        except Refused as refused:
            self.refuse(name, f"{refused} (found {shown(node)})")
            return None

    def need(self, name: str, parse: Parser[T], otherwise: T) -> T:
        """Return the field's value; note a mistake and return `otherwise` where it is absent or refused."""
        node = self._node(name)
        try:
            return parse(node or Scalar(self.line, "", plain=True))
        except Refused as refused:
            self.refuse(name, f"{refused} (found {shown(node)})" if node else f"missing: {refused}")
            return otherwise

    def each(self, name: str, parse: Parser[T], must: str, *, or_one: bool = False) -> tuple[T, ...] | None:
        """Return the values of a list, None where it is absent or refused; `must` says what the field accepts.

        With `or_one` a single value without the list's brackets is one, too.
        """
        if or_one and isinstance(self._node(name), Scalar):
            one = self.read(name, parse)
            return None if one is None else (one,)
        nodes = self._items(name, must)
        if nodes == ():
            self.refuse(name, f"{must}, at least one; leave the field away for its default")
        found = []
        for number, node in enumerate(nodes or ()):
            try:
                found.append(parse(node))
            except Refused as refused:
                self._sheet.refuse(node.line, f"{self._at(name)}[{number}]", f"{refused} (found {shown(node)})")
        return tuple(found) or None

    def entry(self, name: str, must: str) -> "Entry | None":
        """Return the mapping under the field, None where it is absent or no mapping; `must` says what it accepts."""
        node = self._node(name)
        if node is None:
            return None
        if isinstance(node, Fields):
            return Entry(self._sheet, node, self._at(name))
        self.refuse(name, f"{must} (found {shown(node)})")
        return None

    def entries(self, name: str, must: str) -> list["Entry"]:
        """Return the mappings of a list, none where it is absent; `must` says what the field accepts."""
        return entries(self._sheet, self._items(name, must) or (), self._at(name), must)

    def _items(self, name: str, must: str) -> tuple[Node, ...] | None:
        node = self._node(name)
        if node is None:
            return None
        if isinstance(node, Items):
            return node.nodes
        self.refuse(name, f"{must} (found {shown(node)})")
        return None

    def _node(self, name: str) -> Node | None:
        field = self._fields.get(name)
        if field is None or (isinstance(field.value, Scalar) and field.value.is_null):
            return None
        return field.value

    def _at(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name


def entries(sheet: Sheet, nodes: Iterable[Node], path: str, must: str) -> list[Entry]:
    """Return the nodes that are mappings as entries; the others are mistakes."""
    found = []
    for number, node in enumerate(nodes):
        at = f"{path}[{number}]" if path else ""
        if isinstance(node, Fields):
            found.append(Entry(sheet, node, at))
        else:
            sheet.refuse(node.line, at, f"{must} (found {shown(node)})")
    return found


def suggestion(written: str, accepted: Iterable[str]) -> str:
    """Return `; did you mean NEAREST?`, or nothing where nothing is near."""
    near = get_close_matches(written, accepted, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def shown(node: Node) -> str:
    """Return what was written, short enough for a message."""
    if isinstance(node, Scalar):
        short = node.text if len(node.text) <= _SHOWN else f"{node.text[:_SHOWN]}…"
        return f'"{short}"' if node.plain else f'the text "{short}"'
    return "a list" if isinstance(node, Items) else "fields"
