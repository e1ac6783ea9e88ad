"""One run, recorded once, whoever tells of it and however often. Every test runs on both kinds."""

import uuid
from collections import Counter

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from sentinel_core.decide.lifecycle import Lifecycle
from sentinel_core.decide.observe import Kind, Observation, judge
from sentinel_core.decide.state import Decision, DecisionContext, Series
from sentinel_core.model.alert import dump_outputs
from sentinel_core.store.db.schema import ensure_schema
from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.record.recording import record
from tests.support.runs import NOW, a_rule, a_run, at, fired, quiet, rows, snapshot, told
from tests.support.swarm import at_once, killed_at_statement, make_schema_and_tell, own_engine, tell

RULE = a_rule()


def only(engine: Engine, table: str, **where: object) -> dict[str, object]:
    """The one row there is."""
    [row] = rows(engine, table, **where)
    return row


# -- I1: once is as good as often ----------------------------------------------------------


def test_recording_the_same_run_again_changes_nothing(engine: Engine) -> None:
    run = a_run(message="AAPL trades at 151.2", name="Triggered")
    first = told(engine, RULE, run, [fired()])
    once = snapshot(engine)
    again = told(engine, RULE, run, [fired()])
    assert (first.evaluations, len(first.opened), len(first.notifications)) == (1, 1, 1)
    assert (again.evaluations, again.opened, again.resolved, again.notifications) == (0, [], [], [])
    assert snapshot(engine) == once


def test_a_run_recorded_by_eight_processes_at_once_gives_the_rows_of_one(
    engine: Engine, database_url: str
) -> None:
    outputs = dump_outputs([fired()])
    written = at_once(tell, [(database_url, RULE, a_run(), outputs)] * 8)
    assert sum(written) == 1
    event = only(engine, "alert_event")
    assert event["occurrences"] == 1
    assert only(engine, "evaluation")["event_id"] == event["id"]
    assert only(engine, "notification")["event_id"] == event["id"]
    assert only(engine, "alert_series")["event_id"] == event["id"]
    assert only(engine, "alert_rule")["name"] == RULE.name


def test_eight_runs_of_a_series_recorded_at_once_lose_no_update(
    engine: Engine, database_url: str
) -> None:
    outputs = dump_outputs([fired()])
    at_once(tell, [(database_url, RULE, a_run(minute), outputs) for minute in range(8)])
    event = only(engine, "alert_event")
    assert event["occurrences"] == 8
    assert (event["first_seen"], event["last_seen"]) == (at(0), at(7))
    assert {row["event_id"] for row in rows(engine, "evaluation")} == {event["id"]}
    assert len(rows(engine, "evaluation")) == 8
    only(engine, "notification")


def test_different_rules_recorded_at_once_do_not_mix(engine: Engine, database_url: str) -> None:
    rules = [a_rule("one"), a_rule("two")]
    outputs = dump_outputs([fired("A"), fired("B")])
    at_once(tell, [(database_url, rules[n % 2], a_run(n), outputs) for n in range(8)])
    found = [(e["rule_name"], e["ticker"], e["occurrences"]) for e in rows(engine, "alert_event")]
    assert sorted(found) == [("one", "A", 4), ("one", "B", 4), ("two", "A", 4), ("two", "B", 4)]


def test_the_first_recordings_ever_may_race_with_the_making_of_the_tables(
    database_url: str,
) -> None:
    outputs = dump_outputs([fired()])
    at_once(make_schema_and_tell, [(database_url, RULE, a_run(n), outputs) for n in range(8)])
    with own_engine(database_url) as engine:
        assert only(engine, "alert_event")["occurrences"] == 8


# -- I2: all or nothing --------------------------------------------------------------------


@pytest.mark.slow("sqlite")
def test_a_process_killed_at_any_statement_leaves_nothing_half_written(
    engine: Engine, database_url: str
) -> None:
    told(engine, RULE, a_run(0), [fired("A"), quiet("B")])
    before = snapshot(engine)
    run, outputs = a_run(5), [quiet("A"), fired("B", importance="critical"), fired("C")]
    number = 1
    while killed_at_statement(number, database_url, RULE, run, dump_outputs(outputs)):
        assert snapshot(engine) == before, f"killed at statement {number}"
        number += 1
    assert number > 8, "the recording has more statements than that"
    after = snapshot(engine)
    assert Counter(e["resolved_at"] is None for e in after["alert_event"]) == {True: 2, False: 1}
    assert len(after["notification"]) == 1 + 2 + 1
    assert told(engine, RULE, run, outputs).evaluations == 0
    assert snapshot(engine) == after


