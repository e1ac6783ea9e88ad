"""Replaying rows by hand: what they were observed as, and how two timelines compare."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sentinel_core.decide.observe import Kind
from sentinel_core.model.alert import Importance
from sentinel_core.model.rule import Inhibition, Policy, RuleSettings
from sentinel_core.model.silence import Inhibitor
from sentinel_core.replay.compare import compare
from sentinel_core.replay.recorded import Firing, ManualAction, Past, Stored, Variant
from sentinel_core.replay.replay import replay, states_needed
from sentinel_core.replay.timeline import Event, Notification, Timeline

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
NOTHING = Past("disk")
CHANNEL = "slack-incoming-webhook/all"
HEARS = {"notify": {level.value: [CHANNEL] for level in Importance}}


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def row(minute: float, triggered: bool, **fields: Any) -> Stored:
    """One evaluation of the rule's only series, recorded two seconds after it was due."""
    given: dict[str, Any] = {
        "run": minute,
        "kind": "alert",
        "ticker": "",
        "at": at(minute),
        "recorded_at": at(minute) + timedelta(seconds=2),
        "triggered": triggered,
        "reported": triggered,
        "said": None,
        "importance": "medium",
        "message": "full" if triggered else "fine",
        "metrics": {},
        "measured": True,
        "prefect_state": "COMPLETED",
        "decision": "quiet",
        "decision_code": "",
        "decision_reason": "",
        "event_id": None,
    }
    return Stored(**{**given, **fields})


def settings(**given: Any) -> RuleSettings:
    return RuleSettings.model_validate({**HEARS, **given})


def replayed(rows: list[Stored], *given: RuleSettings, past: Past = NOTHING) -> list[Timeline]:
    variants = [Variant(one, recorded_as=Importance.MEDIUM) for one in given]
    return replay(past, [[one] for one in rows], variants, START, compare=False)


def test_an_empty_record_is_an_empty_timeline() -> None:
    [line] = replayed([], settings())
    assert (line.runs, line.evaluations, line.events, line.notifications) == (0, 0, [], [])


def test_conditions_judge_what_the_trigger_itself_said_and_measured() -> None:
    """Not what the conditions of the time made of it."""
    rows = [
        row(0, True, reported=False, said="", message="value 95 ≥ 90", metrics={"value": 95.0}),
        row(1, False, reported=False, said="", message="value 85 …", metrics={"value": 85.0}),
        row(2, True, kind="error", reported=False, said="", metrics={"other": 1.0}),
    ]
    none, lower = replayed(
        rows, settings(), settings(conditions=[{"op": "gte", "value": 80, "metric": "value"}])
    )
    assert none.events == []
    alert, error = lower.events
    assert (alert.kind, alert.occurrences, alert.resolved_at) == (Kind.ALERT, 2, None)
    assert alert.message == "value 85 ≥ 80"
    assert (error.kind, error.opened_at) == (Kind.ERROR, at(2))


def test_a_trigger_without_words_is_given_those_that_fit_the_settings() -> None:
    rows = [row(0, True, reported=True, said="", message="value 95 ≥ 90", metrics={"value": 95.0})]
    plain, conditional = replayed(
        rows, settings(), settings(conditions=[{"op": "gt", "value": 90, "metric": "value"}])
    )
    assert [event.message for event in plain.events] == ["Triggered."]
    assert [event.message for event in conditional.events] == ["value 95 > 90"]


def test_the_rules_own_importance_changes_with_the_rule_and_a_triggers_own_does_not() -> None:
    rows = [
        row(0, True),
        row(1, False),
        row(2, True, importance="critical"),
        row(3, False),
        row(4, True, kind="failure", importance="low", prefect_state="CANCELLED"),
    ]
    was = Variant(settings(importance="low"), recorded_as=Importance.MEDIUM)
    [line] = replay(NOTHING, [[one] for one in rows], [was], START, compare=False)
    assert [event.importance for event in line.events] == ["low", "critical", "low"]
    high = Variant(settings(importance="high"), recorded_as=Importance.LOW)
    [line] = replay(NOTHING, [[rows[4]]], [high], START, compare=False)
    assert [event.importance for event in line.events] == ["low"], "a cancelled run stays low"


def test_a_run_that_completes_ends_the_failure_of_the_one_before() -> None:
    rows = [row(0, True, kind="failure", reported=None, measured=False), row(5, False)]
    [line] = replayed(rows, settings())
    [event] = line.events
    assert (event.kind, event.resolved_at) == (Kind.FAILURE, at(5))


def test_a_missing_ticker_is_missed_by_the_settings_replayed_not_by_those_of_the_time() -> None:
    both = [row(0, False, run=0, ticker="A"), row(0, False, run=0, ticker="B")]
    one = [
        row(1, False, run=1, ticker="A"),
        row(1, True, run=1, ticker="B", kind="no_data", reported=None, measured=False),
    ]
    variants = [Variant(settings()), Variant(settings(policy={"on_missing": "event"}))]
    keeping, missing = replay(NOTHING, [both, one], variants, START, compare=False)
    assert keeping.events == []
    assert [(e.kind, e.ticker) for e in missing.events] == [(Kind.NO_DATA, "B")]


