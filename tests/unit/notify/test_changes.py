"""Steps in the life of events, read back from the record: by a recording, or since a moment."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.model.alert import Importance
from sentinel_core.model.run import Rule, Run
from sentinel_core.notify import changes as steps
from sentinel_core.notify.change import EventChange
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.tables import STORM
from sentinel_core.store.outbox.settle import settle
from sentinel_core.store.record.acknowledge import acknowledge, unacknowledge
from sentinel_core.store.record.annotate import assign, comment
from sentinel_core.store.record.recording import record
from sentinel_core.store.record.resolve import resolve
from sentinel_core.store.state.audit import add_audit
from tests.support.runs import NOW, a_rule, a_run, at, fired, quiet, told

RULE = a_rule(notify={"high": ["slack-incoming-webhook/x", "slack-incoming-webhook/y"]})
AGES = timedelta(days=365)


def names(found: list[EventChange]) -> list[str]:
    return [step.name for step in found]


def done(
    engine: Engine, run: Run, outputs: Any = None, now: datetime = NOW, rule: Rule = RULE
) -> list[EventChange]:
    """The steps of one recording, as whoever recorded it sees them."""
    return steps.of_recording(engine, run.id, told(engine, rule, run, outputs, now=now), now)


def everything(engine: Engine) -> list[EventChange]:
    return steps.since(engine, at(0) - AGES, at(0) + AGES, at(0) + AGES)


def silent(engine: Engine, minute: float, breached: bool) -> list[EventChange]:
    """A rule's silence, which no run evaluates; the steps of its recording."""
    seen = Observation(
        Kind.SILENT, "", at(minute), breached, Importance.HIGH, "silent", evaluated=False
    )
    recorded = record(engine, RULE, None, [seen], now=at(minute))
    return steps.of_recording(engine, None, recorded, at(minute))


def test_a_run_that_finds_nothing_has_no_step(engine: Engine) -> None:
    assert done(engine, a_run(), [quiet()]) == []
    assert everything(engine) == []


def test_opening_and_ending_are_steps_of_the_event_and_of_the_run(engine: Engine) -> None:
    first, second = a_run(0), a_run(5)
    [opened] = done(engine, first, [fired()], at(0.1))
    [ended] = done(engine, second, [quiet()], at(5.1))
    assert (opened.name, opened.flow_run_id) == ("event.opened", first.id)
    assert (ended.name, ended.flow_run_id) == ("event.resolved", second.id)
    assert opened.event["ticker"] == ended.event["ticker"] == "AAPL"
    assert opened.deployment_id == RULE.deployment_id


def test_the_record_knows_the_same_steps_with_the_same_ids(engine: Engine) -> None:
    told_of = [
        *done(engine, a_run(0), [fired(importance="high"), fired("B", importance="low")], at(0.1)),
        *done(engine, a_run(5), [fired(importance="critical"), fired("B")], at(5.1)),
        *done(engine, a_run(10, "FAILED"), None, at(10.1)),
        *done(engine, a_run(15), [quiet(), quiet("B")], at(15.1)),
    ]
    found = everything(engine)
    assert {step.id for step in found} == {step.id for step in told_of}
    assert len({step.id for step in told_of}) == len(told_of)


def test_a_failure_that_is_over_is_found_although_no_evaluation_says_so(engine: Engine) -> None:
    done(engine, a_run(0, "FAILED"), None, at(0.1))
    [ended] = done(engine, a_run(5), [quiet()], at(5.1))
    assert (ended.name, ended.event["kind"]) == ("event.resolved", "failure")
    assert ended.id in {step.id for step in everything(engine)}


def test_a_rule_that_is_silent_and_runs_again_is_found(engine: Engine) -> None:
    silent(engine, 10, breached=True)
    silent(engine, 11, breached=True)
    assert names(everything(engine)) == ["event.opened"]
    silent(engine, 12, breached=False)
    # What it was is over: that it had begun, its series does not say any more.
    assert names(everything(engine)) == ["event.resolved"]


