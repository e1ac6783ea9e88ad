"""What was decided live is decided again from what the store kept of it, on both databases."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert, update

from sentinel_core.decide.lifecycle import Lifecycle
from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule, Run
from sentinel_core.replay.compare import compare
from sentinel_core.replay.history import Span, past, rules_named, runs, span
from sentinel_core.replay.recorded import Variant
from sentinel_core.replay.replay import replay, states_needed
from sentinel_core.replay.timeline import Timeline
from sentinel_core.store.db.engine import reading, writing
from sentinel_core.store.db.tables import EVALUATION, SILENCE, Silence
from sentinel_core.store.record.acknowledge import acknowledge, unacknowledge
from sentinel_core.store.record.recording import end_due_snoozes, notify_unmuted
from sentinel_core.store.record.resolve import resolve
from sentinel_core.store.record.silences import expire
from sentinel_core.store.state.rules import sync
from tests.support.runs import a_rule, a_run, at, fired, quiet, rows, told

Outputs = Sequence[AlertOutput] | None
LATER = timedelta(seconds=2)  # a run is recorded so long after it was due


def live(engine: Engine, rule: Rule, run: Run, outputs: Outputs = None) -> None:
    """Record a run as its hook does, when it ended."""
    told(engine, rule, run, outputs, now=run.state_at)


def again(
    engine: Engine,
    rule: Rule,
    *others: RuleSettings,
    since: float = 0,
    until: float = 10_000,
) -> list[Timeline]:
    """Replay what the store has of a rule, with its own settings and with others."""
    everything = [rule.settings, *others]
    [row] = rules_named(engine, rule.name)
    with reading(engine) as connection:
        over = span(
            connection,
            row["id"],
            at(since),
            at(until),
            look_back=max(Lifecycle(settings).look_back for settings in everything),
            states=max(states_needed(settings.policy) for settings in everything),
        )
        around = past(connection, row["id"], rule.name, over)
        variants = [
            Variant(settings, rule.tags, rule.settings.importance) for settings in everything
        ]
        stored = runs(connection, row["id"], over)
        return replay(around, stored, variants, at(since), until=at(until))


def settings_of(**changed: Any) -> RuleSettings:
    """The settings of `a_rule`, changed."""
    return a_rule(**changed).settings


def measured(value: float, ticker: str = "AAPL", **fields: Any) -> AlertOutput:
    """An output that leaves the verdict to the rule's conditions."""
    words = {"message": f"{ticker} at {value:g}", "metrics": {"value": value}}
    return AlertOutput(
        **{"triggered": False, "ticker": ticker, "timestamp": at(0), **words, **fields}
    )


def a_problem(what: str, ticker: str = "AAPL") -> AlertOutput:
    return measured(0, ticker, problem=what, message=f"{what} of {ticker}", metrics={})


AVERAGE = {"metric": "value", "op": "gte", "value": 85, "clear": 70, "over_seconds": 300}
AVERAGE |= {"aggregate": "avg", "minimum_points": 2}

Story = Callable[[Engine, Rule], None]


def waves(engine: Engine, rule: Rule) -> None:
    """A value that swings above and below, for two series at a time."""
    for minute in range(0, 240, 2):
        high = 78 + 14 * math.sin(minute / 11)
        low = 78 + 22 * math.sin(minute / 3)
        outputs = [measured(high), measured(low, "IBM", triggered=low > 90)]
        reconciled(engine, rule, (minute - 1, minute))
        live(engine, rule, a_run(minute), outputs)


def troubles(engine: Engine, rule: Rule) -> None:
    """Failures, cancelled and skipped runs, and series that can't be judged, between good runs."""
    live(engine, rule, a_run(0), [fired(), quiet("IBM")])
    live(engine, rule, a_run(5, "FAILED", message="no answer"))
    live(engine, rule, a_run(10, "CANCELLED", message="another run was at work"))
    live(engine, rule, replace(a_run(12, "CANCELLED"), overlaps=True))
    live(engine, rule, a_run(15, name="Skipped", message="Not checked: 20 min late."), [])
    live(engine, rule, a_run(20), [a_problem("error"), a_problem("no_data", "IBM")])
    live(engine, rule, a_run(25), [measured(90, metrics={"price": 90.0}), quiet("IBM")])
    live(engine, rule, a_run(30), [fired(importance="critical"), quiet("IBM")])
    live(engine, rule, a_run(35), [])
    live(engine, rule, a_run(40, "CRASHED", message="killed"))
    live(engine, rule, a_run(45), [quiet(), quiet("IBM", message="")])


