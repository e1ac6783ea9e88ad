"""What once hid a missing check or lost a run, store level."""

import uuid

from sqlalchemy import Engine

from sentinel_core.prefect_io.facts import rule_settings
from sentinel_core.store.db.engine import reading
from sentinel_core.store.state import rules
from sentinel_core.store.state.snapshot import recorded_runs
from tests.support.runs import a_rule, a_run, at, quiet, rows, told

RULE = a_rule()


def test_a_cancelled_run_does_not_count_as_a_check(engine: Engine) -> None:
    rules.sync(engine, [RULE], at(0))
    told(engine, RULE, a_run(0), [quiet()])
    told(engine, RULE, a_run(5, "CANCELLED"))
    [rule] = rows(engine, "alert_rule")
    assert (rule["last_evaluated_at"], rule["last_prefect_state"]) == (at(0), "CANCELLED")


def test_a_run_that_ended_before_it_was_due_speaks_for_its_end(engine: Engine) -> None:
    told(engine, RULE, a_run(60 * 24 * 30, "FAILED", ended=1))
    [rule] = rows(engine, "alert_rule")
    assert rule["last_evaluated_at"] == at(1)
    told(engine, RULE, a_run(5), [quiet()])
    [event] = rows(engine, "alert_event")
    assert event["resolved_at"] == at(5)


def test_each_attempt_of_a_run_needs_its_own_record(engine: Engine) -> None:
    key = uuid.uuid4()
    told(engine, RULE, a_run(0, key=key), [quiet()])
    with reading(engine) as connection:
        assert recorded_runs(connection, [key]) == {key: {("COMPLETED", 0)}}
    told(engine, RULE, a_run(0, key=key, run_count=2, ended=9), [quiet()])
    with reading(engine) as connection:
        assert recorded_runs(connection, [key]) == {key: {("COMPLETED", 1)}}


def test_nonsense_in_one_setting_costs_no_record(engine: Engine) -> None:
    settings = rule_settings({"display_duration_minutes": 10**15, "importance": "critical"}, {})
    assert (settings.display_duration_minutes, settings.importance) == (1440, "critical")
    assert told(engine, a_rule(**settings.model_dump()), a_run(0, "FAILED")).opened
