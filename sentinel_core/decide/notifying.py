"""The decision to notify people of an event's start, change or end, or to withhold that.

Pure: a series' state and the verdict on its event in, a decision out.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sentinel_core.decide.observe import Observation
from sentinel_core.decide.snooze import TIME_OVER, SnoozeEnd, ended
from sentinel_core.decide.state import (
    Action,
    Decision,
    DecisionContext,
    Series,
    Status,
    importance_of,
)
from sentinel_core.model.reasons import NotifyReason, Suppression, SuppressionCode
from sentinel_core.model.rule import Policy
from sentinel_core.model.times import utc_near

HOUR = timedelta(hours=1)
NOBODYS: dict[str, Any] = {
    "acknowledged": False,
    "acknowledged_until": None,
    "acknowledged_limits": None,
}
"""The fields of a series whose event nobody has acknowledged."""


@dataclass(slots=True)
class Counted:
    """A series with its newest observation counted in."""

    observation: Observation
    before: Series
    breaches: int
    oks: int
    recent: str
    flapping: bool

    def threshold_met(self, policy: Policy) -> bool:
        """True if there are enough breaches for an event."""
        if policy.of_last is None:
            return self.breaches >= policy.breaches
        return self.recent[-policy.of_last :].count("1") >= policy.breaches


@dataclass(slots=True)
class Verdict:
    """The fate of the event, before notifications are considered."""

    action: Action
    status: Status
    code: str
    reason: str
    notify: NotifyReason | None = None
    flapping: bool = False


def with_notification(
    policy: Policy, now: Counted, verdict: Verdict, context: DecisionContext
) -> Decision:
    """The decision: the event's fate, and whether people are notified now, later or not at all."""
    before, at = now.before, now.observation.at
    if verdict.action is Action.QUIET:
        series = _after(now, verdict, None, None, False)
        return Decision(verdict.action, series, verdict.code, verdict.reason)
    held = before.acknowledged and verdict.action is not Action.OPEN
    end = None
    if held and verdict.action is not Action.RESOLVE:
        until, limits = before.acknowledged_until, before.acknowledged_limits
        end = ended(until, limits, at, now.observation.metrics)
    escalated = verdict.action is Action.ESCALATE and held and not policy.sticky_acknowledgement
    acknowledged = held and end is None and not escalated
    reason = _due(policy, now, verdict, acknowledged, end)
    resolves = verdict.action is Action.RESOLVE
    suppression = suppressed(policy, context, at, resolves=resolves) if reason else None
    repeated = suppression is not None and reason is before.withheld
    series = _after(now, verdict, None if repeated else reason, suppression, acknowledged)
    code, words = _with_end(verdict, end)
    return Decision(
        verdict.action,
        series,
        code,
        explained(words, suppression),
        reason,
        suppression,
        repeated=repeated,
        reopen=end is not None or escalated,
        snooze_end=end,
    )


def _with_end(verdict: Verdict, end: SnoozeEnd | None) -> tuple[str, str]:
    """The code and the reason of a decision that finds that a limit was crossed.

    A code that says what became of the event stays: others go by it.
    """
    if end is None or end is TIME_OVER:
        return verdict.code, verdict.reason
    code = end.code.value if verdict.code == "still-firing" else verdict.code
    return code, f"{verdict.reason}; no longer acknowledged: {end.sentence}"


def explained(reason: str, suppression: Suppression | None) -> str:
    """The reason of a decision, with why nobody is notified of it."""
    return f"{reason}; not told: {suppression.sentence}" if suppression else reason


def followed_up(decision: Decision) -> Decision:
    """The same decision, where a muted end is sent all the same to whoever follows up the event."""
    muted = decision.suppression
    assert muted is not None
    reason = decision.reason.removesuffix(f"; not told: {muted.sentence}")
    reason = f"{reason}; sent to incidents and threads only: {muted.sentence}"
    return replace(decision, suppression=None, reason=reason)


def _due(
    policy: Policy, now: Counted, verdict: Verdict, acknowledged: bool, end: SnoozeEnd | None
) -> NotifyReason | None:
    """The reason to notify people now; None without one."""
    before = now.before
    if verdict.action is Action.RESOLVE:  # the end of an event nobody was notified of is no news
        wanted = policy.notify_resolved or verdict.notify is NotifyReason.FLAPPING_ENDED
        return verdict.notify if wanted and before.notified_at is not None else None
    if acknowledged or verdict.notify is not None or verdict.action is Action.OPEN:
        return None if acknowledged else verdict.notify
    if before.withheld is not None:
        return before.withheld
    if end is not None:
        return end.code
    every, last = policy.repeat_seconds, before.notified_at
    if every is None or last is None or now.observation.at - last < timedelta(seconds=every):
        return None
    return NotifyReason.REMINDER


