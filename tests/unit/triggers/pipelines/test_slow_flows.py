"""When a completed run was slow: limits as a table."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from triggers.pipelines.ended_run import EndedRun, Ending
from triggers.pipelines.slow_flows import SlowFlows

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def run(number: int, seconds: float) -> EndedRun:
    at = NOON + timedelta(minutes=number)
    id_ = UUID(int=number)
    return EndedRun(id_, f"run-{number}", Ending.COMPLETED, "Completed", "", at, at, at, seconds)


@pytest.mark.parametrize(
    ("settings", "seconds", "p95", "code"),
    [
        ({"max_seconds": 100}, 100, None, None),
        ({"max_seconds": 100}, 101, None, "limit"),
        ({}, 9_999, None, None),
        ({}, 150, 100, None),
        ({}, 151, 100, "earlier_runs"),
        ({}, 60, 1, None),
        ({}, 61, 1, "earlier_runs"),
        ({}, 0, 0, None),
        ({"slow_from_seconds": 0}, 0, 0, None),
        ({"slow_from_seconds": 0}, 0.1, 0, "earlier_runs"),
        ({"times_p95": None}, 9_999, 1, None),
        ({"max_seconds": 100}, 120, 10, "limit"),
    ],
)
def test_a_run_is_slow_beyond_a_limit(settings, seconds, p95, code):
    found = SlowFlows(**settings).slow(run(1, seconds), p95)
    assert (found.code if found else None) == code


@pytest.mark.parametrize(
    ("seconds", "value", "newest"), [([50], 0, 0), ([101], 1, 1), ([200, 50], 1, 0), ([0], 0, 0)]
)
def test_the_newest_run_says_whether_the_event_goes_on(seconds, value, newest):
    runs = [run(number, each) for number, each in enumerate(seconds)]
    output = SlowFlows(max_seconds=100).evaluate("etl/nightly", runs, None, NOON)
    assert output.triggered is (value > 0)
    assert (output.metrics["value"], output.metrics["newest_slow"]) == (value, newest)
    assert output.metrics["longest_seconds"] == max(seconds)


def test_the_event_says_how_long_and_what_the_limit_was():
    output = SlowFlows(max_seconds=60).evaluate("etl/nightly", [run(1, 150)], None, NOON)
    assert output.message == (
        "etl/nightly: 1 run was slow. run-1 took 2 min 30 s, the limit is 1 min"
    )


def test_many_hostile_runs_fit_into_one_event():
    name = "\N{SNOWMAN}\n\x00'\"" * 3_000
    runs = [replace(run(n, 999), name=name) for n in range(200)]
    output = SlowFlows(max_seconds=1).evaluate("a/b", runs, 5, NOON)
    assert output.metadata["not_listed"] == 180
    assert "\n" not in output.message