def gaps(engine: Engine, rule: Rule) -> None:
    """Tickers that come and go."""
    for minute in range(0, 100, 5):
        there = [fired()] if minute % 15 else [fired(), fired("IBM"), quiet("MSFT")]
        live(engine, rule, a_run(minute), there)


def disorder(engine: Engine, rule: Rule) -> None:
    """Runs that are recorded after newer ones."""
    for minute, ended in ((0, 1), (10, 11), (5, 12), (20, 21), (15, 22), (30, 31), (25, 33)):
        outputs = [fired() if minute in (5, 10, 25) else quiet()]
        live(engine, rule, a_run(minute, ended=ended), outputs)


@pytest.mark.slow("postgres")
@pytest.mark.parametrize("story", [waves, troubles, gaps, disorder])
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="without a policy"),
        pytest.param({"policy": {"breaches": 2, "of_last": 3}}, id="2 of 3 breaches"),
        pytest.param({"conditions": [AVERAGE]}, id="an average with hysteresis"),
        pytest.param(
            {
                "conditions": [AVERAGE],
                "policy": {"recoveries": 3, "cooldown_seconds": 900, "repeat_seconds": 600},
            },
            id="an average, recoveries, cooldown and reminders",
        ),
        pytest.param(
            {"policy": {"on_missing": "event", "on_error": "keep", "no_data": 2}},
            id="missing tickers are events",
        ),
        pytest.param(
            {"policy": {"on_missing": "ok", "on_error": "ok", "on_no_data": "ok"}},
            id="trouble counts as ok",
        ),
        pytest.param(
            {"policy": {"max_notifications_per_hour": 2, "expire_seconds": 1200}},
            id="rate limit and expiry",
        ),
    ],
)
def test_what_was_decided_live_is_decided_again(
    engine: Engine, story: Story, settings: dict[str, Any]
) -> None:
    rule = a_rule(**settings)
    story(engine, rule)
    [line] = again(engine, rule)
    assert line.evaluations == len(rows(engine, "evaluation"))
    assert line.mismatches == 0, line.examples
    assert events_of(line) == recorded_events(engine)
    assert messages_of(line) == recorded_messages(engine)


def events_of(line: Timeline) -> list[tuple[Any, ...]]:
    return sorted(
        (e.kind.value, e.ticker, e.opened_at, e.resolved_at, e.importance.value, e.occurrences)
        for e in line.events
    )


def recorded_events(engine: Engine) -> list[tuple[Any, ...]]:
    names = ("kind", "ticker", "timestamp", "resolved_at", "importance", "occurrences")
    return sorted(tuple(row[name] for name in names) for row in rows(engine, "alert_event"))


def messages_of(line: Timeline) -> list[tuple[str, str, bool]]:
    return sorted(
        (channel, m.reason, m.suppressed is None)
        for m in line.notifications
        for channel in m.channels
    )


def recorded_messages(engine: Engine) -> list[tuple[str, str, bool]]:
    return sorted(
        (row["channel"], row["reason"], row["status"] != "suppressed")
        for row in rows(engine, "notification")
    )


@pytest.mark.slow("postgres")
def test_what_happened_before_the_look_back_is_known_and_not_counted(engine: Engine) -> None:
    rule = a_rule(conditions=[AVERAGE], policy={"breaches": 3, "cooldown_seconds": 600})
    waves(engine, rule)
    [line] = again(engine, rule, since=121)
    assert line.evaluations == 2 * 59
    assert line.mismatches == 0, line.examples
    later = [m for m in line.notifications if m.at < at(121)]
    assert later == []
    assert line.events
    assert all(e.resolved_at is None or e.resolved_at >= at(121) for e in line.events)


