"""The alert lifecycle: what one observation does to its series, and why.

Pure functions of their arguments: no clock, no database, no Prefect. Callers act on the decision
and store its reason; they add nothing to it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sentinel_core.alert import Importance
from sentinel_core.judge import Observation


class Status(StrEnum):
    """The live state of a series."""

    OK = "ok"
    FIRING = "firing"


class Action(StrEnum):
    """What happens to the series' event."""

    QUIET = "quiet"  # there is none and none opens
    OPEN = "open"
    CONTINUE = "continue"
    ESCALATE = "escalate"  # continues, and matters more than before
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True)
class Series:
    """What is known of a series before an observation."""

    status: Status
    last_at: datetime
    event_id: int | None = None
    event_importance: Importance | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """`code` is for machines, `reason` is the sentence people read."""

    action: Action
    status: Status
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An evaluation next to a late one: was it breached, and into which event did it count?"""

    breached: bool
    event_id: int | None
    event_importance: Importance | None = None


class Place(StrEnum):
    """Where an observation that arrives after newer ones belongs."""

    NOWHERE = "nowhere"  # recorded; changes no event
    JOIN = "join"  # counts into an existing event
    RAISE = "raise"  # counts into an existing event, and matters more than it
    PAST = "past"  # an event of its own, over before it was known


@dataclass(frozen=True, slots=True)
class LateDecision:
    """Like Decision, for an observation older than the series' newest one."""

    place: Place
    event_id: int | None
    code: str
    reason: str


def decide(previous: Series | None, seen: Observation) -> Decision:
    """An event opens when a series starts to breach, continues, and resolves when it is ok."""
    firing = previous is not None and previous.status is Status.FIRING
    if not seen.breached:
        if firing:
            return Decision(Action.RESOLVE, Status.OK, "recovered", f"resolved: {seen.message}")
        return Decision(Action.QUIET, Status.OK, "ok", "ok: not triggered")
    if not firing:
        return Decision(Action.OPEN, Status.FIRING, "started", "opened: the series started to fire")
    before = previous.event_importance if previous else None
    if before is not None and seen.importance.rank > before.rank:
        return Decision(
            Action.ESCALATE,
            Status.FIRING,
            "importance-raised",
            f"escalated: {before} became {seen.importance}",
        )
    return Decision(Action.CONTINUE, Status.FIRING, "still-firing", "continued: still firing")


def decide_late(
    seen: Observation, before: Neighbour | None, after: Neighbour | None
) -> LateDecision:
    """Where a late observation belongs, given its recorded neighbours in time.

    The series' present state stays what its newest evaluation made it: the past explains, it does
    not overrule. A late breach joins the event it is continuous with; between two oks it becomes
    an event of its own that is already over, so that somebody still sees it.
    """
    if not seen.breached:
        return LateDecision(Place.NOWHERE, None, "late-ok", "late: not triggered at that time")
    for neighbour, side in ((before, "before"), (after, "after")):
        if neighbour is None or not neighbour.breached or neighbour.event_id is None:
            continue
        known = neighbour.event_importance
        if known is not None and seen.importance.rank > known.rank:
            return LateDecision(
                Place.RAISE,
                neighbour.event_id,
                "late-raised",
                f"late: counted into the event of the run {side} it, which was only {known}",
            )
        return LateDecision(
            Place.JOIN,
            neighbour.event_id,
            "late-joined",
            f"late: counted into the event of the run {side} it",
        )
    return LateDecision(
        Place.PAST, None, "late-past", "late: fired and recovered before it was recorded"
    )