def test_people_act_at_their_time_on_the_event_that_is_open_then() -> None:
    rows = [row(minute, True) for minute in range(5)]
    acts = [
        ManualAction(at(1.5), "ada", "acknowledged", 1, Kind.ALERT, "", until=at(3)),
        ManualAction(at(3.5), "bob", "resolved", 1, Kind.ALERT, ""),
    ]
    policy = {"repeat_seconds": 60}
    [line] = replayed(rows, settings(policy=policy), past=Past("disk", actions=acts))
    assert [(m.at, m.reason) for m in line.notifications] == [
        (at(0), "opened"),
        (at(1), "reminder"),
        (at(3), "acknowledgement-ended"),
        (at(4), "opened"),
    ]
    first, second = line.events
    assert (first.resolved_at, first.resolution) == (at(3.5), "by-hand")
    assert (second.opened_at, second.resolved_at) == (at(4), None)


def test_what_people_did_after_the_last_run_counts_too() -> None:
    act = ManualAction(at(9), "bob", "resolved", 1, Kind.ALERT, "")
    [line] = replayed([row(0, True)], settings(), past=Past("disk", actions=[act]))
    assert [event.resolved_at for event in line.events] == [at(9)]


def test_other_rules_inhibit_while_they_fired_and_not_longer() -> None:
    host = Inhibitor("host", "", [Inhibition(rule="disk")])
    past = Past("disk", firings=[Firing(host, at(4), at(8)), Firing(host, at(12), None)])
    rows = [row(minute, minute % 5 == 0) for minute in range(0, 20)]
    [line] = replayed(rows, settings(), past=past)
    told = [(m.at, m.suppressed is None) for m in line.notifications]
    assert told == [(at(0), True), (at(5), False), (at(10), True), (at(15), False)]


def test_evaluations_before_the_look_back_lead_in_and_are_not_counted() -> None:
    rows = [row(minute, True) for minute in range(-3, 3)]
    variants = [Variant(settings(policy={"breaches": 5}))]
    [line] = replay(NOTHING, [[one] for one in rows], variants, START, compare=False)
    assert (line.runs, line.evaluations) == (3, 3)
    assert [event.opened_at for event in line.events] == [at(1)]


def test_a_policy_needs_as_many_runs_before_as_it_may_count() -> None:
    assert states_needed(Policy(breaches=60)) > 60
    assert states_needed(Policy(breaches=2, of_last=100)) > 100
    assert states_needed(Policy(errors=50)) > 50
    assert states_needed(Policy()) > 21


# -- comparing -------------------------------------------------------------------------------


def an_event(start: float, end: float | None, ticker: str = "A", **fields: Any) -> Event:
    over = {"resolved_at": at(end), "resolution": "recovered"} if end is not None else {}
    given: dict[str, Any] = {"importance": Importance.HIGH, "message": "", "reason": "opened"}
    return Event(1, Kind.ALERT, ticker, at(start), **{**given, **over, **fields})


def told(minute: float, *channels: str, why: str | None = None) -> Notification:
    return Notification(at(minute), 1, Kind.ALERT, "A", Importance.HIGH, "opened", channels, why)


def line(*events: Event, messages: list[Notification] | None = None) -> Timeline:
    return Timeline(START, list(events), messages or [])


def test_the_same_timelines_have_no_difference() -> None:
    one = line(an_event(0, 5), messages=[told(0, "a")])
    other = line(an_event(0, 5), messages=[told(0, "a")])
    assert compare(one, other).nothing
    assert compare(one, other).more == 0


def test_an_event_that_only_begins_later_is_changed_and_neither_added_nor_removed() -> None:
    changes = compare(line(an_event(0, 10)), line(an_event(5, 10)))
    assert (changes.added, changes.removed) == ((), ())
    [(old, new)] = changes.changed
    assert (old.opened_at, new.opened_at) == (at(0), at(5))


def test_events_that_do_not_overlap_or_are_of_other_series_are_different_events() -> None:
    before = line(an_event(0, 10), an_event(0, 10, "B"))
    after = line(an_event(10, 20), an_event(5, None, "C"))
    changes = compare(before, after)
    assert len(changes.added) == len(changes.removed) == 2
    assert changes.changed == ()


def test_one_long_event_instead_of_three_short_ones_removes_two() -> None:
    short = [an_event(0, 2), an_event(4, 6), an_event(8, 10)]
    changes = compare(line(*short), line(an_event(1, 10)))
    assert len(changes.changed) == 1
    assert [event.opened_at for event in changes.removed] == [at(4), at(8)]


def test_an_event_that_ends_otherwise_or_matters_more_is_changed() -> None:
    later = compare(line(an_event(0, 5)), line(an_event(0, 9)))
    worse = compare(line(an_event(0, 5)), line(an_event(0, 5, importance=Importance.CRITICAL)))
    assert len(later.changed) == len(worse.changed) == 1


def test_notifications_are_counted_by_channel_and_suppressed_ones_apart() -> None:
    before = line(messages=[told(0, "a", "b"), told(5, "a", why="silenced")])
    after = line(messages=[told(0, "b", "c"), told(5, "a"), told(7, "a", why="silenced")])
    changes = compare(before, after)
    assert {name: count.sent for name, count in changes.channels.items()} == {
        "a": (1, 1),
        "b": (1, 1),
        "c": (0, 1),
    }
    assert changes.channels["a"].suppressed == (1, 1)
    assert changes.more == 1
    assert [(m.at, m.channel) for m in changes.sent_added] == [(at(0), "c"), (at(5), "a")]
    assert [(m.at, m.channel) for m in changes.sent_removed] == [(at(0), "a")]