def test_a_rule_that_is_changed_is_compared_channel_by_channel(engine: Engine) -> None:
    rule = a_rule()
    for minute in range(0, 60, 5):
        live(engine, rule, a_run(minute), [fired() if minute in (5, 20, 25, 30) else quiet()])
    before, after = again(engine, rule, settings_of(policy={"breaches": 2}))
    assert before.mismatches == 0, before.examples
    changes = compare(before, after)
    assert [event.opened_at for event in changes.removed] == [at(5)]
    assert changes.added == ()
    [(old, new)] = changes.changed
    assert (old.opened_at, new.opened_at) == (at(20), at(25))
    channel = "slack-incoming-webhook/everyone"
    assert changes.channels[channel].sent == (2, 1)
    assert changes.more == -1


@pytest.mark.slow("postgres")
def test_a_rule_without_conditions_can_be_given_some(engine: Engine) -> None:
    rule = a_rule(importance="low")
    waves(engine, rule)
    changed = settings_of(conditions=[{**AVERAGE, "clear": None}], importance="high")
    _, after = again(engine, rule, changed)
    direct = a_rule("direct", conditions=[{**AVERAGE, "clear": None}], importance="high")
    waves(engine, direct)
    [wanted] = again(engine, direct)
    assert wanted.mismatches == 0, wanted.examples
    assert after.events
    assert events_of(after) == events_of(wanted)
    assert [e.message for e in after.events] == [e.message for e in wanted.events]


def test_acknowledging_takes_effect_in_the_replay_when_it_did_live(engine: Engine) -> None:
    rule = a_rule(policy={"repeat_seconds": 600})
    live(engine, rule, a_run(0), [fired()])
    [event] = rows(engine, "alert_event")
    acknowledge(engine, [event["id"]], by="ada", now=at(12), until=at(42))
    for minute in range(5, 60, 5):
        live(engine, rule, a_run(minute), [fired()])
        reconciled(engine, rule, range(minute + 1, minute + 5))
    unacknowledge(engine, [rows(engine, "alert_event")[0]["id"]], by="bob", now=at(58))
    live(engine, rule, a_run(60), [fired()])
    [line] = again(engine, rule)
    assert line.mismatches == 0, line.examples
    assert [(m.at, m.reason) for m in line.notifications] == [
        (at(0), "opened"),
        (at(10), "reminder"),
        (at(42), "acknowledgement-ended"),
        (at(55), "reminder"),
    ]


def test_acknowledging_until_a_value_takes_effect_in_the_replay(engine: Engine) -> None:
    rule = a_rule(policy={"repeat_seconds": 600})
    live(engine, rule, a_run(0), [fired(metrics={"value": 91.0})])
    [event] = rows(engine, "alert_event")
    acknowledge(engine, [event["id"]], by="ada", now=at(1), above=95, below=5)
    for minute, value in ((5, 92.0), (15, 95.0), (20, 95.5), (25, 99.0), (30, 99.0)):
        live(engine, rule, a_run(minute), [fired(metrics={"value": value})])
    [line] = again(engine, rule)
    assert line.mismatches == 0, line.examples
    assert [(m.at, m.reason) for m in line.notifications] == [
        (at(0), "opened"),
        (at(20), "value-crossed"),
        (at(30), "reminder"),
    ]


def test_an_event_that_was_resolved_by_hand_ends_in_the_replay(engine: Engine) -> None:
    rule = a_rule(policy={"cooldown_seconds": 1200})
    live(engine, rule, a_run(0), [fired()])
    resolve(engine, [rows(engine, "alert_event")[0]["id"]], by="ada", now=at(3))
    for minute in range(5, 40, 5):
        live(engine, rule, a_run(minute), [fired()])
    [line] = again(engine, rule)
    assert line.mismatches == 0, line.examples
    assert [(e.opened_at, e.resolved_at, e.resolution) for e in line.events] == [
        (at(0), at(3), "by-hand"),
        (at(25), None, None),
    ]


def test_acknowledging_an_event_that_was_over_touches_no_later_one(engine: Engine) -> None:
    rule = a_rule(policy={"repeat_seconds": 600})
    live(engine, rule, a_run(0), [fired()])
    live(engine, rule, a_run(5), [quiet()])
    live(engine, rule, a_run(10), [fired()])
    acknowledge(engine, [rows(engine, "alert_event")[0]["id"]], by="ada", now=at(12))
    live(engine, rule, a_run(20), [fired()])
    [line] = again(engine, rule)
    assert line.mismatches == 0, line.examples
    assert [m.reason for m in line.notifications] == ["opened", "opened", "reminder"]
    assert [e.acknowledged_by for e in line.events] == [None, None]


