"""The score of an installation: points for each component by its state. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from sentinel_core.health.finding import State

WEIGHTS: Mapping[str, int] = {
    "prefect": 15,
    "workers": 15,
    "store": 20,
    "rules": 15,
    "reconcile": 10,
    "deliver": 10,
    "backlog": 5,
    "channels": 5,
    "sources": 5,
}
"""The points of each component when it is ok; 100 together."""
SHARES: Mapping[State, float] = {
    State.OK: 1.0,
    State.DEGRADED: 0.5,
    State.DOWN: 0.0,
    State.UNKNOWN: 0.0,  # what was not checked is not taken for fine
}
ESSENTIAL = frozenset({"prefect", "workers", "store", "rules", "reconcile", "deliver"})
"""Without one of these, checks or notifications stop."""
_WORST_FIRST = (State.DOWN, State.UNKNOWN, State.DEGRADED, State.OK)


@dataclass(frozen=True, slots=True)
class Part:
    """What one component adds to the score: `points` of `weight`."""

    component: str
    state: State
    weight: int
    points: float


def parts(states: Mapping[str, State]) -> tuple[Part, ...]:
    """The part of each component; one without a state is unknown."""
    found = ((name, states.get(name, State.UNKNOWN)) for name in WEIGHTS)
    return tuple(
        Part(name, state, WEIGHTS[name], WEIGHTS[name] * SHARES[state]) for name, state in found
    )


def score(states: Mapping[str, State]) -> int:
    """The points of all components, rounded down: 100 says that everything is ok."""
    return int(sum(part.points for part in parts(states)))


def worst(states: list[State]) -> State:
    """The worst of these states; UNKNOWN for none."""
    return next((state for state in _WORST_FIRST if state in states), State.UNKNOWN)


def overall(states: Mapping[str, State]) -> State:
    """The state of the whole: an essential component's, when it is down or unknown.

    Otherwise DEGRADED, when anything is not ok.
    """
    essential = worst([state for name, state in states.items() if name in ESSENTIAL])
    if ESSENTIAL & states.keys() and essential in (State.DOWN, State.UNKNOWN):
        return essential
    return State.OK if all(state is State.OK for state in states.values()) else State.DEGRADED