def test_a_policy_that_breaks_midway_leaves_nothing_half_written(engine: Engine) -> None:
    told(engine, RULE, a_run(0), [fired("A")])
    before = snapshot(engine)

    class Broken(Lifecycle):
        def decide(
            self, previous: Series | None, seen: Observation, world: DecisionContext
        ) -> Decision:
            if seen.ticker == "B":
                raise ZeroDivisionError
            return super().decide(previous, seen, world)

    run = a_run(5)
    observations = judge(run, RULE.settings, [quiet("A"), fired("B")])
    with pytest.raises(ZeroDivisionError):
        record(engine, RULE, run, observations, now=NOW, lifecycle=Broken(RULE.settings))
    assert snapshot(engine) == before


def test_a_connection_lost_midway_leaves_nothing_and_the_run_can_be_recorded_again(
    postgres_url: str,
) -> None:
    with own_engine(postgres_url) as engine:
        ensure_schema(engine)
        told(engine, RULE, a_run(0), [fired()])
        before = snapshot(engine)
        admin = create_engine(postgres_url, isolation_level="AUTOCOMMIT")

        class CutOff(Lifecycle):
            def decide(
                self, previous: Series | None, seen: Observation, world: DecisionContext
            ) -> Decision:
                others = "datname = current_database() AND pid <> pg_backend_pid()"
                with admin.connect() as connection:
                    victims = f"FROM pg_stat_activity WHERE {others}"
                    connection.execute(text(f"SELECT pg_terminate_backend(pid, 5000) {victims}"))
                return super().decide(previous, seen, world)

        run = a_run(5)
        observations = judge(run, RULE.settings, [quiet()])
        with pytest.raises(OperationalError):
            record(engine, RULE, run, observations, now=NOW, lifecycle=CutOff(RULE.settings))
        admin.dispose()
        assert snapshot(engine) == before
        assert told(engine, RULE, run, [quiet()]).resolved == [before["alert_event"][0]["id"]]


# -- the life of an event ------------------------------------------------------------------


def test_an_event_opens_counts_and_resolves(engine: Engine) -> None:
    opened = told(engine, RULE, a_run(0), [fired()])
    told(engine, RULE, a_run(5), [fired(message="higher still", metrics={"value": 155.0})])
    event = only(engine, "alert_event")
    assert [event["id"]] == opened.opened
    assert (event["occurrences"], event["message"]) == (2, "higher still")
    assert (event["timestamp"], event["last_seen"]) == (at(0), at(5))
    assert event["metrics"] == {"value": 155.0}
    assert event["resolved_at"] is None
    assert told(engine, RULE, a_run(10), [quiet()]).resolved == opened.opened
    assert only(engine, "alert_event")["resolved_at"] == at(10)
    assert len(told(engine, RULE, a_run(15), [fired()]).opened) == 1
    assert len(rows(engine, "alert_event")) == 2


def test_an_event_that_comes_to_matter_more_is_told_to_the_routes_of_its_new_importance(
    engine: Engine,
) -> None:
    told(engine, RULE, a_run(0), [fired(importance="medium")])
    told(engine, RULE, a_run(5), [fired(importance="critical")])
    told(engine, RULE, a_run(10), [fired(importance="low")])
    assert only(engine, "alert_event")["importance"] == "critical"
    owed = [(n["channel"].split("/")[1], n["reason"]) for n in rows(engine, "notification")]
    assert owed == [
        ("warnings", "opened"),
        ("critical", "escalated-critical"),
        ("everyone", "escalated-critical"),
    ]


@pytest.mark.parametrize("late", [False, True])
def test_an_acknowledged_event_that_comes_to_matter_more_asks_again(
    engine: Engine, late: bool
) -> None:
    told(engine, RULE, a_run(5), [fired(importance="medium")])
    event_id = int(str(only(engine, "alert_event")["id"]))
    acknowledge(engine, [event_id], by="ana", comment="seen", now=NOW)
    told(engine, RULE, a_run(6), [fired(importance="medium")])
    assert only(engine, "alert_event")["is_acknowledged"]
    told(engine, RULE, a_run(0 if late else 10), [fired(importance="critical")])
    event = only(engine, "alert_event")
    assert not event["is_acknowledged"]
    assert (event["acknowledged_by"], event["acknowledged_at"]) == (None, None)
    with engine.connect() as connection:  # who took it on when it mattered less stays on record
        assert connection.scalar(text("SELECT actor FROM audit_entry")) == "ana"


