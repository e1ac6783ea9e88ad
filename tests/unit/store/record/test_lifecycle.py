"""The lifecycle as recorded: what is held back and why, what is told later, what ends what."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, update

from sentinel_core.model.alert import AlertOutput, dump_outputs
from sentinel_core.model.run import Rule
from sentinel_core.model.silence import Matchers, Silence
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.tables import SILENCE
from sentinel_core.store.read import silences as stored_silences
from sentinel_core.store.record import silences
from sentinel_core.store.record.acknowledge import acknowledge, unacknowledge
from sentinel_core.store.record.recording import Recorded, end_due_snoozes, notify_unmuted
from sentinel_core.store.state.rules import deactivate_missing
from tests.support.runs import a_rule, a_run, at, fired, quiet, rows, snapshot, told
from tests.support.swarm import killed_at_statement

CHANNEL = "slack-incoming-webhook/ops"
ONE_CHANNEL = {"high": [CHANNEL], "critical": [CHANNEL]}
RULE = a_rule(notify=ONE_CHANNEL)


def measured(engine: Engine, rule: Rule, minute: float, *outputs: AlertOutput) -> Recorded:
    """A run that was recorded when it ended."""
    return told(engine, rule, a_run(minute), outputs, now=at(minute) + timedelta(seconds=3))


def failing(ticker: str, problem: str) -> AlertOutput:
    """A series of a run that could not be judged."""
    return AlertOutput(triggered=False, ticker=ticker, problem=problem, timestamp=at(0))


def only(engine: Engine, table: str, **where: Any) -> dict[str, Any]:
    """The one row there is."""
    [row] = rows(engine, table, **where)
    return row


def messages(engine: Engine) -> list[tuple[str, str, str | None]]:
    """Reason, status and why, oldest first."""
    return [(n["reason"], n["status"], n["last_error"]) for n in rows(engine, "notification")]


def a_silence(
    engine: Engine, start: float, end: float, rule: str = "*", **matchers: Any
) -> Silence:
    """Made at nine."""
    return silences.create(
        engine,
        Silence(
            matchers=Matchers(rule=rule, **matchers),
            starts_at=at(start),
            ends_at=at(end),
            author="ana",
            comment="new disks",
        ),
        now=at(0) - timedelta(minutes=1),
    )


SILENCED = "silenced by ana until 2026-11-02 09:30 UTC: new disks"


# -- silences ------------------------------------------------------------------------------


def test_what_is_silenced_is_recorded_and_the_message_says_why_it_is_not_sent(
    engine: Engine,
) -> None:
    a_silence(engine, 0, 30)
    result = measured(engine, RULE, 5, fired())
    assert (len(result.opened), result.notifications) == (1, [])
    assert only(engine, "alert_event")["suppressed"] == SILENCED
    assert messages(engine) == [("opened", "suppressed", SILENCED)]
    assert only(engine, "alert_series")["untold"] == "opened"
    assert SILENCED in only(engine, "evaluation")["decision_reason"]


def test_what_was_silenced_is_told_by_the_next_run_after_the_silence(engine: Engine) -> None:
    a_silence(engine, 0, 30)
    measured(engine, RULE, 5, fired())
    assert measured(engine, RULE, 10, fired()).notifications == []
    assert len(rows(engine, "notification")) == 1, "held back once, written down once"
    later = measured(engine, RULE, 30, fired())
    assert len(later.notifications) == 1
    assert messages(engine)[1:] == [("opened", "pending", None)]
    assert only(engine, "alert_event")["suppressed"] is None
    assert only(engine, "alert_series")["untold"] is None
    assert measured(engine, RULE, 35, fired()).notifications == []


def test_what_was_silenced_is_told_without_a_run_once_the_silence_is_over(engine: Engine) -> None:
    a_silence(engine, 0, 30)
    measured(engine, RULE, 5, fired())
    rules = {RULE.deployment_id: RULE}
    assert notify_unmuted(engine, rules, at(29)) == []
    [owed] = notify_unmuted(engine, rules, at(31))
    assert only(engine, "notification", status="pending")["id"] == owed
    assert only(engine, "alert_event")["suppressed"] is None
    assert notify_unmuted(engine, rules, at(32)) == []
    assert measured(engine, RULE, 35, fired()).notifications == []


def test_what_recovers_while_it_is_silenced_is_never_told(engine: Engine) -> None:
    loud = a_rule(notify=ONE_CHANNEL, policy={"notify_resolved": True})
    a_silence(engine, 0, 30)
    measured(engine, loud, 5, fired())
    measured(engine, loud, 10, quiet())
    assert notify_unmuted(engine, {loud.deployment_id: loud}, at(40)) == []
    assert Counter(n["status"] for n in rows(engine, "notification")) == {"suppressed": 1}
    assert only(engine, "alert_event")["suppressed"] == SILENCED


def test_a_silence_that_starts_while_it_fires_holds_back_reminders_only(engine: Engine) -> None:
    rule = a_rule(notify=ONE_CHANNEL, policy={"repeat_seconds": 300})
    a_silence(engine, 3, 30)
    assert len(measured(engine, rule, 0, fired()).notifications) == 1
    assert measured(engine, rule, 5, fired()).notifications == []
    assert [status for _, status, _ in messages(engine)] == ["pending", "suppressed"]
    assert len(measured(engine, rule, 31, fired()).notifications) == 1


def test_a_rule_whose_deployment_is_gone_is_not_released(engine: Engine) -> None:
    a_silence(engine, 0, 30)
    measured(engine, RULE, 5, fired())
    assert notify_unmuted(engine, {}, at(40)) == []


def test_a_silence_nobody_can_read_any_more_mutes_nobody(engine: Engine) -> None:
    made = a_silence(engine, 0, 30)
    with writing(engine) as connection:
        broken = {"timezone": "Atlantis/Capital"}
        connection.execute(update(SILENCE).where(SILENCE.c.id == made.id).values(recurrence=broken))
    assert len(measured(engine, RULE, 5, fired()).notifications) == 1
    assert stored_silences.all_silences(engine, now=at(5)) == []


def test_of_two_reasons_that_mute_one_after_the_other_the_present_one_is_shown(
    engine: Engine,
) -> None:
    a_silence(engine, 0, 10)
    a_silence(engine, 8, 30)
    measured(engine, RULE, 5, fired())
    assert notify_unmuted(engine, {RULE.deployment_id: RULE}, at(12)) == []
    assert only(engine, "alert_event")["suppressed"] == SILENCED


# -- acknowledged --------------------------------------------------------------------------


def test_what_somebody_acknowledged_is_not_told_late(engine: Engine) -> None:
    a_silence(engine, 0, 30)
    [key] = measured(engine, RULE, 5, fired()).opened
    acknowledge(engine, [key], by="bo", now=at(6))
    assert notify_unmuted(engine, {RULE.deployment_id: RULE}, at(31)) == []
    assert measured(engine, RULE, 35, fired()).notifications == []
    assert notify_unmuted(engine, {RULE.deployment_id: RULE}, at(36)) == []


def test_what_is_told_when_an_acknowledgements_time_is_up_is_told_once(engine: Engine) -> None:
    a_silence(engine, 0, 30)
    [key] = measured(engine, RULE, 5, fired()).opened
    acknowledge(engine, [key], by="bo", until=at(20), now=at(6))
    assert len(notify_unmuted(engine, {RULE.deployment_id: RULE}, at(31))) == 1
    assert only(engine, "alert_event")["is_acknowledged"] is False
    assert measured(engine, RULE, 35, fired()).notifications == []


@pytest.mark.parametrize("run_between", [False, True])
def test_what_nobody_was_told_of_is_told_once_its_acknowledgement_is_taken_back(
    engine: Engine, run_between: bool
) -> None:
    a_silence(engine, 0, 30)
    [key] = measured(engine, RULE, 5, fired()).opened
    acknowledge(engine, [key], by="bo", now=at(6))
    if run_between:
        measured(engine, RULE, 10, fired())
    unacknowledge(engine, [key], by="bo", now=at(20))
    assert len(notify_unmuted(engine, {RULE.deployment_id: RULE}, at(31))) == 1


def test_taking_an_acknowledgement_back_brings_the_reminders_back(engine: Engine) -> None:
    rule = a_rule(notify=ONE_CHANNEL, policy={"repeat_seconds": 300})
    [key] = measured(engine, rule, 0, fired()).opened
    acknowledge(engine, [key], by="bo", now=at(1))
    assert measured(engine, rule, 10, fired()).notifications == []
    unacknowledge(engine, [key], by="bo", now=at(11))
    assert len(measured(engine, rule, 15, fired()).notifications) == 1
    assert [reason for reason, _, _ in messages(engine)] == ["opened", "reminder"]


def test_an_acknowledgement_until_a_time_ends_then_and_people_are_told(engine: Engine) -> None:
    [key] = measured(engine, RULE, 0, fired()).opened
    acknowledge(engine, [key], by="bo", until=at(12), now=at(1))
    assert measured(engine, RULE, 10, fired()).notifications == []
    assert only(engine, "alert_event")["is_acknowledged"]
    assert len(measured(engine, RULE, 15, fired()).notifications) == 1
    event = only(engine, "alert_event")
    assert (event["is_acknowledged"], event["acknowledged_until"]) == (False, None)
    assert messages(engine)[-1][0] == "acknowledgement-ended"


def test_an_acknowledgement_until_a_value_ends_when_it_is_crossed_and_people_are_told_once(
    engine: Engine,
) -> None:
    [key] = measured(engine, RULE, 0, fired()).opened
    acknowledge(engine, [key], by="bo", above=160, now=at(1))
    assert measured(engine, RULE, 5, fired(metrics={"value": 160.0})).notifications == []
    assert only(engine, "alert_event")["acknowledged_above"] == 160
    assert len(measured(engine, RULE, 10, fired(metrics={"value": 161.5})).notifications) == 1
    assert measured(engine, RULE, 15, fired(metrics={"value": 170.0})).notifications == []
    event = only(engine, "alert_event")
    assert (event["is_acknowledged"], event["acknowledged_above"]) == (False, None)
    assert [reason for reason, _, _ in messages(engine)] == ["opened", "value-crossed"]
    evaluation = only(engine, "evaluation", at=at(10))
    assert evaluation["decision_code"] == "value-crossed"
    assert evaluation["decision_reason"].endswith(
        "no longer acknowledged: the value 161.5 is above 160"
    )
    assert stories(engine) == [("value-crossed", "the value 161.5 is above 160")]


def stories(engine: Engine) -> list[tuple[str, str]]:
    """The audit's entries of acknowledgements that ended by themselves."""
    found = rows(engine, "audit_entry", action="acknowledgement-ended", actor="sentinel")
    return [(row["detail"]["reason"], row["detail"]["sentence"]) for row in found]


