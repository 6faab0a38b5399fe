import pytest

from app.config.yaml import Fields, Items, Scalar, SyntaxMistake, parse


def scalars(text: str) -> dict[str, str]:
    root = parse(text)
    assert isinstance(root, Fields)
    return {field.key: field.value.text for field in root.fields if isinstance(field.value, Scalar)}


def test_scalars_are_what_they_look_like() -> None:
    text = "a: 10:30\nb: NO\nc: 007\nd: 1_000\ne: 2026-06-01\nf: 1e3\ng: '12'\nh: yes\n"
    assert scalars(text) == {
        "a": "10:30",
        "b": "NO",
        "c": "007",
        "d": "1_000",
        "e": "2026-06-01",
        "f": "1e3",
        "g": "12",
        "h": "yes",
    }


@pytest.mark.parametrize("text", ["a:", "a: ~", "a: null", "a: NULL"])
def test_null_is_null_without_quotes_only(text: str) -> None:
    root, quoted = parse(text), parse("a: 'null'")
    assert isinstance(root, Fields)
    assert isinstance(quoted, Fields)
    assert [f.value.is_null for f in root.fields + quoted.fields if isinstance(f.value, Scalar)] == [True, False]


def test_every_node_knows_its_line() -> None:
    root = parse("# a comment\n- id: a\n  x:\n    - 1\n    - 2\n- {id: b,\n   x: 2}\n")
    assert isinstance(root, Items)
    first, second = root.nodes
    assert isinstance(first, Fields)
    assert isinstance(second, Fields)
    listed = first.fields[1].value
    assert isinstance(listed, Items)
    assert [first.line, first.fields[1].line, [node.line for node in listed.nodes]] == [2, 3, [4, 5]]
    assert [second.line, [field.line for field in second.fields]] == [6, [6, 7]]


def test_an_alias_is_the_value_that_its_anchor_names() -> None:
    root = parse("a: &late {policy: skip}\nb: *late\n")
    assert isinstance(root, Fields)
    assert root.fields[0].value is root.fields[1].value


def test_an_empty_text_has_no_document() -> None:
    assert parse("") is None
    assert parse("# nothing yet\n") is None


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: 1\nb: c: d\n", 2, "mapping values are not allowed here"),
        ("- a\nb: 1\n", 2, "block collection begun in line 1"),
        ("a: 'x\n\n", 3, "quoted scalar begun in line 1"),
        ("a: 1\nb: \x01\n", 2, "a character that YAML does not allow: #x0001"),
        ("- *late\n", 1, "undefined alias"),
        ("a: 1\n---\nb: 2\n", 2, "expected a single document"),
        ("a: &a [*a]\n", 1, "contains itself"),
        ("a: 1\nb: !env HOME\n", 2, "the tag !env means nothing here"),
        ("? [a, b]\n: 1\n", 1, "a field's name must be a text"),
        ("%YAML 3.0\n---\na: 1\n", 1, "found incompatible YAML document"),
        ("%YAML 1.20\n---\na: 1\n", 1, "version minor part can only be 2 or 1"),
    ],
)
def test_what_is_no_yaml_is_said_with_its_line(text: str, line: int, problem: str) -> None:
    with pytest.raises(SyntaxMistake) as caught:
        parse(text)
    assert caught.value.line == line
    assert problem in caught.value.problem


@pytest.mark.parametrize("text", ["[" * 3_000 + "]" * 3_000, "{a: " * 3_000 + "}" * 3_000])
def test_what_is_nested_too_deep_to_be_read_is_a_mistake_too(text: str) -> None:
    with pytest.raises(SyntaxMistake) as caught:
        parse(text)
    assert caught.value.problem == "values inside of values, too deep to be read"
