"""Which event a failed run belongs to: its own, or that of a run that started it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

Watched = TypeVar("Watched")


@dataclass(frozen=True)
class Starter(Generic[Watched]):
    """A run that started another one.

    `failing`: it has failed, or has not ended yet. `watched` is what its own event is about; None
    if nothing watches it.
    """

    failing: bool
    watched: Watched | None = None


def joined(starters: Iterable[Starter[Watched]]) -> Watched | None:
    """What the event is about that a failed run joins; None for an event of its own.

    `starters` are the runs that started it, nearest first. The first of them that coped with the
    failure ends the search: what is above it has nothing to do with it. Of the rest, the topmost
    that is watched has the event.
    """
    found = None
    for starter in starters:
        if not starter.failing:
            break
        if starter.watched is not None:
            found = starter.watched
    return found
