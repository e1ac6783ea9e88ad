"""What counts as a failed run, once, and what ends its event. Real runs: tests/integration."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from prefect.client.schemas.objects import StateType

from sentinel_core import AlertOutput, Importance
from triggers.pipelines.ended_run import EndedRun, Ending, ending_of, parameters_fit
from triggers.pipelines.flow_run_failures import FlowRunFailures

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def run(number: int, ending: Ending, minute: float = 0, *, known: float | None = None) -> EndedRun:
    return EndedRun(
        id=UUID(int=number),
        name=f"run-{number}",
        ending=ending,
        state_name=ending.value.title(),
        message="",
        ended_at=NOON + minute * MINUTE,
        known_at=NOON + (minute if known is None else known) * MINUTE,
    )


def judged(*runs: EndedRun, **settings: object) -> AlertOutput:
    return FlowRunFailures(**settings).evaluate("etl/nightly", runs, NOON)


FAILED, DONE = Ending.FAILED, Ending.COMPLETED


@pytest.mark.parametrize(
    ("state_type", "name", "ran", "fit", "ending"),
    [
        (StateType.COMPLETED, "Completed", True, True, DONE),
        (StateType.COMPLETED, "TimedOut", True, True, DONE),
        (StateType.CANCELLED, "Cancelled", False, True, Ending.CANCELLED),
        (StateType.CRASHED, "Crashed", False, True, Ending.CRASHED),
        (StateType.FAILED, "Failed", True, True, FAILED),
        (StateType.FAILED, "Completed", True, True, FAILED),
        (StateType.FAILED, "TimedOut", True, True, Ending.TIMED_OUT),
        (StateType.FAILED, "Failed", False, True, Ending.NOT_STARTED),
        (StateType.FAILED, "Failed", False, False, Ending.BAD_PARAMETERS),
    ],
)
def test_the_type_of_the_state_decides_and_then_its_name(state_type, name, ran, fit, ending):
    assert ending_of(state_type, name, ran=ran, parameters_fit=fit) is ending


def test_parameters_are_compared_with_the_deployments_schema():
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    assert parameters_fit({"n": 1}, schema)
    assert not parameters_fit({"n": "many"}, schema)
    assert parameters_fit({"n": "many"}, None)


@pytest.mark.parametrize(
    ("endings", "triggered", "value", "newest_failed"),
    [
        ([DONE], False, 0, 0),
        ([FAILED], True, 1, 1),
        ([DONE, FAILED], True, 1, 1),
        ([FAILED, DONE], True, 1, 0),
        ([FAILED, FAILED, DONE, Ending.CANCELLED], True, 2, 0),
        ([Ending.CRASHED, Ending.TIMED_OUT, Ending.NOT_STARTED], True, 3, 1),
    ],
)
def test_every_failure_since_the_last_evaluation_counts(endings, triggered, value, newest_failed):
    output = judged(*(run(n, ending, n) for n, ending in enumerate(endings)))
    assert output.triggered is triggered
    assert output.metrics["value"] == value
    assert output.metrics["newest_failed"] == newest_failed
    assert len(output.metadata["runs"]) == value


def test_an_ignored_ending_is_no_failure():
    output = judged(run(1, Ending.TIMED_OUT), ignore=["timed_out"])
    assert (output.triggered, output.metrics["value"]) == (False, 0)


@pytest.mark.parametrize(
    ("importances", "endings", "importance"),
    [
        ({}, [Ending.CRASHED], None),
        ({"crashed": "critical"}, [Ending.CRASHED, FAILED], Importance.CRITICAL),
        ({"timed_out": "low"}, [Ending.TIMED_OUT], Importance.LOW),
        ({"timed_out": "low"}, [Ending.TIMED_OUT, FAILED], Importance.HIGH),
        ({"timed_out": "low"}, [DONE], None),
    ],
)
def test_the_highest_importance_of_the_endings_is_that_of_the_event(
    importances, endings, importance
):
    runs = [run(n, ending, n) for n, ending in enumerate(endings)]
    assert judged(*runs, importances=importances).importance == importance


def test_a_thousand_hostile_failures_fit_into_one_event():
    hostile = "\N{SNOWMAN}\x00\n'\"" * 5_000
    runs = [
        replace(run(n, FAILED, n), name=hostile, message=hostile, state_name=hostile)
        for n in range(1_000)
    ]
    output = judged(*runs)
    assert output.metrics["value"] == 1_000
    assert output.metadata["not_listed"] == 980
    assert "and 995 runs before" in output.message
    assert "\n" not in output.message


def test_a_run_that_the_server_heard_of_late_belongs_to_the_later_evaluation():
    late = run(1, FAILED, minute=-4, known=2)
    assert late.position == NOON + 2 * MINUTE
    ahead = run(1, FAILED, minute=9, known=2)
    assert ahead.position == NOON + 9 * MINUTE
