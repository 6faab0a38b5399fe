"""The seams take the place of the product's parts in a whole process: they are called as those are. No Kafka needed."""

import inspect
from typing import Any

import pytest

from tests.faults import seams
from tests.seams import Seamed

PLACES = [(getattr(module, name), seamed) for module, name, seamed in seams.PLACES]


@pytest.mark.parametrize(("part", "seamed"), PLACES, ids=[part.__name__ for part, _ in PLACES])
def test_a_seam_is_called_as_the_part_is_whose_place_it_takes(part: Any, seamed: Any) -> None:
    taken = inspect.signature(part).parameters.values()
    named = {each.name: None for each in taken if each.kind is each.KEYWORD_ONLY}
    inspect.signature(seamed).bind(*(None for each in taken if each.name not in named), **named)


def test_every_seam_has_its_place() -> None:
    seamed = {each for each in vars(seams).values() if isinstance(each, type) and issubclass(each, Seamed)}
    assert seamed - {Seamed} == {each for _, each in PLACES if isinstance(each, type)}
