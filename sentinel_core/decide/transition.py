"""The alert lifecycle: the effect of one observation on its series, its event and people.

Pure functions of their arguments: no clock, no database, no Prefect. Callers act on the decision
and store its reason; they add nothing to it. Time is when runs were due, so that a history that is
decided again is decided the same.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from sentinel_core.decide.flapping import flapping_percent, is_flapping
from sentinel_core.decide.notifying import Counted, Verdict, with_notification
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.state import (
    UNRESTRICTED,
    Action,
    Decision,
    DecisionContext,
    Series,
    Status,
)
from sentinel_core.model.reasons import NotifyReason
from sentinel_core.model.rule import Meaning, Policy
from sentinel_core.model.times import utc_near

REMOVED = "rule-removed"  # the code of an end, because the rule no longer exists
STATES_KEPT = 100  # per series: the maximum of `of_last`; flapping uses the last 21


def policy_for(kind: Kind, policy: Policy) -> Policy:
    """The policy for one kind of series: thresholds for breaches do not apply to errors."""
    if kind is Kind.ALERT:
        return policy
    plain = {"of_last": None, "recoveries": 1, "keep_firing_seconds": 0.0, "cooldown_seconds": 0.0}
    number = {Kind.FAILURE: policy.errors, Kind.ERROR: policy.errors, Kind.NO_DATA: policy.no_data}
    return policy.model_copy(update={**plain, "breaches": number.get(kind, 1), "flapping": None})


def meaning_of(kind: Kind, policy: Policy) -> Meaning:
    """The meaning of a breach of this kind: an event, an ok, or nothing new."""
    if kind in (Kind.FAILURE, Kind.ERROR):
        return policy.on_error
    return policy.on_no_data if kind is Kind.NO_DATA else Meaning.EVENT


def decide(
    policy: Policy,
    previous: Series | None,
    observation: Observation,
    context: DecisionContext = UNRESTRICTED,
) -> Decision:
    """The decision about the newest observation of a series.

    `policy` is the one for the observation's kind (`policy_for`). Kinds that the policy does not
    treat as an event (`on_error`, `on_no_data`) arrive as not breached.
    """
    before = previous or Series(Status.OK, observation.at)
    firing = before.status is Status.FIRING
    if not observation.breached and not firing:
        return _still_ok(before, observation)
    breaches = before.breaches + 1 if observation.breached else 0
    oks = 0 if observation.breached else before.oks + 1
    recent = (before.recent + ("1" if observation.breached else "0"))[-STATES_KEPT:]
    flapping = is_flapping(policy.flapping, recent, before.flapping)
    now = Counted(observation, before, breaches, oks, recent, flapping)
    verdict = _while_firing(policy, now) if firing else _while_not_firing(policy, now)
    return with_notification(policy, now, verdict, context)


def _still_ok(before: Series, observation: Observation) -> Decision:
    """No event, and none opens. Most decisions are this one: it is made without detours."""
    series = Series(
        Status.OK,
        observation.at,
        None,
        None,
        0,
        before.oks + 1,
        (before.recent + "0")[-STATES_KEPT:],
        False,
        before.breached_at,
        before.ended_at,
        before.ended_importance,
        before.notified_at,
        before.notify_count,
    )
    return Decision(Action.QUIET, series, "ok", "ok: not triggered")


def _while_not_firing(policy: Policy, now: Counted) -> Verdict:
    """The verdict on a breach of a series without an event."""
    at = now.observation.at
    if not now.threshold_met(policy):
        return Verdict(Action.QUIET, Status.PENDING, "pending", _pending(policy, now))
    if (until := _cooldown_end(policy, now)) is not None:
        reason = f"suppressed: cooldown until {utc_near(until, at)}"
        return Verdict(Action.QUIET, Status.PENDING, "cooldown", reason)
    if now.flapping:
        reason = f"opened: {_flapping_sentence(now)}"
        return Verdict(Action.OPEN, Status.FIRING, "flapping", reason, NotifyReason.FLAPPING, True)
    if policy.breaches == 1:
        reason = "opened: the series started to fire"
    elif policy.of_last is not None:
        reason = f"opened: {policy.breaches} breaches of the last {policy.of_last}"
    else:
        reason = f"opened: {now.breaches} breaches in a row"
    return Verdict(Action.OPEN, Status.FIRING, "started", reason, NotifyReason.OPENED)


def _pending(policy: Policy, now: Counted) -> str:
    if policy.of_last is None:
        return f"pending: {now.breaches} of {policy.breaches} breaches"
    count = now.recent[-policy.of_last :].count("1")
    return f"pending: {count} of {policy.breaches} breaches in the last {policy.of_last}"


def _cooldown_end(policy: Policy, now: Counted) -> datetime | None:
    """Until when no event opens. A higher importance than the last event's does not wait."""
    ended, importance = now.before.ended_at, now.before.ended_importance
    if not policy.cooldown_seconds or ended is None:
        return None
    if importance is not None and now.observation.importance.rank > importance.rank:
        return None
    until = ended + timedelta(seconds=policy.cooldown_seconds)
    return until if now.observation.at < until else None


