"""The score, by tables that were added up by hand."""

import pytest

from sentinel_core.health.finding import State
from sentinel_core.health.score import ESSENTIAL, WEIGHTS, overall, parts, score, worst

OK, DEGRADED, DOWN, UNKNOWN = State.OK, State.DEGRADED, State.DOWN, State.UNKNOWN
FINE = dict.fromkeys(WEIGHTS, OK)


def test_the_weights_are_a_hundred_together() -> None:
    assert sum(WEIGHTS.values()) == 100
    assert WEIGHTS.keys() >= ESSENTIAL


@pytest.mark.parametrize(
    ("changed", "points", "whole"),
    [
        ({}, 100, OK),
        ({"channels": DEGRADED}, 97, DEGRADED),  # 95 + 2.5, rounded down
        ({"channels": DOWN}, 95, DEGRADED),
        ({"sources": UNKNOWN, "backlog": DEGRADED}, 92, DEGRADED),  # 90 + 0 + 2.5
        ({"prefect": DEGRADED}, 92, DEGRADED),  # 85 + 7.5
        ({"workers": DOWN, "rules": DOWN}, 70, DOWN),
        ({"store": UNKNOWN}, 80, UNKNOWN),
        ({"store": UNKNOWN, "deliver": DOWN}, 70, DOWN),
        ({"reconcile": DEGRADED, "deliver": DEGRADED}, 90, DEGRADED),  # 80 + 5 + 5
        (dict.fromkeys(WEIGHTS, DEGRADED), 50, DEGRADED),
        (dict.fromkeys(WEIGHTS, UNKNOWN), 0, UNKNOWN),
        (dict.fromkeys(WEIGHTS, DOWN), 0, DOWN),
    ],
)
def test_points_and_state_by_the_components(
    changed: dict[str, State], points: int, whole: State
) -> None:
    states = {**FINE, **changed}
    assert score(states) == points
    assert overall(states) is whole
    assert int(sum(part.points for part in parts(states))) == points


def test_a_component_that_nobody_looked_at_adds_nothing() -> None:
    assert score({}) == 0
    assert {part.state for part in parts({})} == {UNKNOWN}
    assert worst([]) is UNKNOWN