def test_an_acknowledgement_from_before_the_look_back_holds_in_it(engine: Engine) -> None:
    rule = a_rule(policy={"repeat_seconds": 600}, conditions=[])
    live(engine, rule, a_run(0), [fired()])
    acknowledge(engine, [rows(engine, "alert_event")[0]["id"]], by="ada", now=at(1))
    for minute in range(5, 600, 5):
        live(engine, rule, a_run(minute), [fired()])
    [line] = again(engine, rule, since=560)
    assert line.notifications == []
    assert line.mismatches == 0, line.examples


def a_silence(
    engine: Engine, start: float, end: float, created: float | None = None, **matchers: Any
) -> None:
    with writing(engine) as connection:
        row = {
            "matchers": matchers,
            "starts_at": at(start),
            "ends_at": at(end),
            "author": "ada",
            "comment": "maintenance",
            "created_at": at(start if created is None else created),
        }
        connection.execute(insert(SILENCE), [row])
    assert Silence.__tablename__ == "silence"


def test_a_silence_of_the_time_mutes_the_replay_and_is_named(engine: Engine) -> None:
    rule = a_rule()
    a_silence(engine, 4, 14, rule="aapl-*")
    for minute in range(0, 30, 5):
        live(engine, rule, a_run(minute), [fired() if minute in (5, 10, 15) else quiet()])
        reconciled(engine, rule, range(minute + 1, minute + 5))
    [line] = again(engine, rule)
    assert line.mismatches == 0, line.examples
    assert [(m.at, m.suppressed) for m in line.notifications] == [
        (at(5), "silenced by ada until 2026-11-02 09:14 UTC: maintenance"),
        (at(14), None),
    ]
    assert told_at(engine) == [(m.at, m.reason) for m in line.notifications if m.suppressed is None]


@pytest.mark.slow("postgres")
@pytest.mark.parametrize(
    "policy", [{"repeat_seconds": 600}, {"max_notifications_per_hour": 1, "notify_resolved": True}]
)
def test_what_was_held_back_is_told_in_the_replay_when_it_was_told_live(
    engine: Engine, policy: dict[str, Any]
) -> None:
    rule = a_rule(policy=policy)
    a_silence(engine, 4, 63, rule="aapl-*", ticker="IBM")
    for minute in range(0, 200, 20):
        prices = [
            fired() if minute < 130 else quiet(),
            fired("IBM") if minute < 80 else quiet("IBM"),
        ]
        live(engine, rule, a_run(minute), prices)
        if minute == 40:
            [ibm] = rows(engine, "alert_event", ticker="IBM")
            acknowledge(engine, [ibm["id"]], by="ada", now=at(43), until=at(52.5))
        reconciled(engine, rule, range(minute + 1, minute + 20))
    reconciled(engine, rule, range(200, 300))
    [line] = again(engine, rule, until=300)
    assert line.mismatches == 0, line.examples
    assert told_at(engine) == [(m.at, m.reason) for m in line.notifications if m.suppressed is None]
    assert messages_of(line) == recorded_messages(engine)
    assert any(m.at.minute % 20 for m in line.notifications)  # told between two runs


def reconciled(engine: Engine, rule: Rule, minutes: Sequence[int]) -> None:
    """Reconcile comes by at each of these minutes."""
    for minute in minutes:
        end_due_snoozes(engine, {rule.deployment_id: rule}, at(minute))
        notify_unmuted(engine, {rule.deployment_id: rule}, at(minute))


def told_at(engine: Engine) -> list[tuple[datetime, str]]:
    """When people were told, and why. A run tells of the time at which it was due."""
    return sorted(
        (row["created_at"].replace(second=0, microsecond=0), row["reason"])
        for row in rows(engine, "notification")
        if row["status"] != "suppressed"
    )


def test_a_silence_mutes_nothing_from_before_it_was_made(engine: Engine) -> None:
    rule = a_rule()
    live(engine, rule, a_run(0), [fired()])
    a_silence(engine, 0, 60, created=2, rule="*")
    live(engine, rule, a_run(5), [quiet()])
    live(engine, rule, a_run(10), [fired()])
    [line] = again(engine, rule, until=30)
    assert line.mismatches == 0, line.examples
    assert [m.suppressed is None for m in line.notifications] == [True, False]


