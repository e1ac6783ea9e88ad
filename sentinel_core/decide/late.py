"""The place of an observation that is older than its series' newest one. Pure.

The series' present state stays what its newest evaluation made it: the past explains, it does not
overrule.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sentinel_core.decide.observe import Observation
from sentinel_core.model.alert import Importance
from sentinel_core.model.rule import Policy


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An evaluation next to a late one: whether it was breached, and the event it counted into."""

    breached: bool
    event_id: int | None
    event_importance: Importance | None = None
    acknowledged: bool = False


class LateAction(StrEnum):
    """The effect of a late observation. The values are those on record."""

    IGNORE = "nowhere"  # recorded; changes no event
    MERGE = "join"  # counts into an existing event
    ESCALATE = "raise"  # counts into an existing event, with a higher importance
    BACKFILL = "past"  # an event of its own, over before it was known


@dataclass(frozen=True, slots=True)
class LateDecision:
    """Like Decision, for an observation older than the series' newest one.

    `acknowledged`: somebody has acknowledged the event it counts into.
    """

    action: LateAction
    event_id: int | None
    code: str
    reason: str
    acknowledged: bool = False


def decide_late(
    policy: Policy,
    observation: Observation,
    before: Sequence[Neighbour],
    after: Sequence[Neighbour],
) -> LateDecision:
    """The place of a late observation among its recorded neighbours in time, nearest first.

    A late breach joins the event it is continuous with. Between oks it becomes an event of its own
    that is already over, so that somebody still sees it, if the breaches around it are as many as
    its policy demands.
    """
    if not observation.breached:
        return LateDecision(LateAction.IGNORE, None, "late-ok", "late: not triggered at that time")
    for neighbours, side in ((before, "before"), (after, "after")):
        if neighbours and (merged := _merged(observation, neighbours[0], side)) is not None:
            return merged
    states = [*(n.breached for n in reversed(before)), True, *(n.breached for n in after)]
    if not _threshold_met(states, len(before), policy):
        return LateDecision(
            LateAction.IGNORE, None, "late-pending", f"late: fewer than {policy.breaches} breaches"
        )
    return LateDecision(
        LateAction.BACKFILL, None, "late-past", "late: fired and recovered before it was recorded"
    )


def _merged(observation: Observation, neighbour: Neighbour, side: str) -> LateDecision | None:
    if not neighbour.breached or neighbour.event_id is None:
        return None
    event_id, importance = neighbour.event_id, neighbour.event_importance
    reason = f"late: counted into the event of the run {side} it"
    if importance is not None and observation.importance.rank > importance.rank:
        reason += f", which was only {importance}"
        escalate = LateAction.ESCALATE
        return LateDecision(escalate, event_id, "late-raised", reason, neighbour.acknowledged)
    return LateDecision(LateAction.MERGE, event_id, "late-joined", reason)


def _threshold_met(states: Sequence[bool], here: int, policy: Policy) -> bool:
    """True if these states would have opened an event with the one at `here` among its breaches."""
    size = policy.of_last or policy.breaches
    windows = (states[max(0, end - size) : end] for end in range(here + 1, here + size + 1))
    return any(sum(window) >= policy.breaches for window in windows)


def late_neighbours(policy: Policy) -> int:
    """The number of neighbours on each side that decide about a late observation."""
    return max(1, (policy.of_last or policy.breaches) - 1)
