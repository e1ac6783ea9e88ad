"""How promises become an output. Each promise alone: test_promises.py."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from pydantic import ValidationError

from triggers.pipelines.ended_run import EndedRun, Ending
from triggers.pipelines.flow_sla import FlowSla
from triggers.pipelines.promises import Facts

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)


def failed(name: str = "run") -> EndedRun:
    at = NOON - timedelta(hours=1)
    start = at - timedelta(seconds=90)
    return EndedRun(UUID(int=1), name, Ending.FAILED, "Failed", "", at, at, start, 90)


def test_every_broken_promise_is_named_in_one_event():
    promises = {"max_failures_per_day": 0, "min_success_rate": 90, "max_duration_seconds": 600}
    output = FlowSla(**promises).evaluate("etl/nightly", Facts(NOON, LONG_AGO, [failed()]))
    assert output.triggered
    assert output.metadata["broken"] == ["max_failures_per_day", "min_success_rate"]
    assert output.metrics == {
        "value": 2,
        "max_failures_per_day": 1,
        "min_success_rate": 0,
        "max_duration_seconds": 90,
        "checked_until": NOON.timestamp(),
    }
    assert "1 run failed in 24 hours" in output.message
    assert "0% of 1 run completed in 1 d" in output.message


def test_without_runs_nothing_is_said_about_a_rate_and_that_is_not_fine():
    output = FlowSla(min_success_rate=90).evaluate("a/b", Facts(NOON, LONG_AGO))
    assert (output.problem, output.triggered) == ("no_data", False)


def test_a_kept_promise_beside_one_of_which_nothing_is_known_is_fine():
    sla = FlowSla(min_success_rate=90, max_failures_per_day=0)
    output = sla.evaluate("a/b", Facts(NOON, LONG_AGO))
    assert (output.problem, output.triggered, output.metrics["value"]) == (None, False, 0)


def test_hostile_names_stay_on_one_line():
    sla = FlowSla(max_duration_seconds=1)
    output = sla.evaluate("a/b", Facts(NOON, LONG_AGO, [failed("x\n'\"" * 10_000)]))
    assert output.triggered
    assert "\n" not in output.message
    assert len(output.message) < 300


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "nothing is promised"),
        ({"ready_by": {"time": "25:00"}}, "time"),
        ({"ready_by": {"time": "6:30"}}, "time"),
        ({"ready_by": {"time": "06:30", "timezone": "Europe/Bärlin"}}, "time zone"),
        ({"ready_by": {"time": "06:30", "days": []}}, "days"),
        ({"ready_by": {"time": "06:30", "calendar": "Mordor"}}, "there is no calendar"),
        ({"max_lateness_seconds": 0}, "greater than 0"),
        ({"min_success_rate": 101}, "less than or equal to 100"),
    ],
)
def test_promises_that_nobody_can_keep_are_refused(wrong, said):
    with pytest.raises(ValidationError, match=said):
        FlowSla(**wrong)