def test_a_rule_that_inhibited_then_inhibits_in_the_replay(engine: Engine) -> None:
    host = a_rule("host-down", inhibits=["aapl-*"])
    rule = a_rule()
    sync(engine, [host, rule], at(0))
    live(engine, rule, a_run(0), [quiet()])
    live(engine, host, a_run(1), [fired()])
    live(engine, rule, a_run(5), [fired(), fired("IBM")])
    live(engine, host, a_run(8), [quiet()])
    reconciled(engine, rule, (9,))
    live(engine, rule, a_run(10), [fired(), fired("IBM")])
    [line] = again(engine, rule)
    assert line.mismatches == 0, line.examples
    assert [(m.ticker, m.at, m.suppressed) for m in line.notifications] == [
        ("AAPL", at(5), "inhibited: host-down fires on AAPL"),
        ("IBM", at(5), None),
        ("AAPL", at(9), None),
    ]


def test_a_run_that_is_recorded_late_finds_its_whole_window_again(engine: Engine) -> None:
    average = {"metric": "value", "op": "gte", "value": 85, "over_seconds": 300}
    rule = a_rule(conditions=[{**average, "aggregate": "avg", "minimum_points": 3}])
    for minute in range(60):
        if minute != 10:
            live(engine, rule, a_run(minute), [measured(90)])
        if minute == 50:
            live(engine, rule, a_run(10, ended=50.5), [measured(90)])
    [late] = rows(engine, "evaluation", decision_code="late-joined")
    assert late["at"] == at(10)
    [line] = again(engine, rule)
    assert line.mismatches == 0, line.examples
    assert events_of(line) == recorded_events(engine)
    assert {event.kind.value for event in line.events} == {"alert"}


def test_a_silence_that_somebody_ended_is_replayed_as_it_was_planned(engine: Engine) -> None:
    rule = a_rule(policy={"repeat_seconds": 600})
    a_silence(engine, 4, 60, rule="aapl-*")
    live(engine, rule, a_run(5), [fired()])
    [silence] = rows(engine, "silence")
    expire(engine, [silence["id"]], by="ada", now=at(7))
    reconciled(engine, rule, range(6, 10))
    live(engine, rule, a_run(10), [quiet()])
    live(engine, rule, a_run(15), [fired()])
    [line] = again(engine, rule)
    assert line.mismatches == 0, line.examples
    assert [(n.at, n.suppressed) for n in line.notifications] == [
        (at(5), "silenced by ada until 2026-11-02 10:00 UTC: maintenance"),
        (at(7), None),
        (at(15), None),
    ]


def test_of_two_series_that_inhibit_the_one_named_live_is_named_again(engine: Engine) -> None:
    host, rule = a_rule("host-down", inhibits=[{"rule": "aapl-*", "same_ticker": False}]), a_rule()
    sync(engine, [host, rule], at(0))
    live(engine, host, a_run(0), [fired("Z"), quiet("B")])
    live(engine, host, a_run(3), [fired("Z"), fired("B")])
    live(engine, rule, a_run(5), [fired()])
    [line] = again(engine, rule)
    assert line.mismatches == 0, line.examples
    assert [n.suppressed for n in line.notifications] == ["inhibited: host-down fires on B"]


def test_a_rule_inhibits_from_when_its_run_was_recorded_and_no_earlier(engine: Engine) -> None:
    host, rule = a_rule("host-down", inhibits=["aapl-*"]), a_rule()
    sync(engine, [host, rule], at(0))
    live(engine, rule, a_run(5, ended=5.1), [fired()])
    live(engine, host, a_run(4, ended=6), [fired()])  # due before, recorded after
    live(engine, rule, a_run(10), [quiet()])
    live(engine, rule, a_run(11, ended=11.1), [fired()])
    live(engine, host, a_run(10.5, ended=12), [quiet()])  # ended before, known after
    [line] = again(engine, rule, until=12)
    assert line.mismatches == 0, line.examples
    assert [(n.at, n.suppressed) for n in line.notifications] == [
        (at(5), None),
        (at(11), "inhibited: host-down fires on AAPL"),
    ]