TIME_OVER = ("acknowledgement-ended", "the time of the acknowledgement is over")


def test_an_acknowledgement_ends_at_its_time_though_its_rule_no_longer_runs(
    engine: Engine,
) -> None:
    [key] = measured(engine, RULE, 0, fired()).opened
    acknowledge(engine, [key], by="bo", until=at(12), now=at(1))
    known = {RULE.deployment_id: RULE}
    assert end_due_snoozes(engine, known, at(11)) == []
    assert end_due_snoozes(engine, {}, at(12)) == []
    assert len(end_due_snoozes(engine, known, at(12))) == 1
    event = only(engine, "alert_event")
    assert (event["is_acknowledged"], event["acknowledged_until"]) == (False, None)
    assert end_due_snoozes(engine, known, at(13)) == []
    assert measured(engine, RULE, 15, fired()).notifications == []
    assert [reason for reason, _, _ in messages(engine)] == ["opened", "acknowledgement-ended"]
    assert stories(engine) == [TIME_OVER]


def test_what_a_run_has_ended_is_not_ended_once_more(engine: Engine) -> None:
    [key] = measured(engine, RULE, 0, fired()).opened
    acknowledge(engine, [key], by="bo", until=at(12), now=at(1))
    assert len(measured(engine, RULE, 15, fired()).notifications) == 1
    assert end_due_snoozes(engine, {RULE.deployment_id: RULE}, at(16)) == []
    assert stories(engine) == [TIME_OVER]


