"""The effects of a run on its rule, written once for the store and for replay. Pure.

The functions decide and call a `Ledger`, which knows the rule's past and applies the effects: the
store's in SQL, that of replay and rule tests in memory.
"""

from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sentinel_core.decide.late import LateAction
from sentinel_core.decide.ledger import Ledger, Notify
from sentinel_core.decide.lifecycle import Lifecycle, is_late
from sentinel_core.decide.notifying import NOBODYS, followed_up, lapsed, released, unless_suppressed
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.reacting import OCCASIONS, Change
from sentinel_core.decide.state import (
    UNRESTRICTED,
    Action,
    Decision,
    DecisionContext,
    Key,
    Series,
    Status,
    importance_of,
)
from sentinel_core.model.alert import Importance
from sentinel_core.model.reaction import Occasion
from sentinel_core.model.reasons import NotifyReason


def apply_run(
    lifecycle: Lifecycle, ledger: Ledger, observations: Sequence[Observation], *, ran: bool = True
) -> list[Observation]:
    """Judge and decide the observations of one run, in order; returns them as judged.

    `ran` is False for what no run observed (silence): it implies nothing about other series.
    """
    judged = list(observations)
    if lifecycle.settings.conditions:
        judged = [_judged(lifecycle, ledger, observation) for observation in observations]
    if ran:
        judged += lifecycle.consequences(judged, ledger.series)
    for observation in judged:
        _take(lifecycle, ledger, observation)
    if ran and judged:
        for end, previous, decision in lifecycle.expiries(judged[0].at, judged, ledger.series):
            key = (end.kind, end.ticker)
            context = _context(ledger, key, end, previous)
            _apply(lifecycle, ledger, key, end, previous, unless_suppressed(decision, context))
    return judged


def _judged(lifecycle: Lifecycle, ledger: Ledger, observation: Observation) -> Observation:
    if observation.reported is None:
        return observation
    previous = ledger.series.get((observation.kind, observation.ticker))
    first_at = ledger.first_at() if lifecycle.look_back else None
    return lifecycle.judged(observation, previous, ledger.samples(observation), first_at)


def _take(lifecycle: Lifecycle, ledger: Ledger, observation: Observation) -> None:
    """Decide one observation and apply the decision to its series."""
    key = (observation.kind, observation.ticker)
    previous = ledger.series.get(key)
    fine = previous is None or previous.status is Status.OK
    quiet = fine and not observation.breached  # nothing to notify anybody of
    if quiet and not observation.evaluated:
        return
    late = previous is not None and observation.at < previous.last_at
    if not late and observation.breached and observation.kind is not Kind.ALERT:
        late = _is_overtaken(ledger, observation)
    if late:
        if observation.evaluated:
            _place(lifecycle, ledger, observation)
        return
    context = UNRESTRICTED if quiet else _context(ledger, key, observation, previous)
    decision = lifecycle.decide(previous, observation, context)
    _apply(lifecycle, ledger, key, observation, previous, decision)


def _is_overtaken(ledger: Ledger, observation: Observation) -> bool:
    """True if a run was checked since this one failed, or could not judge its series."""
    if observation.kind is Kind.FAILURE:
        return ledger.checked_since(observation.at)
    return is_late(observation, ledger.series)


def _context(
    ledger: Ledger, key: Key, observation: Observation, previous: Series | None
) -> DecisionContext:
    suppression = ledger.suppression(key, importance_of(previous, observation))
    return DecisionContext(suppression, ledger.notified)


def _apply(
    lifecycle: Lifecycle,
    ledger: Ledger,
    key: Key,
    observation: Observation,
    previous: Series | None,
    decision: Decision,
) -> None:
    """The newest observation of a series: its event, state, notification and evaluation."""
    event_id = previous.event_id if previous else None
    series = decision.series
    if decision.action is Action.OPEN:
        event_id = ledger.open_event(observation, decision.reason, decision.suppression)
        series = replace(series, event_id=event_id)
    elif event_id is not None:
        if decision.action is Action.RESOLVE:
            ledger.resolve_event(event_id, observation.at, decision.code)
        elif observation.breached:
            escalated = decision.action is Action.ESCALATE
            ledger.continue_event(event_id, observation, escalated=escalated)
        if decision.reopen:
            ledger.reopen_event(event_id, decision.snooze_end)
    ledger.save(key, series)
    if decision.notify is not None and event_id is not None:
        decision = _notify(lifecycle, ledger, observation, decision, event_id)
    if event_id is not None and decision.action in OCCASIONS:
        importance = importance_of(previous, observation)
        _react(lifecycle, ledger, event_id, OCCASIONS[decision.action], observation, importance)
    if observation.evaluated:
        ledger.evaluated(observation, decision, event_id)


def _react(
    lifecycle: Lifecycle,
    ledger: Ledger,
    event_id: int,
    occasion: Occasion,
    observation: Observation,
    importance: Importance,
) -> None:
    """The rule's reactions to a change of an event, if it has any."""
    if lifecycle.settings.reactions(occasion):
        key = (observation.kind, observation.ticker)
        suppression = ledger.suppression(key, importance)
        change = Change(occasion, observation, importance, suppression=suppression)
        ledger.react(event_id, change)