def test_what_another_rule_did_is_not_replayed(engine: Engine) -> None:
    rule, other = a_rule(), a_rule("other")
    live(engine, other, a_run(0), [fired()])
    live(engine, rule, a_run(1), [quiet()])
    [line] = again(engine, rule)
    assert (line.evaluations, line.events) == (1, [])


def test_evaluations_from_before_what_was_reported_was_kept_are_counted_as_such(
    engine: Engine,
) -> None:
    rule = a_rule()
    for minute in range(0, 30, 5):
        live(engine, rule, a_run(minute), [fired() if minute == 10 else quiet()])
    with writing(engine) as connection:  # as rows are that an older version wrote
        connection.execute(
            update(EVALUATION)
            .where(EVALUATION.c.at < at(20))
            .values(reported=None, said=None, recorded_at=None)
        )
    [row] = rules_named(engine, rule.name)
    with reading(engine) as connection:
        over = span(connection, row["id"], at(5), at(100), look_back=timedelta(0), states=1)
    assert (over.first, over.since, over.until, over.older) == (at(0), at(5), at(100), 3)
    conditions = [{"metric": "value", "op": "gt", "value": 1000}]
    before, after = again(engine, rule, settings_of(conditions=conditions))
    assert before.mismatches == 0, before.examples
    assert [e.opened_at for e in after.events if e.kind == "alert"] == [at(10)]


def test_a_decision_that_the_record_does_not_have_is_counted_and_shown(engine: Engine) -> None:
    rule = a_rule()
    for minute in (0, 5, 10):
        live(engine, rule, a_run(minute), [fired()])
    with writing(engine) as connection:
        connection.execute(
            update(EVALUATION)
            .where(EVALUATION.c.at == at(5))
            .values(decision="quiet", decision_code="cooldown", decision_reason="suppressed")
        )
    [line] = again(engine, rule)
    assert line.mismatches == 1
    [example] = line.examples
    assert (example.at, example.recorded) == (at(5), "quiet: suppressed")
    assert example.decided == "continue: continued: still firing"


def test_the_time_replayed_ends_where_it_is_said_to(engine: Engine) -> None:
    rule = a_rule()
    for minute in range(0, 30, 5):
        live(engine, rule, a_run(minute), [quiet()])
    [line] = again(engine, rule, since=5, until=20)
    assert line.evaluations == 3


def test_more_runs_than_are_fetched_at_once_come_whole_and_in_order(engine: Engine) -> None:
    rule = a_rule()
    tickers = [f"T{number:03}" for number in range(900)]
    for minute in range(0, 25, 5):
        live(engine, rule, a_run(minute), [quiet(ticker) for ticker in tickers])
    [row] = rules_named(engine, rule.name)
    whole = Span(at(0), at(0), at(100), 0)
    with reading(engine) as connection:
        found = list(runs(connection, row["id"], whole))
    assert [len(run) for run in found] == [900] * 5
    assert [run[0].at for run in found] == [at(minute) for minute in range(0, 25, 5)]
    assert all(isinstance(run[0].recorded_at, datetime) for run in found)


def test_runs_come_as_they_were_recorded_by_a_clock_behind_and_long_after_they_were_due(
    engine: Engine,
) -> None:
    rule = a_rule()
    for minute, ended in ((0, 1), (5, 21), (7, 7), (15, 16), (20, 22)):
        live(engine, rule, a_run(minute, ended=ended), [quiet("A"), quiet("B")])
    [row] = rules_named(engine, rule.name)
    with writing(engine) as connection:
        fast = update(EVALUATION).where(EVALUATION.c.at == at(7)).values(at=at(10))
        older = update(EVALUATION).where(EVALUATION.c.at == at(15)).values(recorded_at=None)
        for statement in (fast, older):  # a server's clock is ahead; only the run's end is known
            connection.execute(statement)
    with reading(engine) as connection:
        over = span(connection, row["id"], at(0), at(100), look_back=timedelta(0), states=1)
        found = list(runs(connection, row["id"], over))
    assert [(run[0].at, len(run)) for run in found] == [
        (at(minute), 2) for minute in (0, 10, 15, 5, 20)
    ]
    assert over.earliest_by <= timedelta(minutes=-3) <= over.earliest_by + timedelta(seconds=2)
    assert over.latest_by is not None
    assert over.latest_by - timedelta(seconds=2) <= timedelta(minutes=16) <= over.latest_by