def test_run_and_reconcile_at_once_end_an_acknowledgement_once(engine: Engine) -> None:
    known = {RULE.deployment_id: RULE}
    [key] = measured(engine, RULE, 0, fired()).opened
    acknowledge(engine, [key], by="bo", until=at(12), now=at(1))
    with ThreadPoolExecutor(4) as pool:
        ends = [pool.submit(end_due_snoozes, engine, known, at(16)) for _ in range(3)]
        ran = pool.submit(measured, engine, RULE, 15, fired())
        told_by = [len(ran.result().notifications), *(len(end.result()) for end in ends)]
    assert sum(told_by) == 1
    assert stories(engine) == [TIME_OVER]
    assert [reason for reason, _, _ in messages(engine)] == ["opened", "acknowledgement-ended"]


def test_an_acknowledgement_of_what_has_ended_stays(engine: Engine) -> None:
    [key] = measured(engine, RULE, 0, fired()).opened
    acknowledge(engine, [key], by="bo", until=at(12), now=at(1))
    measured(engine, RULE, 5, quiet())
    assert end_due_snoozes(engine, {RULE.deployment_id: RULE}, at(13)) == []
    assert only(engine, "alert_event")["is_acknowledged"]


def test_only_the_ticker_asked_for_is_ended(engine: Engine) -> None:
    opened = measured(engine, RULE, 0, fired("A"), fired("B")).opened
    acknowledge(engine, opened, by="bo", until=at(12), now=at(1))
    end_due_snoozes(engine, {RULE.deployment_id: RULE}, at(13), ticker="B")
    held = [(row["ticker"], row["is_acknowledged"]) for row in rows(engine, "alert_event")]
    assert held == [("A", True), ("B", False)]


