"""A quick dataclass is the frozen dataclass it was before."""

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from sentinel_core._quick import quick


@quick
@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 2
    notes: list[str] = field(default_factory=list)


def test_values_and_defaults_are_set_as_by_any_dataclass() -> None:
    assert Point(1) == Point(x=1, y=2, notes=[])
    assert repr(Point(1, y=5)) == "Point(x=1, y=5, notes=[])"
    assert type(Point(1)) is Point


def test_each_has_a_list_of_its_own() -> None:
    one, other = Point(1), Point(1)
    one.notes.append("mine")
    assert other.notes == []


def test_it_is_frozen_once_it_is_made() -> None:
    point = Point(1)
    with pytest.raises(FrozenInstanceError):
        point.x = 3  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del point.y
    assert point.x == 1


def test_what_is_missing_or_unknown_is_refused() -> None:
    with pytest.raises(TypeError, match="x"):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="z"):
        Point(1, z=3)  # type: ignore[call-arg]


def test_it_can_be_replaced_copied_and_pickled() -> None:
    point = Point(1, notes=["a"])
    assert replace(point, y=9) == Point(1, 9, ["a"])
    assert copy.deepcopy(point) == point
    assert pickle.loads(pickle.dumps(point)) == point


def test_a_class_that_it_would_change_is_refused() -> None:
    @dataclass(frozen=True)
    class WithoutSlots:
        x: int

    @dataclass(frozen=True, slots=True)
    class Checking:
        x: int

        def __post_init__(self) -> None:
            raise AssertionError

    with pytest.raises(TypeError, match="no dataclass with slots"):
        quick(WithoutSlots)
    with pytest.raises(TypeError, match="__post_init__"):
        quick(Checking)
