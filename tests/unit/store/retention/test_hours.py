"""Evaluations as hours: the same whichever parts they are deleted in."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sentinel_core.store.retention.hours import hour_of, merged, summarised

START = datetime(2026, 11, 2, 9, tzinfo=UTC)


def a_row(minute: int, value: float | None, *, kind: str = "alert", **given: Any) -> dict[str, Any]:
    """An evaluation."""
    return {
        "at": START + timedelta(minutes=minute),
        "kind": kind,
        "ticker": "A",
        "triggered": False,
        "metrics": {} if value is None else {"value": value},
        "decision_code": "ok",
        "prefect_state": "COMPLETED",
        **given,
    }


values = st.floats(allow_nan=False, allow_infinity=False)
evaluations = st.lists(
    st.builds(a_row, st.integers(0, 179), st.none() | values), min_size=1, max_size=20
)


@given(evaluations, st.data())
def test_two_parts_together_are_the_whole(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(rows)))
    whole, first, second = summarised(rows), summarised(rows[:cut]), summarised(rows[cut:])
    parts = {
        key: merged(first[key], second[key]) if key in first and key in second else summary
        for key, summary in (second | first).items()
    }
    assert parts.keys() == whole.keys()
    for key, summary in whole.items():
        part = parts[key]
        for name in ("count", "triggered", "ok", "errors", "minimum", "maximum", "last_at"):
            assert part[name] == summary[name]
        if summary["average"] is not None:
            scale = max(abs(summary["minimum"]), abs(summary["maximum"]))
            near = scale * 1e-9 + 1e-300
            assert math.isclose(part["average"], summary["average"], abs_tol=near)


@given(st.lists(values, min_size=1, max_size=20))
def test_an_average_is_finite_and_between_its_values(numbers: list[float]) -> None:
    rows = [a_row(n, value) for n, value in enumerate(numbers)]
    [found] = (s for key, s in summarised(rows).items() if key[3] == "value")
    assert math.isfinite(found["average"])
    slack = 1e-9 * max(abs(number) for number in numbers) + 1e-300
    assert found["minimum"] - slack <= found["average"] <= found["maximum"] + slack
    assert found["last"] == numbers[-1]


def test_what_judged_nothing_counts_as_neither_triggered_nor_ok_nor_error() -> None:
    rows = [
        a_row(0, 1.0, triggered=True),
        a_row(1, 1.0),
        a_row(2, 1.0, decision_code="warming-up"),
        a_row(3, None, kind="failure", triggered=True, prefect_state="FAILED"),
        a_row(4, None, kind="failure", triggered=True, prefect_state="CANCELLED"),
        a_row(5, None, kind="skipped"),
        a_row(6, None, kind="no_data", triggered=True),
    ]
    counts = {
        key[1]: [summary[name] for name in ("count", "triggered", "ok", "errors")]
        for key, summary in summarised(rows).items()
        if key[3] == ""
    }
    assert counts == {
        "alert": [3, 1, 1, 0],
        "failure": [2, 0, 0, 1],
        "skipped": [1, 0, 0, 0],
        "no_data": [1, 0, 0, 1],
    }


def test_the_hour_of_a_moment() -> None:
    assert hour_of(START + timedelta(minutes=59, microseconds=7)) == START