def test_an_acknowledgement_that_ends_while_muted_is_told_after_it(engine: Engine) -> None:
    known = {RULE.deployment_id: RULE}
    [key] = measured(engine, RULE, 0, fired()).opened
    acknowledge(engine, [key], by="bo", until=at(12), now=at(1))
    a_silence(engine, 10, 30)
    end_due_snoozes(engine, known, at(12))
    event = only(engine, "alert_event")
    assert (event["is_acknowledged"], event["suppressed_code"]) == (False, "silenced")
    assert messages(engine)[-1][:2] == ("acknowledgement-ended", "suppressed")
    assert len(notify_unmuted(engine, known, at(31))) == 1
    assert messages(engine)[-1][:2] == ("acknowledgement-ended", "pending")


def test_a_late_run_that_matters_more_leaves_a_sticky_acknowledgement_alone(
    engine: Engine,
) -> None:
    rule = a_rule(notify=ONE_CHANNEL, policy={"sticky_acknowledgement": True})
    [key] = measured(engine, rule, 5, fired()).opened
    acknowledge(engine, [key], by="bo", now=at(6))
    late = told(engine, rule, a_run(0), [fired(importance="critical")], now=at(7))
    event = only(engine, "alert_event")
    assert (event["importance"], event["acknowledged_by"]) == ("critical", "bo")
    assert late.notifications == []


# -- the rate limit ------------------------------------------------------------------------


def test_the_rate_limit_counts_what_one_run_opens(engine: Engine) -> None:
    rule = a_rule(notify=ONE_CHANNEL, policy={"max_notifications_per_hour": 2})
    result = measured(engine, rule, 0, *(fired(f"T{n}") for n in range(5)))
    assert (len(result.opened), len(result.notifications)) == (5, 2)
    why = {n["last_error"] for n in rows(engine, "notification", status="suppressed")}
    assert why == {"rate limit: 2 in an hour, the next one from 10:00 UTC"}
    assert only(engine, "alert_rule")["told"] == [at(0).isoformat()] * 2


