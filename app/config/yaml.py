"""YAML as nodes that know their lines.

Scalars stay the text that was written: what a field wants decides what `10:30`, `NO` or `007` means, so nothing is ever
turned into a number or a truth value that nobody meant.
"""

from dataclasses import dataclass
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_STANDARD_TAG: Final = "tag:yaml.org,2002:"


class SyntaxMistake(Exception):  # noqa: N818 - it becomes a Mistake, which is no error by itself
    """The text is no YAML that we read: `line` counts from 1."""

    def __init__(self, line: int, problem: str) -> None:
        """Keep where and what."""
        self.line = line
        self.problem = problem
        super().__init__(f"line {line}: {problem}")


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value; `plain` where it stands without quotes."""

    line: int
    text: str
    plain: bool

    @property
    def is_null(self) -> bool:
        """Whether this is YAML's null, which counts as absent."""
        return self.plain and self.text in _NULLS


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    line: int
    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A key with its value; `line` is the key's."""

    line: int
    key: str
    value: "Node"


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping in the order written, a key that occurs twice included."""

    line: int
    fields: tuple[Field, ...]


Node = Scalar | Items | Fields


def parse(text: str) -> Node | None:
    """Return the one document of `text`, None where it is empty; raise SyntaxMistake."""
    try:
        root = YAML(typ="rt", pure=True).compose(text)
        return None if root is None else _Reader().node(root)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SyntaxMistake(line, f"a character that YAML does not allow: #x{ord(text[error.position]):04x}") from error
    except MarkedYAMLError as error:
        raise SyntaxMistake(_line(error.problem_mark or error.context_mark), _problem(error)) from error
    except (YAMLError, AssertionError) as error:
        # ruamel asserts that it knows the version that a %YAML line names.
        raise SyntaxMistake(1, " ".join(str(error).split())) from error
    except RecursionError:
        raise SyntaxMistake(1, "values inside of values, too deep to be read") from None


class _Reader:
    """Turns ruamel's nodes into ours; an alias becomes the very node that its anchor is."""

    def __init__(self) -> None:
        self._done: dict[int, Node | None] = {}

    def node(self, raw: Any) -> Node:
        if id(raw) not in self._done:
            self._done[id(raw)] = None
            self._done[id(raw)] = self._read(raw)
        known = self._done[id(raw)]
        if known is None:
            raise SyntaxMistake(_line(raw.start_mark), "a value that contains itself")
        return known

    def _read(self, raw: Any) -> Node:
        line = _line(raw.start_mark)
        if not str(raw.tag).startswith(_STANDARD_TAG):
            raise SyntaxMistake(line, f"the tag {raw.tag} means nothing here")
        if isinstance(raw, MappingNode):
            return Fields(line, tuple(self._field(key, value) for key, value in raw.value))
        if isinstance(raw, SequenceNode):
            return Items(line, tuple(self.node(item) for item in raw.value))
        return Scalar(line, raw.value, raw.style is None)

    def _field(self, key: Any, value: Any) -> Field:
        if not isinstance(key, ScalarNode):
            raise SyntaxMistake(_line(key.start_mark), "a field's name must be a text")
        return Field(_line(key.start_mark), key.value, self.node(value))


def _problem(error: MarkedYAMLError) -> str:
    said = str(error.problem or error.context)
    if error.problem and error.context and error.context_mark:
        return f"{said}, {error.context} begun in line {_line(error.context_mark)}"
    return said


def _line(mark: Any) -> int:
    return int(mark.line) + 1
