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
from sentinel_core.store.outbox.settle import settle
from sentinel_core.store.record.acknowledge import acknowledge, unacknowledge
from sentinel_core.store.record.annotate import assign, comment
from sentinel_core.store.record.recording import record
from sentinel_core.store.record.resolve import resolve
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
    def silent(minute: float, breached: bool) -> None:
        seen = Observation(
            Kind.SILENT, "", at(minute), breached, Importance.HIGH, "silent", evaluated=False
        )
        record(engine, RULE, None, [seen], now=at(minute))

    silent(10, breached=True)
    silent(11, breached=True)
    assert names(everything(engine)) == ["event.opened"]
    silent(12, breached=False)
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