def _notify(
    lifecycle: Lifecycle,
    ledger: Ledger,
    observation: Observation,
    decision: Decision,
    event_id: int,
) -> Decision:
    """The decision's notification, or the record of why it is suppressed; the decision as done."""
    at, reason, suppression = observation.at, decision.notify, decision.suppression
    assert reason is not None
    ends = decision.action is Action.RESOLVE
    if ends and not decision.repeated:
        followed = ledger.notify_followers(event_id, at, reason, suppression)
        if suppression is not None and followed:
            decision = followed_up(decision)
    if decision.action is not Action.OPEN:  # open_event has stored it already
        ledger.suppress(event_id, decision.suppression)
    if suppression is None:
        count_notification(lifecycle, ledger, at)
    if ends or decision.repeated:
        return decision
    series = decision.series
    notify = Notify(
        at,
        series.event_importance or observation.importance,
        reason,
        suppression,
        sequence=max(series.notify_count - 1, 0),
        restarts=decision.reopen,
    )
    ledger.notify(event_id, (observation.kind, observation.ticker), notify)
    return decision


def count_notification(lifecycle: Lifecycle, ledger: Ledger, at: datetime) -> None:
    """Remember a notification for the rule's rate limit."""
    most = lifecycle.policy.max_notifications_per_hour
    if most is not None:
        insort(ledger.notified, at)
        del ledger.notified[:-most]


def _place(lifecycle: Lifecycle, ledger: Ledger, observation: Observation) -> None:
    """An observation that is older than its series' newest one."""
    before, after = ledger.neighbours(observation, lifecycle.late_neighbours)
    late = lifecycle.decide_late(observation, before, after)
    key, event_id = (observation.kind, observation.ticker), late.event_id
    if event_id is not None:
        ledger.merge_late(event_id, observation)
        if late.action is LateAction.ESCALATE:
            _escalate_late(lifecycle, ledger, observation, event_id, late.acknowledged)
    elif late.action is LateAction.BACKFILL:
        suppression = ledger.suppression(key, observation.importance)
        event_id = ledger.open_event(observation, late.reason, suppression, ended=True)
        opened, importance = NotifyReason.OPENED, observation.importance
        notify = Notify(None, importance, opened, suppression, escalates=False)
        ledger.notify(event_id, key, notify)
    ledger.evaluated(observation, late, event_id)


def _escalate_late(
    lifecycle: Lifecycle,
    ledger: Ledger,
    observation: Observation,
    event_id: int,
    acknowledged: bool,
) -> None:
    """A late breach with a higher importance than the event it belongs to, be it open or ended."""
    key, importance = (observation.kind, observation.ticker), observation.importance
    reopen = not lifecycle.policy.sticky_acknowledgement
    ledger.escalate_late(event_id, importance, reopen=reopen)
    series = ledger.series.get(key)
    is_open = series is not None and series.event_id == event_id
    if series is not None and is_open:
        held = series.acknowledged and not reopen
        changed = replace(series, event_importance=importance)
        ledger.save(key, changed if held else replace(changed, **NOBODYS))
    if is_open:
        _react(lifecycle, ledger, event_id, Occasion.ESCALATE, observation, importance)
    if reopen or not acknowledged:
        suppression = ledger.suppression(key, importance)
        escalated = NotifyReason.ESCALATED
        notify = Notify(None, importance, escalated, suppression, escalates=is_open)
        ledger.notify(event_id, key, notify)


def release_withheld(
    lifecycle: Lifecycle, ledger: Ledger, keys: Iterable[Key], at: datetime
) -> None:
    """Notify of what was withheld and nothing suppresses any longer, without a new run."""
    for key in keys:
        series, importance, context = _between_runs(lifecycle, ledger, key)
        decision = released(lifecycle.policy, series, context, at)
        if decision is not None:
            _apply_between_runs(lifecycle, ledger, key, decision, importance, at)
        elif context.suppression is not None:  # what suppressed it first may have ended before this
            assert series.event_id is not None
            ledger.suppress(series.event_id, context.suppression)


def end_snoozes(lifecycle: Lifecycle, ledger: Ledger, keys: Iterable[Key], at: datetime) -> None:
    """End the acknowledgements whose time is over, without a new run."""
    for key in keys:
        series, importance, context = _between_runs(lifecycle, ledger, key)
        decision = lapsed(lifecycle.policy, series, context, at)
        if decision is not None:
            _apply_between_runs(lifecycle, ledger, key, decision, importance, at)


def _between_runs(
    lifecycle: Lifecycle, ledger: Ledger, key: Key
) -> tuple[Series, Importance, DecisionContext]:
    series = ledger.series[key]
    importance = series.event_importance or lifecycle.settings.importance
    return series, importance, DecisionContext(ledger.suppression(key, importance), ledger.notified)


def _apply_between_runs(
    lifecycle: Lifecycle,
    ledger: Ledger,
    key: Key,
    decision: Decision,
    importance: Importance,
    at: datetime,
) -> None:
    """A notification of an open event that no run has caused, sent or suppressed."""
    series, suppression = decision.series, decision.suppression
    assert series.event_id is not None  # only an open event is acknowledged, or withholds anything
    assert decision.notify is not None
    ledger.save(key, series)
    ledger.suppress(series.event_id, suppression)
    if decision.reopen:  # or the next run would notify of the same once more
        ledger.reopen_event(series.event_id, decision.snooze_end)
    if suppression is None:
        count_notification(lifecycle, ledger, at)
    if decision.repeated:
        return
    notify = Notify(
        at,
        importance,
        decision.notify,
        suppression,
        sequence=series.notify_count - 1,
        restarts=decision.reopen,
    )
    ledger.notify(series.event_id, key, notify)
