"""From a run and its outputs to what was observed."""

from dataclasses import replace

import pytest

from sentinel_core.alert import MESSAGE_LIMIT, Importance
from sentinel_core.judge import Kind, judge
from sentinel_core.rule import RuleSettings
from sentinel_core.run import StateType
from tests.support.runs import T0, a_run, at, fired, quiet

RULE = RuleSettings(importance=Importance.HIGH)


def test_each_ticker_is_observed_by_itself() -> None:
    seen = judge(a_run(5), RULE, [fired("A", importance="critical"), quiet("B")])
    alerts = [s for s in seen if s.kind is Kind.ALERT]
    assert [(s.ticker, s.breached, s.importance) for s in alerts] == [
        ("A", True, Importance.CRITICAL),
        ("B", False, Importance.HIGH),
    ]
    assert {(s.at, s.measured_at, s.evaluated) for s in alerts} == {(at(5), T0, True)}
    assert alerts[0].metrics == {"value": 151.2, "threshold": 150.0}


def test_an_output_that_names_no_importance_has_the_rules_own() -> None:
    assert judge(a_run(), RULE, [fired(importance=None)])[0].importance is Importance.HIGH


def test_a_run_that_checked_says_in_passing_that_the_rule_neither_fails_nor_is_silent() -> None:
    news = [s for s in judge(a_run(), RULE, [quiet()]) if not s.evaluated]
    assert {(s.kind, s.ticker, s.breached) for s in news} == {
        (Kind.FAILURE, "", False),
        (Kind.SILENT, "", False),
    }


def test_a_check_that_found_no_series_at_all_was_a_check() -> None:
    first, *news = judge(a_run(), RULE, [])
    assert (first.kind, first.ticker, first.breached, first.evaluated) == (
        Kind.ALERT,
        "",
        False,
        True,
    )
    assert len(news) == 2


def test_an_output_without_a_message_still_has_one() -> None:
    assert judge(a_run(), RULE, [fired(message="")])[0].message == "Triggered."
    assert judge(a_run(), RULE, [quiet(message=" ")])[0].message == "Not triggered."


@pytest.mark.parametrize(
    "state", [s for s in StateType if s is not StateType.COMPLETED], ids=lambda s: s.value
)
def test_a_run_that_is_not_completed_is_never_not_triggered(state: StateType) -> None:
    [seen] = judge(a_run(state=state.value), RULE, [quiet()])
    assert (seen.kind, seen.breached, seen.evaluated) == (Kind.FAILURE, True, True)


def test_a_completed_run_without_its_output_is_never_not_triggered() -> None:
    [seen] = judge(a_run(), RULE, None)
    assert (seen.kind, seen.breached) == (Kind.FAILURE, True)
    assert "could not be read" in seen.message


def test_a_failure_says_how_the_run_ended_and_what_prefect_said() -> None:
    run = a_run(state="FAILED", name="TimedOut", message="Task run exceeded 60.0 seconds")
    [seen] = judge(run, RULE, None)
    assert seen.message == (
        "Not checked: the run ended as TimedOut. Task run exceeded 60.0 seconds"
    )
    assert seen.metadata == {
        "prefect_state": "TimedOut",
        "prefect_message": "Task run exceeded 60.0 seconds",
    }
    assert seen.importance is Importance.HIGH


def test_a_cancelled_run_matters_little() -> None:
    [seen] = judge(a_run(state="CANCELLED"), RULE, None)
    assert seen.importance is Importance.LOW


def test_an_error_text_of_a_megabyte_full_of_control_characters_is_made_harmless() -> None:
    [seen] = judge(a_run(state="FAILED", message="\0" * 1_000_000), RULE, None)
    assert len(seen.message) == MESSAGE_LIMIT
    assert "\0" not in seen.message + seen.metadata["prefect_message"]


def test_a_run_speaks_for_when_it_was_due_and_run_again_for_when_that_ended() -> None:
    run = a_run(5, ended=30)
    assert run.at == at(5)
    assert replace(run, run_count=0).at == at(5)
    assert replace(run, run_count=2).at == at(30)
