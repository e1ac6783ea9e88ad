"""Rule deployments as last seen."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import Engine

from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Schedule
from sentinel_core.store.state import rules
from tests.support.runs import NOW, a_rule, a_run, at, fired, quiet, rows, told

RULE = a_rule()
HOUR = timedelta(hours=1)


def test_a_rule_is_known_by_its_deployment(engine: Engine) -> None:
    assert rules.rule_of_deployment(engine, RULE.deployment_id) is None
    rules.sync(engine, [RULE], NOW)
    row = rules.rule_of_deployment(engine, RULE.deployment_id)
    assert row is not None
    assert (row["name"], row["cron"], row["importance"]) == (RULE.name, RULE.cron, "high")
    assert row["last_prefect_sync"] == NOW


def test_syncing_the_same_definition_again_does_not_count_as_a_change(engine: Engine) -> None:
    rules.sync(engine, [RULE], NOW)
    assert rules.sync(engine, [RULE], NOW + HOUR) == 1
    [row] = rules.all_rules(engine)
    assert (row["first_seen_at"], row["changed_at"]) == (NOW, NOW)
    assert row["last_prefect_sync"] == NOW + HOUR


def test_a_new_schedule_or_a_pause_is_a_change_and_a_new_description_is_none(
    engine: Engine,
) -> None:
    rules.sync(engine, [RULE], NOW)
    rules.sync(engine, [replace(RULE, description="in other words")], NOW + HOUR)
    assert rules.all_rules(engine)[0]["changed_at"] == NOW
    rules.sync(
        engine,
        [replace(RULE, schedules=(Schedule(cron="0 * * * *"),), cron="0 * * * *")],
        NOW + 2 * HOUR,
    )
    assert rules.all_rules(engine)[0]["changed_at"] == NOW + 2 * HOUR
    rules.sync(
        engine,
        [replace(RULE, schedules=(Schedule(cron="0 * * * *"),), cron="0 * * * *", active=False)],
        NOW + 3 * HOUR,
    )
    assert rules.all_rules(engine)[0]["changed_at"] == NOW + 3 * HOUR


def test_recording_a_run_does_not_overwrite_what_sync_knows(engine: Engine) -> None:
    rules.sync(engine, [replace(RULE, parameters={"check": {"ticker": "AAPL"}})], NOW)
    told(engine, replace(RULE, cron=None, settings=RuleSettings()), a_run(), [quiet()])
    [row] = rules.all_rules(engine)
    assert (row["cron"], row["importance"]) == (RULE.cron, "high")
    assert row["parameters"] == {"check": {"ticker": "AAPL"}}


def test_a_rule_deployed_anew_keeps_its_past(engine: Engine) -> None:
    told(engine, RULE, a_run(0), [fired()])
    anew = replace(RULE, deployment_id=uuid4())
    told(engine, anew, a_run(5), [fired()])
    [event] = rows(engine, "alert_event")
    assert event["occurrences"] == 2
    assert len(rules.latest_evaluations(engine, anew.deployment_id, 10)) == 2


def test_the_rules_page_shows_the_newest_run_whatever_is_told_last(engine: Engine) -> None:
    told(engine, RULE, a_run(10, name="Triggered"), [fired(message="m" * 600)])
    told(engine, RULE, a_run(5, "FAILED"))
    [row] = rules.all_rules(engine)
    assert (row["last_prefect_state"], row["last_prefect_state_name"]) == ("COMPLETED", "Triggered")
    assert row["last_evaluated_at"] == at(10)
    assert row["last_output"] == [{"ticker": "AAPL", "breached": True, "message": "m" * 500}]


def test_a_rule_whose_deployment_is_gone_is_no_longer_active(engine: Engine) -> None:
    other = a_rule("other")
    rules.sync(engine, [RULE, other], NOW)
    assert rules.deactivate_missing(engine, [RULE.deployment_id]) == ["other"]
    assert rules.deactivate_missing(engine, [RULE.deployment_id]) == []
    assert {row["name"]: row["is_active"] for row in rules.all_rules(engine)} == {
        RULE.name: True,
        "other": False,
    }


def test_a_rules_past_is_its_own_newest_first_and_holds_measurements_only(engine: Engine) -> None:
    for minute in (0, 10, 5):
        told(engine, RULE, a_run(minute), [fired("A", metrics={"value": minute}), quiet("B")])
    told(engine, RULE, a_run(20, "FAILED"))
    told(engine, a_rule("other"), a_run(30), [fired("A")])
    both = rules.latest_evaluations(engine, RULE.deployment_id, 100)
    assert [row["at"] for row in both][::2] == [at(10), at(5), at(0)]
    assert len(both) == 6
    one = rules.latest_evaluations(engine, RULE.deployment_id, 2, "A")
    assert [row["metrics"] for row in one] == [{"value": 10.0}, {"value": 5.0}]


def test_a_checkpoint_never_goes_backwards(engine: Engine) -> None:
    assert rules.checkpoint(engine, "reconcile") is None
    for minute in (5, 3):
        rules.set_checkpoint(engine, "reconcile", at(minute))
    assert rules.checkpoint(engine, "reconcile") == at(5)
    rules.set_checkpoint(engine, "reconcile", at(9))
    assert rules.checkpoint(engine, "reconcile") == at(9)