def test_raised_importance_is_a_step_for_each_importance(engine: Engine) -> None:
    levels = ("low", "medium", "critical", "critical")
    found = [
        step
        for n, level in enumerate(levels)
        for step in done(engine, a_run(n), [fired(importance=level)], at(n + 0.1))
    ]
    assert names(found) == ["event.opened", "event.escalated", "event.escalated"]
    assert len({step.id for step in found}) == 3
    assert {step.id for step in everything(engine)} == {step.id for step in found}


def test_flapping_begins_once(engine: Engine) -> None:
    rule = a_rule(policy={"flapping": {"start_percent": 20, "stop_percent": 10}})
    found = [
        step
        for n in range(24)
        for step in done(engine, a_run(n), [fired() if n % 2 else quiet()], at(n + 0.1), rule=rule)
    ]
    assert names(found).count("event.flapping") == 1
    assert names(everything(engine)).count("event.flapping") == 1


def test_a_reminder_is_one_step_however_many_channels_it_goes_to(engine: Engine) -> None:
    rule = a_rule(
        notify={"high": ["slack-incoming-webhook/x", "slack-incoming-webhook/y"]},
        policy={"repeat_seconds": 300},
    )
    done(engine, a_run(0), [fired()], at(0.1), rule=rule)
    [reminded] = done(engine, a_run(10), [fired()], at(10.1), rule=rule)
    assert reminded.name == "event.reminded"
    assert reminded.id in {step.id for step in everything(engine)}


def test_what_people_do_is_a_step_each_time_with_who_did_it(engine: Engine) -> None:
    done(engine, a_run(0), [fired()], at(0))
    acknowledge(engine, [1], by="ann", comment="mine", now=at(1))
    unacknowledge(engine, [1], by="ann", now=at(2))
    acknowledge(engine, [1], by="bob", now=at(3))
    comment(engine, [1], by="bob", comment="looking", now=at(4))
    assign(engine, [1], by="bob", to="cy", now=at(5))
    resolve(engine, [1], by="cy", now=at(6))
    found = everything(engine)
    assert names(found) == [
        "event.opened",
        "event.acknowledged",
        "event.unacknowledged",
        "event.acknowledged",
        "event.commented",
        "event.assigned",
        "event.resolved",
    ]
    assert len({step.id for step in found}) == 7
    assert found[1].detail == {"by": "ann", "comment": "mine"}
    assert found[5].detail == {"by": "bob", "to": "cy"}
    assert found[6].detail == {"by": "cy"}


def test_a_message_that_failed_for_good_is_a_step(engine: Engine) -> None:
    keys = told(engine, RULE, a_run(), [fired()], now=at(0)).notifications
    settle(engine, keys[0], status="failed", error="404", now=at(1))
    [failed] = [step for step in everything(engine) if step.name.endswith("failed")]
    assert (failed.at, failed.event["ticker"]) == (at(1), "AAPL")
    assert failed.detail == {
        "channel": "slack-incoming-webhook/x",
        "reason": "opened",
        "error": "404",
    }


def test_what_was_recorded_before_or_after_is_left_out(engine: Engine) -> None:
    for n in range(40):
        done(engine, a_run(n), [fired(f"T{n}")], at(n))
    acknowledge(engine, [1, 2], by="ann", now=at(50))
    found = steps.since(engine, at(10), at(60), at(20))
    opened = [step.event["ticker"] for step in found if step.name == "event.opened"]
    assert opened == [f"T{n}" for n in range(11, 21)]
    assert names(found)[-2:] == ["event.acknowledged"] * 2
    assert names(steps.since(engine, at(50), at(60), at(60))) == []


@pytest.mark.parametrize("count", [0, 1, 2, 63, 64, 65])
def test_the_first_row_after_a_moment_is_found_however_many_there_are(
    engine: Engine, count: int
) -> None:
    if count:
        outputs = [fired(f"T{n:02}") for n in range(count)]
        told(engine, RULE, a_run(0), outputs, now=at(0))
    for n in range(count):
        acknowledge(engine, [n + 1], by="ann", now=at(n + 1))
    for first in range(0, count + 1, 7):
        found = steps.since(engine, at(first), at(1_000), at(-1))
        assert len(found) == count - first