def suppressed(
    policy: Policy, context: DecisionContext, at: datetime, *, resolves: bool = False
) -> Suppression | None:
    """The reason to notify nobody at this moment. The rate limit never withholds an end."""
    if context.suppression is not None:
        return context.suppression
    most = policy.max_notifications_per_hour
    if most is None or resolves:
        return None
    # Notifications of later runs count as well: this run is late, the hour was used up.
    lately = [moment for moment in context.notified if moment > at - HOUR]
    if len(lately) < most:
        return None
    until = utc_near(lately[-most] + HOUR, at)
    sentence = f"rate limit: {most} in an hour, the next one from {until}"
    return Suppression(SuppressionCode.RATE_LIMITED, sentence)


def _after(
    now: Counted,
    verdict: Verdict,
    reason: NotifyReason | None,
    suppression: Suppression | None,
    acknowledged: bool,
) -> Series:
    """The state of the series after the decision."""
    observation, before = now.observation, now.before
    at = observation.at
    resolves = verdict.action is Action.RESOLVE
    firing = verdict.status is Status.FIRING
    opens = verdict.action is Action.OPEN
    count = 0 if opens else before.notify_count
    withheld = before.withheld if firing and not opens else None
    if reason is not None and firing:
        # The first that was withheld is sent later, unless it is only a reminder.
        first = reason if withheld in (None, NotifyReason.REMINDER) else withheld
        withheld = first if suppression else None
    notified_at = None if opens else before.notified_at
    return Series(
        verdict.status,
        at,
        before.event_id if firing and not opens else None,
        importance_of(before, observation) if firing else None,
        now.breaches,
        now.oks,
        now.recent,
        verdict.flapping,
        at if observation.breached else before.breached_at,
        at if resolves else before.ended_at,
        before.event_importance if resolves else before.ended_importance,
        at if reason and not suppression else notified_at,
        count + 1 if reason else count,
        withheld,
        acknowledged and firing,
        before.acknowledged_until if acknowledged and firing else None,
        before.acknowledged_limits if acknowledged and firing else None,
    )


def unless_suppressed(decision: Decision, context: DecisionContext) -> Decision:
    """The same decision, with its notification withheld while the context suppresses it."""
    suppression = context.suppression
    if decision.notify is None or suppression is None:
        return decision
    reason = explained(decision.reason, suppression)
    return replace(decision, suppression=suppression, reason=reason)


def released(
    policy: Policy, previous: Series, context: DecisionContext, at: datetime
) -> Decision | None:
    """The withheld notification to send now, without a new run; None when there is none.

    An event whose acknowledgement has lapsed is reopened by it.
    """
    acknowledged = previous.acknowledged_at(at)
    if previous.withheld is None or acknowledged or previous.status is not Status.FIRING:
        return None
    if suppressed(policy, context, at) is not None:
        return None
    series = replace(
        previous,
        notified_at=at,
        notify_count=previous.notify_count + 1,
        withheld=None,
        **NOBODYS,
    )
    reason, lapsed = "told now: what muted it has ended", previous.acknowledged
    return Decision(
        Action.CONTINUE,
        series,
        "released",
        reason,
        previous.withheld,
        reopen=lapsed,
        snooze_end=TIME_OVER if lapsed else None,
    )


def lapsed(
    policy: Policy, previous: Series, context: DecisionContext, at: datetime
) -> Decision | None:
    """The end of an acknowledgement whose time is over, without a new run; None while it holds.

    The next run of the rule decides the same, if there is one.
    """
    over = previous.acknowledged and not previous.acknowledged_at(at)
    if not over or previous.status is not Status.FIRING:
        return None
    reason = previous.withheld or TIME_OVER.code
    suppression = suppressed(policy, context, at)
    repeated = suppression is not None and reason is previous.withheld
    series = replace(
        previous,
        notified_at=previous.notified_at if suppression else at,
        notify_count=previous.notify_count if repeated else previous.notify_count + 1,
        withheld=reason if suppression else None,
        **NOBODYS,
    )
    return Decision(
        Action.CONTINUE,
        series,
        TIME_OVER.code.value,
        explained(TIME_OVER.sentence, suppression),
        reason,
        suppression,
        repeated=repeated,
        reopen=True,
        snooze_end=TIME_OVER,
    )
