"""From a run and its outputs to what was observed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sentinel_core.decide.observe import Kind, judge
from sentinel_core.model.alert import Importance
from sentinel_core.model.cleaning import MESSAGE_LIMIT
from sentinel_core.model.fault import Fault
from sentinel_core.model.rule import Policy, RuleSettings, Stale
from sentinel_core.model.run import CLOSED, SKIPPED, Skip, StateType
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
    assert seen.message == "The run completed, but its output could not be read."


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


# -- series that could not be judged -------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "kind", "message"),
    [
        ("error", Kind.ERROR, "Not checked: no reason given."),
        ("no_data", Kind.NO_DATA, "No data."),
    ],
)
def test_a_series_that_could_not_be_judged_is_observed_beside_the_others(
    problem: Any, kind: Kind, message: str
) -> None:
    seen = judge(a_run(), RULE, [quiet("A", problem=problem, message=""), quiet("B")])
    assert [(s.kind, s.ticker, s.breached, s.evaluated) for s in seen[:2]] == [
        (kind, "A", True, True),
        (Kind.ALERT, "B", False, True),
    ]
    assert (seen[0].message, seen[0].reported, seen[0].importance) == (
        message,
        False,
        Importance.HIGH,
    )
    assert len(seen) == 4  # and the run did run


def test_a_series_that_could_not_be_judged_says_why_in_its_own_words() -> None:
    [seen, *_] = judge(a_run(), RULE, [quiet(problem="error", message="no route to host")])
    assert seen.message == "no route to host"


def test_what_the_trigger_said_is_kept_apart_from_what_is_made_of_it() -> None:
    seen = judge(a_run(), RULE, [fired("A"), quiet("B")])
    assert [s.reported for s in seen[:2]] == [True, False]
    assert {(s.said, s.unjudged) for s in seen} == {(None, "")}


def test_what_was_measured_and_the_evidence_are_kept() -> None:
    [seen, *_] = judge(a_run(), RULE, [fired(metadata={"rows": [1, 2]})])
    assert (seen.metadata, seen.metrics) == (
        {"rows": [1, 2]},
        {"value": 151.2, "threshold": 150.0},
    )


def test_a_check_that_found_nothing_was_told_nothing_by_its_trigger() -> None:
    [seen, *_] = judge(a_run(), RULE, [])
    assert (seen.message, seen.reported, seen.importance) == (
        "Checked; nothing was found.",
        None,
        Importance.HIGH,
    )


def test_conditions_are_left_to_find_the_words() -> None:
    rule = RuleSettings.model_validate({"conditions": [{"op": "gt", "value": 1}]})
    assert judge(a_run(), rule, [quiet(message="")])[0].message == ""
    assert judge(a_run(), rule, [quiet(message="said")])[0].message == "said"
    silent = quiet(message="", problem="no_data")
    assert judge(a_run(), rule, [silent])[0].message == "No data."


def test_what_a_run_says_in_passing_is_of_the_rules_importance_and_time() -> None:
    news = judge(a_run(7), RULE, [quiet()])[1:]
    assert [s.evaluated for s in news] == [False, False]
    assert {(s.at, s.importance, s.message) for s in news} == {
        (at(7), Importance.HIGH, "The check ran.")
    }


# -- runs that came late -------------------------------------------------------------------


def test_a_skipped_run_is_neither_a_failure_nor_a_check() -> None:
    run = a_run(3, name=SKIPPED, message="Not checked: 40 min late.")
    [seen] = judge(run, RULE, None)
    assert (seen.kind, seen.ticker, seen.at, seen.breached, seen.evaluated) == (
        Kind.SKIPPED,
        "",
        at(3),
        False,
        True,
    )
    assert (seen.message, seen.importance) == ("Not checked: 40 min late.", Importance.HIGH)
    assert seen.skip is Skip.LATE


def test_a_skipped_run_has_a_reason_even_when_prefect_has_none() -> None:
    [seen] = judge(a_run(name=SKIPPED, message=" "), RULE, [fired()])
    assert seen.message == "Skipped: the run started too late."


def test_a_run_that_a_limit_cancelled_because_another_was_under_way_is_no_failure() -> None:
    run = replace(a_run(3, "CANCELLED", message="whatever Prefect says"), overlaps=True)
    [seen] = judge(run, RULE, None)
    assert (seen.kind, seen.skip, seen.breached) == (Kind.SKIPPED, Skip.UNDER_WAY, False)
    assert seen.message == "Not checked by this run: another one of the rule was under way."


def test_a_failed_run_that_calls_itself_skipped_has_failed() -> None:
    [seen] = judge(a_run(state="FAILED", name=SKIPPED), RULE, None)
    assert seen.kind is Kind.FAILURE


@pytest.mark.parametrize("stale", Stale)
def test_what_is_found_late_says_so(stale: Stale) -> None:
    rule = RULE.model_copy(update={"policy": Policy(on_stale=stale)})
    run = replace(a_run(0), started_at=at(40))
    found = judge(run, rule, [fired("A"), quiet("B", message="")])
    assert [s.message for s in found[:2]] == [
        "A trades at 151.2 (detected 40 min late)",
        "Not triggered. (detected 40 min late)",
    ]
    in_time = replace(a_run(0), started_at=at(0) + timedelta(seconds=1))
    assert judge(in_time, rule, [fired("A")])[0].message == "A trades at 151.2"


def test_a_failure_that_came_late_says_how_it_ended() -> None:
    run = replace(a_run(0, state="FAILED", message="boom"), started_at=at(40))
    [seen] = judge(run, RULE, None)
    assert seen.message == "Not checked: the run ended as Failed. boom"


def test_the_longest_message_is_cut_with_its_mark() -> None:
    run = replace(a_run(0), started_at=at(40))
    [seen, *_] = judge(run, RULE, [fired(message="x" * MESSAGE_LIMIT)])
    assert len(seen.message) == MESSAGE_LIMIT
    assert seen.message.endswith("x…")


def test_a_failure_without_words_from_prefect_ends_with_its_state() -> None:
    [seen] = judge(a_run(state="CRASHED"), RULE, None)
    assert seen.message == "Not checked: the run ended as Crashed."
    assert (seen.ticker, seen.at, seen.reported) == ("", at(0), None)


def test_the_suggestion_of_an_output_and_of_a_run_past_its_timeout() -> None:
    output = fired("A").model_copy(update={"suggestion": "Retrain the model."})
    assert judge(a_run(), RULE, [output])[0].suggestion == "Retrain the model."
    late = replace(a_run(3, "FAILED"), state_name="TimedOut")
    assert judge(late, RULE, None)[0].suggestion == Fault.TIMEOUT.next_step
    assert judge(a_run(3, "FAILED"), RULE, None)[0].suggestion == ""


@pytest.mark.parametrize(
    ("said", "message"),
    [("XNYS is closed.", "XNYS is closed."), ("", "Closed: there was nothing to check.")],
)
def test_a_run_outside_of_its_session_checked_nothing_but_its_rule_is_alive(
    said: str, message: str
) -> None:
    run = replace(a_run(5), state_name=CLOSED, state_message=said)
    skipped, ran = judge(run, RULE, [])
    assert (skipped.kind, skipped.skip, skipped.message) == (Kind.SKIPPED, Skip.CLOSED, message)
    assert (ran.kind, ran.breached, ran.evaluated) == (Kind.SILENT, False, False)
