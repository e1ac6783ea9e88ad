"""Successes, failures and speed of a batch."""

import pytest

from sentinel_core import NoHistory
from triggers.model.batch_performance import BatchPerformance, suggestion_for


def of(summary, **settings):
    return BatchPerformance(**settings).check_frame(summary, NoHistory())[0]


def batch(total: int, success: int, seconds: float = 60, **more):
    return {"total": total, "success": success, "total_time": seconds, **more}


def test_the_figures_by_hand() -> None:
    output = of(batch(200, 190, 380))
    assert output.metrics == {
        "value": 0.95,
        "success_rate": 0.95,
        "threshold": 0.95,
        "total": 200,
        "failed": 10,
        "total_time": 380,
        "seconds_per_item": 2,
        "items_per_minute": 30,
    }
    assert not output.triggered
    assert output.message == (
        "190 of 200 succeeded (95.00%), 10 failed, 2 s for each item, 30 items a minute"
    )


@pytest.mark.parametrize(
    ("summary", "settings", "codes"),
    [
        (batch(200, 189), {}, ["success_rate"]),
        (batch(10, 0), {}, ["success_rate"]),
        (batch(10, 10, 20), {"max_seconds_per_item": 2}, []),
        (batch(10, 10, 21), {"max_seconds_per_item": 2}, ["seconds_per_item"]),
        (batch(100, 100, 60), {"max_items_per_minute": 100}, []),
        (batch(101, 101, 60), {"max_items_per_minute": 100}, ["items_per_minute"]),
        (batch(1000, 999), {"max_failed": 0}, ["failed"]),
        (batch(1, 1, 0), {"max_items_per_minute": 1}, []),
    ],
)
def test_each_limit(summary, settings, codes) -> None:
    output = of(summary, **settings)
    assert output.metadata["code"] == codes
    assert output.triggered is bool(codes)


def test_without_a_success_there_is_no_time_for_an_item() -> None:
    output = of(batch(10, 0))
    assert "no time for an item, as none succeeded" in output.message
    assert "seconds_per_item" not in output.metrics


@pytest.mark.parametrize(
    ("summary", "problem", "said"),
    [
        (batch(0, 0), "no_data", "0 items"),
        (batch(1, 2), "error", "more than there were"),
        (batch(-1, 0), "error", "not a number of things"),
        (batch(1, 1, -5), "error", "less than no time"),
        (batch(1, 1, float("inf")), "error", "infinite"),
        ({"total": 1, "success": 1}, "no_data", "there is no total_time"),
        ({"success": 1}, "no_data", "there is no total"),
        ({"total": "all", "success": 1, "total_time": 1}, "error", "not a number"),
    ],
)
def test_figures_that_make_no_sense(summary, problem, said) -> None:
    output = of(summary)
    assert (output.problem, said in output.message) == (problem, True), output.message


def test_a_batch_without_a_time() -> None:
    output = of({"total": 2, "success": 2}, total_time=None)
    assert (output.problem, output.triggered) == (None, False)


@pytest.mark.parametrize(
    ("errors", "beginning"),
    [
        ({"timeout": 3, "403": 1}, "Raise the timeout"),
        ({"timeout": 1, "403": 3}, "Check the credentials"),
        ({401: 3}, "Check the credentials"),
        ({"connection": 2}, "Check the network"),
        ({"parse": 9, "timeout": 1}, "Look at the code"),
        ({}, "Look at the code"),
        ({"timeout": 0}, "Look at the code"),
    ],
)
def test_the_most_frequent_error_says_what_to_do(errors, beginning) -> None:
    assert suggestion_for(errors).startswith(beginning)
    assert of(batch(10, 5, errors=errors)).suggestion.startswith(beginning)
