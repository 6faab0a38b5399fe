"""Hypothesis strategies of JSON that publishers might send."""

from typing import Any

from hypothesis import strategies as st

INTEGERS = st.integers() | st.integers(min_value=-(2**80), max_value=2**80)
SCALARS = st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | st.text()


def json_values() -> st.SearchStrategy[Any]:
    """Anything that JSON can say."""
    return st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    )


@st.composite
def damaged(draw: st.DrawFn, sound: Any) -> Any:
    """A JSON value like `sound`, with one of its parts, however deep, replaced by something or taken out."""
    if isinstance(sound, dict) and sound and draw(st.integers(0, 3)):
        name = draw(st.sampled_from(sorted(sound)))
        kept = {other: part for other, part in sound.items() if other != name}
        return draw(st.just(kept) | damaged(sound[name]).map(lambda part: kept | {name: part}))
    if isinstance(sound, list) and sound and draw(st.integers(0, 3)):
        at = draw(st.integers(0, len(sound) - 1))
        return draw(damaged(sound[at]).map(lambda part: [*sound[:at], part, *sound[at + 1 :]]))
    return draw(json_values())
