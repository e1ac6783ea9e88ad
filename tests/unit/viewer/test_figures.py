"""Charts: what was counted and measured, nothing else."""

from datetime import timedelta
from typing import Any

import pytest

from sentinel_core.store.read.overview import Bucket
from tests.support.recorded import NOON
from viewer import figures

HOUR = timedelta(hours=1)


def test_the_histogram_draws_every_count_once_and_spans_the_whole_range() -> None:
    spec = figures.histogram(
        [Bucket(NOON, {"critical": 2, "low": 0}), Bucket(NOON + HOUR, {"low": 3})], HOUR, dark=False
    )
    assert [
        (bar["start"][11:16], bar["importance"], bar["events"]) for bar in spec["data"]["values"]
    ] == [
        ("12:00", "critical", 2),
        ("13:00", "low", 3),
    ]
    domain = spec["encoding"]["x"]["scale"]["domain"]
    assert domain == [NOON.isoformat(), (NOON + 2 * HOUR).isoformat()]


def test_a_histogram_of_nothing_is_an_empty_chart() -> None:
    assert figures.histogram([], HOUR, dark=True)["data"]["values"] == []


def reading(minute: int, value: float | None, *, triggered: bool) -> dict[str, Any]:
    metrics = {} if value is None else {"value": value, "threshold": 90.0}
    return {"at": NOON + timedelta(minutes=minute), "metrics": metrics, "triggered": triggered}


@pytest.mark.parametrize("dark", [True, False])
def test_readings_run_from_before_the_event_to_its_end_in_order(dark: bool) -> None:
    during = [reading(2, 95, triggered=True), reading(1, 92, triggered=True)]
    before = [reading(0, 80, triggered=False), reading(-1, None, triggered=False)]
    spec = figures.readings(during, before, NOON, dark=dark)
    assert spec is not None
    assert [(row["value"], row["judged"]) for row in spec["data"]["values"]] == [
        (80, "ok"),
        (92, "triggered"),
        (95, "triggered"),
    ]
    assert any(
        layer["encoding"].get("y", {}).get("field") == "threshold" for layer in spec["layer"]
    )


def test_without_values_there_is_no_chart() -> None:
    assert figures.readings([reading(0, None, triggered=True)], [], NOON, dark=False) is None


def test_values_without_a_threshold_are_drawn_without_one() -> None:
    row = {"at": NOON, "metrics": {"value": 1.0}, "triggered": True}
    drawn = figures.readings([row], [], NOON, dark=False)
    assert drawn is not None
    assert not any(
        layer["encoding"].get("y", {}).get("field") == "threshold" for layer in drawn["layer"]
    )


@pytest.mark.parametrize(
    ("limits", "mark", "lines"),
    [([90.0], "rule", 1), ([90.0] * 3, "rule", 1), ([90.0, 80.0], "line", 2)],
)
def test_a_threshold_that_did_not_move_crosses_the_chart_whatever_was_evaluated(
    limits: list[float], mark: str, lines: int
) -> None:
    rows = [
        {
            "at": NOON + n * HOUR,
            "triggered": True,
            "metrics": {"value": 95.0, "threshold": limit},
        }
        for n, limit in enumerate(limits)
    ]
    drawn = figures.readings(rows, [], NOON, dark=False)
    assert drawn is not None
    [layer] = [
        layer
        for layer in drawn["layer"]
        if layer["encoding"].get("y", {}).get("field") == "threshold"
    ]
    assert layer["mark"]["type"] == mark
    drawn_from = layer.get("data", drawn["data"])["values"]
    assert len({value["threshold"] for value in drawn_from}) == lines