@pytest.mark.parametrize(
    ("state", "name", "importance"),
    [
        ("FAILED", "Failed", "high"),
        ("FAILED", "TimedOut", "high"),
        ("CRASHED", "Crashed", "high"),
        ("CANCELLED", "Cancelled", "low"),
    ],
)
def test_a_run_that_did_not_check_opens_a_failure_until_one_checks(
    engine: Engine, state: str, name: str, importance: str
) -> None:
    run = a_run(0, state, name=name, message="it said why")
    told(engine, RULE, run)
    event = only(engine, "alert_event")
    assert (event["kind"], event["importance"], event["ticker"]) == ("failure", importance, "")
    assert (event["prefect_state"], event["prefect_state_name"]) == (state, name)
    assert "it said why" in str(event["message"])
    assert name in str(event["message"])
    assert event["prefect_flow_run_id"] == run.id
    told(engine, RULE, a_run(5, state, name=name))
    assert only(engine, "alert_event")["occurrences"] == 2
    told(engine, RULE, a_run(10), [])
    assert only(engine, "alert_event")["resolved_at"] == at(10)


def test_a_failing_rule_leaves_its_open_alert_open(engine: Engine) -> None:
    told(engine, RULE, a_run(0), [fired()])
    told(engine, RULE, a_run(5, "FAILED"))
    assert len(rows(engine, "alert_event", resolved_at=None)) == 2


def test_a_completed_run_whose_output_is_gone_was_not_checked(engine: Engine) -> None:
    told(engine, RULE, a_run(0, name="Triggered"), None)
    assert only(engine, "alert_event")["kind"] == "failure"


# -- late, and told twice in different words -----------------------------------------------


def test_a_failure_told_after_a_later_good_run_is_over_when_it_becomes_known(
    engine: Engine,
) -> None:
    told(engine, RULE, a_run(10), [quiet()])
    told(engine, RULE, a_run(5, "CRASHED"))
    event = only(engine, "alert_event")
    assert (event["kind"], event["timestamp"], event["resolved_at"]) == ("failure", at(5), NOW)
    assert len(rows(engine, "notification")) == 1


def test_a_failure_older_than_an_open_failure_counts_into_it(engine: Engine) -> None:
    told(engine, RULE, a_run(0), [quiet()])
    told(engine, RULE, a_run(10, "FAILED"))
    told(engine, RULE, a_run(5, "FAILED"))
    event = only(engine, "alert_event")
    assert (event["occurrences"], event["first_seen"], event["last_seen"]) == (2, at(5), at(10))
    assert event["resolved_at"] is None


def test_an_alert_told_late_between_two_oks_is_an_event_that_is_already_over(
    engine: Engine,
) -> None:
    told(engine, RULE, a_run(0), [quiet()])
    told(engine, RULE, a_run(10), [quiet()])
    told(engine, RULE, a_run(5), [fired()])
    event = only(engine, "alert_event")
    assert (event["timestamp"], event["resolved_at"]) == (at(5), NOW)
    assert only(engine, "alert_series")["status"] == "ok"
    assert len(rows(engine, "notification")) == 1


def test_a_late_ok_does_not_close_what_is_firing_now(engine: Engine) -> None:
    told(engine, RULE, a_run(0), [fired()])
    told(engine, RULE, a_run(10), [fired()])
    told(engine, RULE, a_run(5), [quiet()])
    assert only(engine, "alert_event")["resolved_at"] is None
    assert rows(engine, "evaluation")[-1]["decision_code"] == "late-ok"


def test_a_late_alert_that_matters_more_than_the_event_it_joins_is_told(engine: Engine) -> None:
    told(engine, RULE, a_run(10), [fired(importance="medium")])
    late = told(engine, RULE, a_run(5), [fired(importance="critical")])
    assert only(engine, "alert_event")["importance"] == "critical"
    assert only(engine, "alert_series")["event_importance"] == "critical"
    assert len(late.notifications) == 2
    assert not told(engine, RULE, a_run(15), [fired(importance="high")]).notifications


def test_a_run_recorded_as_not_checked_whose_output_is_found_later_gets_its_alert(
    engine: Engine,
) -> None:
    run = a_run(5, name="Triggered")
    told(engine, RULE, run, None)
    told(engine, RULE, run, [fired()])
    by_kind = {e["kind"]: e["resolved_at"] for e in rows(engine, "alert_event")}
    assert by_kind == {"failure": at(5), "alert": None}
    everything = snapshot(engine)
    told(engine, RULE, run, None)
    assert snapshot(engine) == everything