def test_the_rest_waits_for_its_turn(engine: Engine) -> None:
    rule = a_rule(notify=ONE_CHANNEL, policy={"max_notifications_per_hour": 2})
    outputs = [fired(f"T{n}") for n in range(5)]
    measured(engine, rule, 0, *outputs)
    assert measured(engine, rule, 30, *outputs).notifications == []
    assert len(measured(engine, rule, 61, *outputs).notifications) == 2
    assert only(engine, "alert_rule")["told"] == [at(61).isoformat()] * 2
    rules = {rule.deployment_id: rule}
    assert notify_unmuted(engine, rules, at(100)) == []
    assert len(notify_unmuted(engine, rules, at(122))) == 1
    told_of = {n["event_id"] for n in rows(engine, "notification", status="pending")}
    assert told_of == {event["id"] for event in rows(engine, "alert_event")}


def test_the_rate_limit_is_each_rules_own(engine: Engine) -> None:
    one, two = (
        a_rule(name, notify=ONE_CHANNEL, policy={"max_notifications_per_hour": 1})
        for name in ("one", "two")
    )
    assert len(measured(engine, one, 0, fired()).notifications) == 1
    assert len(measured(engine, two, 0, fired()).notifications) == 1
    assert measured(engine, one, 1, fired("B")).notifications == []


# -- inhibition ----------------------------------------------------------------------------

SWITCH = a_rule("switch-down", notify=ONE_CHANNEL, inhibits=["disk-*"])
DISK = a_rule("disk-full", notify=ONE_CHANNEL)


def test_a_rule_that_fires_mutes_those_it_names_for_the_same_ticker(engine: Engine) -> None:
    measured(engine, SWITCH, 0, fired("host-1"))
    measured(engine, DISK, 1, fired("host-1"), fired("host-2"))
    muted = {e["ticker"]: e["suppressed"] for e in rows(engine, "alert_event", rule_name=DISK.name)}
    assert muted == {"host-1": "inhibited: switch-down fires on host-1", "host-2": None}


def test_a_rule_that_is_no_longer_deployed_mutes_nothing(engine: Engine) -> None:
    measured(engine, SWITCH, 0, fired("host-1"))
    measured(engine, DISK, 1, quiet("host-1"))
    assert deactivate_missing(engine, [DISK.deployment_id]) == [SWITCH.name]
    assert len(measured(engine, DISK, 2, fired("host-1")).notifications) == 1


def test_a_rule_may_mute_whatever_the_ticker(engine: Engine) -> None:
    anywhere = a_rule("switch-down", inhibits=[{"rule": "disk-full", "same_ticker": False}])
    measured(engine, anywhere, 0, fired("switch"))
    assert measured(engine, DISK, 1, fired("host-1")).notifications == []


def test_what_was_inhibited_is_told_when_the_other_rule_recovers(engine: Engine) -> None:
    measured(engine, SWITCH, 0, fired("host-1"))
    measured(engine, DISK, 1, fired("host-1"))
    rules = {rule.deployment_id: rule for rule in (SWITCH, DISK)}
    assert notify_unmuted(engine, rules, at(4)) == []
    measured(engine, SWITCH, 5, quiet("host-1"))
    assert len(notify_unmuted(engine, rules, at(6))) == 1


def test_two_rules_that_inhibit_each_other_are_not_both_mute(engine: Engine) -> None:
    policy = {"repeat_seconds": 60}
    one = a_rule("one", notify=ONE_CHANNEL, inhibits=["two"], policy=policy)
    two = a_rule("two", notify=ONE_CHANNEL, inhibits=["one"], policy=policy)
    assert len(measured(engine, one, 0, fired()).notifications) == 1
    for minute in range(1, 6):
        assert measured(engine, two, minute, fired()).notifications == []
        assert len(measured(engine, one, minute + 0.5, fired()).notifications) == 1
    measured(engine, one, 6, quiet())
    assert len(measured(engine, two, 7, fired()).notifications) == 1


def test_a_rule_that_is_silenced_still_mutes_what_it_inhibits(engine: Engine) -> None:
    a_silence(engine, 0, 30, rule="switch-down")
    measured(engine, SWITCH, 1, fired("host-1"))
    assert measured(engine, DISK, 2, fired("host-1")).notifications == []


# -- series that can't be judged -----------------------------------------------------------