def _while_firing(policy: Policy, now: Counted) -> Verdict:
    """The verdict on an observation of a series with an event."""
    breached, flapped = now.observation.breached, now.before.flapping
    if (escalated := _escalated(now)) is not None:
        return escalated
    if now.flapping:  # one event for all of it: no end and no new event at each change
        reason = f"continued: {_flapping_sentence(now)}"
        notify = None if flapped else NotifyReason.FLAPPING
        return Verdict(Action.CONTINUE, Status.FIRING, "flapping", reason, notify, flapping=True)
    if flapped:
        ended = NotifyReason.FLAPPING_ENDED
        if breached:
            reason = "continued: flapping has ended, and it fires"
            return Verdict(Action.CONTINUE, Status.FIRING, "flapping-ended", reason, ended)
        reason = "resolved: flapping has ended, and it is ok"
        return Verdict(Action.RESOLVE, Status.OK, "flapping-ended", reason, ended)
    if breached:
        return Verdict(Action.CONTINUE, Status.FIRING, "still-firing", "continued: still firing")
    return _while_recovering(policy, now)


def _escalated(now: Counted) -> Verdict | None:
    """The event's importance rises; None when it does not."""
    importance, before = now.observation.importance, now.before.event_importance
    if before is None or not now.observation.breached or importance.rank <= before.rank:
        return None
    return Verdict(
        Action.ESCALATE,
        Status.FIRING,
        "importance-raised",
        f"escalated: {before} became {importance}",
        NotifyReason.ESCALATED,
        flapping=now.flapping,
    )


def _flapping_sentence(now: Counted) -> str:
    return f"the series flaps ({flapping_percent(now.recent):.0f} % of its states changed)"


def _while_recovering(policy: Policy, now: Counted) -> Verdict:
    """The verdict on an ok of a series with an event."""
    if now.oks < policy.recoveries:
        reason = f"recovering: {now.oks} of {policy.recoveries} oks"
        return Verdict(Action.CONTINUE, Status.FIRING, "recovering", reason)
    if policy.of_last is not None and now.threshold_met(policy):
        count = now.recent[-policy.of_last :].count("1")
        reason = f"continued: still {count} breaches in the last {policy.of_last}"
        return Verdict(Action.CONTINUE, Status.FIRING, "still-counted", reason)
    last, at = now.before.breached_at, now.observation.at
    if policy.keep_firing_seconds and last is not None:
        until = last + timedelta(seconds=policy.keep_firing_seconds)
        if at < until:
            reason = f"kept firing until {utc_near(until, at)}"
            return Verdict(Action.CONTINUE, Status.FIRING, "kept-firing", reason)
    reason = f"resolved: {now.observation.message}"
    return Verdict(Action.RESOLVE, Status.OK, "recovered", reason, NotifyReason.RESOLVED)


def expired(policy: Policy, previous: Series, at: datetime) -> Decision | None:
    """The end of an event that no breach has confirmed for `expire_seconds`; None before that."""
    if policy.expire_seconds is None or previous.status is not Status.FIRING:
        return None
    confirmed = previous.breached_at or previous.last_at
    if at - confirmed < timedelta(seconds=policy.expire_seconds):
        return None
    reason = f"resolved: expired, no breach since {utc_near(confirmed, at)}"
    decision = _ended(previous, at, "expired", reason)
    if policy.notify_resolved and previous.notified_at is not None:
        return replace(decision, notify=NotifyReason.RESOLVED)
    return decision


def resolved_by_hand(previous: Series, at: datetime, by: str) -> Decision:
    """The end of an event because a person says so: the series begins anew."""
    return _ended(previous, max(at, previous.last_at), "by-hand", f"resolved: by {by}")


def resolved_as_removed(previous: Series, at: datetime) -> Decision:
    """The end of an event whose rule was removed: no run will say how it ended."""
    reason = "resolved: its rule was removed"
    return _ended(previous, max(at, previous.last_at), REMOVED, reason)


def _ended(previous: Series, at: datetime, code: str, reason: str) -> Decision:
    """The past of the series no longer counts, but for its cooldown."""
    series = Series(
        status=Status.OK,
        last_at=previous.last_at,
        breached_at=previous.breached_at,
        ended_at=at,
        ended_importance=previous.event_importance,
    )
    return Decision(Action.RESOLVE, series, code, reason)