@pytest.mark.parametrize("outputs", [None, []])
def test_a_run_that_measured_cannot_be_told_to_have_measured_nothing(
    engine: Engine, outputs: list[object] | None
) -> None:
    run = a_run(5, name="Triggered")
    told(engine, RULE, run, [fired()])
    once = snapshot(engine)
    told(engine, RULE, run, outputs)  # type: ignore[arg-type]
    assert snapshot(engine) == once


def test_the_last_state_of_a_run_wins_and_each_is_kept(engine: Engine) -> None:
    key = uuid.uuid4()
    told(engine, RULE, a_run(0, "CANCELLED", ended=1, key=key))
    told(engine, RULE, a_run(0, "COMPLETED", ended=2, key=key), [quiet()])
    assert only(engine, "alert_event")["resolved_at"] == at(0)
    told(engine, RULE, a_run(0, "CANCELLED", ended=1, key=key))
    assert only(engine, "alert_event")["resolved_at"] == at(0)
    states = [(e["kind"], e["prefect_state"]) for e in rows(engine, "evaluation")]
    assert states == [("failure", "CANCELLED"), ("alert", "COMPLETED")]


def test_a_cancellation_told_while_cancelling_and_again_when_cancelled_counts_once(
    engine: Engine,
) -> None:
    key = uuid.uuid4()
    told(engine, RULE, a_run(0, "CANCELLED", name="Cancelling", ended=1, key=key))
    told(engine, RULE, a_run(0, "CANCELLED", ended=2, key=key))
    assert only(engine, "alert_event")["occurrences"] == 1


def test_a_failed_run_that_is_run_again_and_checks_resolves_its_failure(engine: Engine) -> None:
    key = uuid.uuid4()
    told(engine, RULE, a_run(0, "FAILED", key=key))
    told(engine, RULE, a_run(0, "COMPLETED", run_count=2, ended=30, key=key), [fired()])
    found = {e["kind"]: e for e in rows(engine, "alert_event")}
    assert found["failure"]["resolved_at"] == at(30)
    assert found["alert"]["timestamp"] == at(30)
    assert found["alert"]["retry_count"] == 1


def test_a_run_that_fails_again_when_run_again_counts_twice(engine: Engine) -> None:
    key = uuid.uuid4()
    told(engine, RULE, a_run(0, "FAILED", key=key))
    told(engine, RULE, a_run(0, "FAILED", run_count=2, ended=30, key=key))
    event = only(engine, "alert_event")
    assert (event["occurrences"], event["last_seen"]) == (2, at(30))


def test_of_two_runs_due_at_once_the_one_that_checked_ends_the_failure_of_the_other(
    engine: Engine,
) -> None:
    told(engine, RULE, a_run(0), [quiet()])
    told(engine, RULE, a_run(0, "CANCELLED"))
    assert only(engine, "alert_event")["resolved_at"] is not None


# -- silence, which no run reports ---------------------------------------------------------


def silence(engine: Engine, minute: float, *, silent: bool) -> None:
    seen = Observation(
        Kind.SILENT, "", at(minute), silent, RULE.settings.importance, "silent", evaluated=False
    )
    record(engine, RULE, None, [seen], now=at(minute))


def test_a_silent_rule_is_one_event_until_a_run_checks(engine: Engine) -> None:
    silence(engine, 10, silent=True)
    silence(engine, 11, silent=True)
    event = only(engine, "alert_event")
    assert (event["kind"], event["prefect_flow_run_id"]) == ("silent", None)
    told(engine, RULE, a_run(12), [quiet()])
    assert only(engine, "alert_event")["resolved_at"] == at(12)
    assert rows(engine, "evaluation", kind="silent") == []


def test_silence_named_late_by_a_second_reconcile_opens_nothing(engine: Engine) -> None:
    silence(engine, 10, silent=True)
    silence(engine, 9, silent=True)
    assert len(rows(engine, "alert_event")) == 1
    silence(engine, 12, silent=False)
    silence(engine, 11, silent=True)
    assert only(engine, "alert_event")["resolved_at"] == at(12)


# -- size ----------------------------------------------------------------------------------


@pytest.mark.slow("postgres")
def test_a_rule_over_ten_thousand_tickers_is_one_recording(engine: Engine) -> None:
    outputs = [fired(f"T{n}") for n in range(10_000)]
    result = told(engine, RULE, a_run(0), outputs)
    assert (result.evaluations, len(result.opened), len(result.notifications)) == (10_000,) * 3
    found = {e["ticker"]: e["id"] for e in rows(engine, "alert_event")}
    assert {e["ticker"]: e["event_id"] for e in rows(engine, "evaluation")} == found
    assert told(engine, RULE, a_run(0, key=uuid.uuid4()), outputs[:1]).evaluations == 1