@pytest.mark.parametrize("kind", ["error", "no_data"])
def test_one_series_that_could_not_be_judged_is_an_event_of_its_own_until_it_is(
    engine: Engine, kind: str
) -> None:
    measured(engine, RULE, 0, fired("A"), failing("B", kind))
    measured(engine, RULE, 5, fired("A"), failing("B", kind))
    event = only(engine, "alert_event", kind=kind)
    assert (event["ticker"], event["occurrences"], event["resolved_at"]) == ("B", 2, None)
    measured(engine, RULE, 10, fired("A"), quiet("B"))
    assert only(engine, "alert_event", kind=kind)["resolved_at"] == at(10)
    assert only(engine, "alert_event", kind="alert")["resolved_at"] is None
    assert len(rows(engine, "evaluation", ticker="B")) == 3


def test_a_series_in_error_keeps_its_alert_open(engine: Engine) -> None:
    measured(engine, RULE, 0, fired("A"))
    measured(engine, RULE, 5, failing("A", "error"))
    unresolved = rows(engine, "alert_event", resolved_at=None)
    assert {event["kind"] for event in unresolved} == {"alert", "error"}


def test_an_error_that_counts_as_ok_ends_the_alert(engine: Engine) -> None:
    rule = a_rule(policy={"on_error": "ok"})
    measured(engine, rule, 0, fired("A"), fired("B"))
    measured(engine, rule, 5, failing("A", "error"), fired("B"))
    ended = {e["ticker"]: e["resolved_at"] for e in rows(engine, "alert_event")}
    assert ended == {"A": at(5), "B": None}


def test_a_failed_run_that_counts_as_ok_makes_no_ticker_missing(engine: Engine) -> None:
    rule = a_rule(policy={"on_error": "ok", "on_missing": "event"})
    measured(engine, rule, 0, fired("A"), quiet("B"))
    told(engine, rule, a_run(5, "FAILED"), now=at(6))
    assert only(engine, "alert_event")["resolved_at"] == at(5)
    assert rows(engine, "alert_series", kind="no_data") == []


@pytest.mark.parametrize("meaning", ["event", "ok", "keep"])
def test_a_ticker_that_is_no_longer_reported_means_what_the_rule_says(
    engine: Engine, meaning: str
) -> None:
    rule = a_rule(policy={"on_missing": meaning})
    measured(engine, rule, 0, fired("A"), fired("B"), quiet("C"))
    measured(engine, rule, 5, fired("A"))
    measured(engine, rule, 10, fired("A"))
    kinds = {
        (e["kind"], e["ticker"]): e["occurrences"]
        for e in rows(engine, "alert_event", resolved_at=None)
    }
    known = {("alert", "A"): 3, ("alert", "B"): 1}
    if meaning == "event":
        assert kinds == {**known, ("no_data", "B"): 2, ("no_data", "C"): 2}
    elif meaning == "ok":
        assert kinds == {("alert", "A"): 3}
    else:
        assert kinds == known


def test_a_ticker_that_comes_back_ends_the_event_of_its_absence(engine: Engine) -> None:
    rule = a_rule(policy={"on_missing": "event"})
    measured(engine, rule, 0, quiet("A"), quiet("B"))
    measured(engine, rule, 5, quiet("A"))
    measured(engine, rule, 10, quiet("A"), quiet("B"))
    assert only(engine, "alert_event")["resolved_at"] == at(10)


# -- conditions ----------------------------------------------------------------------------

AVERAGE = {"metric": "cpu", "op": "gte", "value": 85, "aggregate": "avg", "over_seconds": 600}


def cpu(value: float, ticker: str = "A") -> AlertOutput:
    """A measurement the trigger itself has no opinion on."""
    return quiet(ticker, metrics={"cpu": value})