def test_a_message_about_no_event_that_failed_for_good_is_a_step_of_its_channel(
    engine: Engine,
) -> None:
    [key, _] = told(engine, RULE, a_run(), [fired()], now=at(0)).notifications
    settle(engine, [key], status="failed", error="404", now=at(1))
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE notification SET event_id = NULL")
    [failed] = [step for step in everything(engine) if step.name.endswith("failed")]
    assert (failed.at, failed.event) == (at(1), {})
    assert failed.subject == ("channel.slack-incoming-webhook/x", "slack-incoming-webhook/x")
    assert failed.detail["error"] == "404"


def test_a_storm_begins_and_ends_each_once_in_the_period_it_did(engine: Engine) -> None:
    channel = "slack-incoming-webhook/x"
    storm = {"channel": channel, "recipient": "#a", "threshold": 50, "window_seconds": 60.0}
    with writing(engine) as connection:
        connection.execute(STORM.insert().values(**storm, started_at=at(1), ended_at=at(9)))
        connection.execute(STORM.insert().values(**storm, started_at=at(10)))
    found = everything(engine)
    assert [(step.name, step.at) for step in found] == [
        ("storm.started", at(1)),
        ("storm.ended", at(9)),
        ("storm.started", at(10)),
    ]
    assert [step.subject for step in found] == [
        ("storm.1", channel),
        ("storm.1", channel),
        ("storm.2", channel),
    ]
    assert found[0].detail == {"channel": channel, "threshold": 50, "window_seconds": 60.0}
    assert len({step.id for step in found}) == 3
    assert names(steps.since(engine, at(1), at(9), at(9))) == ["storm.ended"]
    assert names(steps.since(engine, at(9), at(10), at(10))) == ["storm.started"]


def test_a_storm_of_a_new_store_is_another_one(engine: Engine) -> None:
    storm = {"channel": "x/y", "threshold": 50, "window_seconds": 60.0}
    ids = set()
    for minute in (1, 2):
        with writing(engine) as connection:
            connection.execute(STORM.delete())
            connection.execute(STORM.insert().values(id=1, **storm, started_at=at(minute)))
        ids.add(everything(engine)[0].id)
    assert len(ids) == 2


def test_a_reminder_of_before_is_no_step_of_a_period(engine: Engine) -> None:
    rule = a_rule(policy={"repeat_seconds": 300})
    done(engine, a_run(0), [fired()], at(0.1), rule=rule)
    done(engine, a_run(10), [fired()], at(10.1), rule=rule)
    found = done(engine, a_run(20), [fired()], at(20.1), rule=rule)
    assert [(step.name, step.at) for step in found] == [("event.reminded", at(20.1))]
    assert names(steps.since(engine, at(15), at(30), at(30))) == ["event.reminded"]
    assert names(steps.since(engine, at(21), at(30), at(30))) == []


def test_what_an_audit_says_besides_is_no_step(engine: Engine) -> None:
    done(engine, a_run(0), [fired()], at(0))
    with writing(engine) as connection:
        add_audit(connection, "ann", "approved", at(1), {}, [1])
        add_audit(connection, "ann", "view-saved", at(1), {})
    assert names(everything(engine)) == ["event.opened"]


def test_what_no_run_evaluated_is_known_when_it_was_recorded(engine: Engine) -> None:
    [opened] = silent(engine, 10, breached=True)
    assert (opened.name, opened.at) == ("event.opened", at(10))
    [found] = everything(engine)
    assert (found.id, found.at) == (opened.id, at(10))
    [ended] = silent(engine, 12, breached=False)
    assert (ended.name, ended.at) == ("event.resolved", at(12))
    [found] = everything(engine)
    assert (found.id, found.at) == (ended.id, at(12))
    assert steps.since(engine, at(12), at(20), at(20)) == []


def test_an_evaluation_of_another_ticker_does_not_hide_an_end_without_one(engine: Engine) -> None:
    silent(engine, 10, breached=True)
    silent(engine, 12, breached=False)
    seen = Observation(Kind.SILENT, "B", at(12), False, Importance.HIGH, "runs")
    record(engine, RULE, a_run(12), [seen], now=at(12))
    assert names(everything(engine)) == ["event.resolved"]