def test_a_run_that_is_recorded_once_more_is_one_measurement_of_its_window(engine: Engine) -> None:
    rule = a_rule(conditions=[{**AVERAGE, "aggregate": "count", "value": 3}])
    measured(engine, rule, 0, cpu(95))
    key = uuid4()
    for attempt in (1, 2):
        run = a_run(5, ended=5 + attempt, run_count=attempt, key=key)
        told(engine, rule, run, [cpu(95)], now=at(8))
    assert rows(engine, "alert_event") == []
    assert [row["retry_count"] for row in rows(engine, "evaluation")] == [0, 1]
    measured(engine, rule, 9, cpu(95))
    assert len(rows(engine, "alert_event")) == 1, "three runs have measured"


def test_a_condition_looks_at_what_was_recorded(engine: Engine) -> None:
    rule = a_rule(conditions=[AVERAGE])
    for minute, value in ((0, 60), (5, 95), (10, 95)):
        measured(engine, rule, minute, cpu(value))
    event = only(engine, "alert_event")
    assert event["timestamp"] == at(10)
    assert "avg(cpu) over 10 min 95 ≥ 85" in event["message"]
    evaluations = rows(engine, "evaluation")
    assert [row["triggered"] for row in evaluations] == [False, False, True]
    assert {row["reported"] for row in evaluations} == {False}
    assert only(engine, "alert_rule")["last_output"][0]["breached"], "as judged, not as reported"


def test_the_recorded_past_of_another_ticker_does_not_count(engine: Engine) -> None:
    rule = a_rule(conditions=[AVERAGE])
    measured(engine, rule, 0, cpu(100, "A"), cpu(0, "B"))
    measured(engine, rule, 5, cpu(90, "A"), cpu(90, "B"))
    assert {e["ticker"] for e in rows(engine, "alert_event")} == {"A"}


def test_a_metric_that_is_not_there_is_an_error_until_it_is(engine: Engine) -> None:
    rule = a_rule(conditions=[{"metric": "cpu", "op": "gte", "value": 85}])
    measured(engine, rule, 0, quiet("A", metrics={"cqu": 1}))
    event = only(engine, "alert_event")
    assert event["kind"] == "error"
    assert "'cpu'" in event["message"]
    measured(engine, rule, 5, cpu(1))
    assert only(engine, "alert_event")["resolved_at"] == at(5)


def test_hysteresis_holds_over_recorded_runs(engine: Engine) -> None:
    rule = a_rule(conditions=[{"metric": "cpu", "op": "gte", "value": 85, "clear": 80}])
    for minute, value in ((0, 84), (5, 86), (10, 82), (15, 79)):
        measured(engine, rule, minute, cpu(value))
    event = only(engine, "alert_event")
    assert (event["timestamp"], event["resolved_at"]) == (at(5), at(15))


@pytest.mark.slow("postgres")
def test_five_thousand_tickers_are_judged_over_their_own_windows(engine: Engine) -> None:
    rule = a_rule(conditions=[AVERAGE], notify={})
    for minute in (0, 4, 8):
        outputs = [cpu(80 + n % 10 if minute < 8 else 85, f"T{n}") for n in range(5_000)]
        measured(engine, rule, minute, *outputs)
    fires = {n % 10 for n in range(10) if (80 + n % 10) * 2 + 85 >= 85 * 3}
    last = rows(engine, "evaluation", at=at(8))
    assert len(last) == 5_000
    wrong = [
        row["ticker"]
        for row in last
        if row["triggered"] is not (int(row["ticker"][1:]) % 10 in fires)
    ]
    assert wrong == []


# -- skipped -------------------------------------------------------------------------------


def test_a_skipped_run_is_on_record_and_is_no_check(engine: Engine) -> None:
    measured(engine, RULE, 0, fired())
    skipped = a_run(5, name="Skipped", message="Not checked: the run started 40 min late.")
    assert told(engine, RULE, skipped, None, now=at(45)).evaluations == 1
    row = only(engine, "evaluation", kind="skipped")
    assert (row["decision_code"], row["triggered"], row["event_id"]) == ("skipped", False, None)
    assert "40 min late" in row["decision_reason"]
    rule = only(engine, "alert_rule")
    assert (rule["last_evaluated_at"], rule["last_prefect_state_name"]) == (at(0), "Skipped")
    event = only(engine, "alert_event")
    assert (event["resolved_at"], event["occurrences"]) == (None, 1)


def test_a_run_that_overlaps_another_is_on_record_with_its_code_and_is_no_check(
    engine: Engine,
) -> None:
    told(engine, RULE, a_run(0, "FAILED"), now=at(1))
    overlapping = replace(a_run(5, "CANCELLED", run_count=0), overlaps=True)
    told(engine, RULE, overlapping, None, now=at(6))
    row = only(engine, "evaluation", kind="skipped")
    assert (row["decision_code"], row["prefect_state"]) == ("skipped-under-way", "CANCELLED")
    assert only(engine, "alert_rule")["last_evaluated_at"] == at(0)
    event = only(engine, "alert_event")
    assert (event["kind"], event["resolved_at"], event["occurrences"]) == ("failure", None, 1)


def test_skipped_runs_told_in_any_order_are_skipped_runs(engine: Engine) -> None:
    for minute in (15, 5, 10):
        told(engine, RULE, a_run(minute, name="Skipped", message="Too late."), None, now=at(45))
    assert {row["decision_code"] for row in rows(engine, "evaluation")} == {"skipped"}
    assert only(engine, "alert_rule")["last_evaluated_at"] is None


def test_a_skipped_run_between_two_failures_is_no_check_that_worked(engine: Engine) -> None:
    rule = a_rule(policy={"errors": 2})
    told(engine, rule, a_run(0, "FAILED"), now=at(1))
    told(engine, rule, a_run(5, name="Skipped", message="Too late."), None, now=at(6))
    told(engine, rule, a_run(20), [quiet()], now=at(21))
    told(engine, rule, a_run(10, "FAILED"), now=at(22))
    event = only(engine, "alert_event")
    assert (event["kind"], event["timestamp"], event["resolution"]) == ("failure", at(10), "late")


# -- expiry --------------------------------------------------------------------------------


def test_an_event_that_no_run_confirms_ends_and_says_so(engine: Engine) -> None:
    rule = a_rule(policy={"expire_seconds": 600})
    measured(engine, rule, 0, fired("A"))
    measured(engine, rule, 5, quiet("B"))
    assert only(engine, "alert_event")["resolved_at"] is None
    measured(engine, rule, 10, quiet("B"))
    event = only(engine, "alert_event")
    assert (event["resolved_at"], event["resolution"]) == (at(10), "expired")


# -- all of it or nothing ------------------------------------------------------------------


@pytest.mark.slow("postgres")
def test_a_process_killed_at_any_statement_leaves_nothing_of_the_lifecycle_half_written(
    engine: Engine, database_url: str
) -> None:
    rule = a_rule(
        notify=ONE_CHANNEL,
        inhibits=["other"],
        policy={"max_notifications_per_hour": 3, "on_missing": "event", "notify_resolved": True},
        conditions=[{"metric": "cpu", "op": "gte", "value": 85}],
    )
    a_silence(engine, 0, 10_000, ticker="M*")
    before_it = [cpu(90, "A"), cpu(90, "B"), cpu(1, "C"), cpu(90, "M1")]
    measured(engine, rule, 0, *before_it)
    [held] = rows(engine, "alert_event", ticker="B")
    acknowledge(engine, [held["id"]], by="bo", until=at(2), now=at(1))
    before = snapshot(engine)
    run = a_run(5)
    outputs = [cpu(1, "A"), cpu(99, "B"), cpu(90, "M2"), quiet("D"), cpu(99, "E"), cpu(99, "F")]
    number = 1
    while killed_at_statement(number, database_url, rule, run, dump_outputs(outputs)):
        assert snapshot(engine) == before, f"killed at statement {number}"
        number += 1
    assert number > 10, "the recording has more statements than that"
    after = snapshot(engine)
    kinds = Counter((e["kind"], e["resolved_at"] is None) for e in after["alert_event"])
    assert kinds == {
        ("alert", False): 1,
        ("alert", True): 5,
        ("no_data", True): 2,
        ("error", True): 1,
    }
    assert not next(e for e in after["alert_event"] if e["ticker"] == "B")["is_acknowledged"]
    assert told(engine, rule, run, outputs).evaluations == 0
    assert snapshot(engine) == after
