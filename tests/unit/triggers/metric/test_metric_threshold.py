"""Metric threshold: thresholds as a table, then real numbers of this machine."""

import math
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import Engine

from flows.metric import metric_threshold as flow
from sentinel_core.model.alert import AlertOutput, Importance, as_outputs
from sentinel_core.model.condition import Operator
from sentinel_core.model.trigger import NoHistory
from tests.support.recorded import NOON, a_rule, a_run, observe
from tests.support.runs import rows
from triggers.metric.metric_threshold import MetricThreshold
from triggers.sources.errors import SourceError
from triggers.sources.metrics_psutil import _METRICS
from triggers.sources.readings import Reading, no_data, unreadable

MEMORY = {"kind": "psutil", "metric": "memory_percent"}
ROWS = {"kind": "sql", "url": "sqlite:///x.db", "query": "SELECT 1", "ticker_column": "t"}
PROMETHEUS = {"kind": "prometheus", "url": "http://127.0.0.1:9090", "query": "up"}


def rule(source: dict[str, Any] = MEMORY, **check: Any) -> MetricThreshold:
    return MetricThreshold.model_validate({"source": source, **check})


def measured(source: dict[str, Any], **check: Any) -> AlertOutput:
    (output,) = as_outputs(rule(source, **check).measure(NoHistory()))
    return output


# --- comparing


@pytest.mark.parametrize(
    ("says", "op", "threshold", "value", "triggered"),
    [
        ("above", "gt", 90, 90.1, True),
        ("exactly at it is not above", "gt", 90, 90, False),
        ("at least", "gte", 90, 90, True),
        ("less than at least", "gte", 90, 89.99, False),
        ("below", "lt", 70, 69.9, True),
        ("exactly at it is not below", "lt", 70, 70, False),
        ("at most", "lte", 70, 70, True),
        ("more than at most", "lte", 70, 70.01, False),
        ("equal, but for how floats are added up", "eq", 0.3, 0.1 + 0.2, True),
        ("not equal", "eq", 3, 4, False),
        ("different", "ne", 3, 4, True),
        ("not different, but for how floats are added up", "ne", 0.3, 0.1 + 0.2, False),
        ("below zero", "lt", -5, -6, True),
        ("zero is a value", "lt", 1, 0, True),
        ("only measured", "gt", None, 1e9, False),
    ],
)
def test_a_number_triggers(
    says: str, op: str, threshold: float | None, value: float, triggered: bool
) -> None:
    output = rule(op=op, threshold=threshold).evaluate(Reading(value))
    assert output.triggered is triggered, says
    assert output.metrics["value"] == value
    assert output.metrics.get("threshold") == threshold
    assert output.problem is None


@pytest.mark.parametrize(
    ("op", "value", "importance"),
    [
        ("gte", 89, None),
        ("gte", 90, None),
        ("gte", 95, Importance.CRITICAL),
        ("gt", 95, None),
        ("gt", 95.1, Importance.CRITICAL),
    ],
)
def test_an_alert_beyond_the_critical_threshold_is_critical(
    op: str, value: float, importance: Importance | None
) -> None:
    check = rule(op=op, threshold=90, critical_threshold=95)
    assert check.evaluate(Reading(value)).importance is importance


@given(
    st.sampled_from(["gt", "gte", "lt", "lte"]),
    st.floats(-1e6, 1e6),
    st.floats(0, 1e6),
    st.floats(-1e7, 1e7),
)
def test_what_is_critical_has_triggered(
    op: str, threshold: float, further: float, value: float
) -> None:
    sign = 1 if op in ("gt", "gte") else -1
    check = rule(op=op, threshold=threshold, critical_threshold=threshold + sign * further)
    output = check.evaluate(Reading(value))
    assert output.triggered or output.importance is None


@pytest.mark.parametrize(
    ("check", "reading", "message"),
    [
        ({"threshold": 90}, Reading(93.14), "memory_percent is 93.14 %, > 90 %"),
        ({"threshold": 90}, Reading(12), "memory_percent is 12 %, not > 90 %"),
        (
            {"threshold": 90, "critical_threshold": 95, "op": "gte"},
            Reading(97),
            "memory_percent is 97 %, critical: ≥ 95 %",
        ),
        ({}, Reading(1_234_567.8), "memory_percent is 1,234,568 %"),
        ({}, Reading(12_345.678), "memory_percent is 12,345.7 %"),
        ({}, Reading(-3e300), "memory_percent is -3e+300 %"),
        ({"unit": "MB"}, Reading(7), "memory_percent is 7 MB"),
        ({}, Reading(7, "node-1"), "node-1: memory_percent is 7 %"),
        ({}, Reading(7, note="of two"), "memory_percent is 7 % (of two)"),
        ({}, no_data("is null"), "memory_percent is null"),
        ({}, unreadable("is 'x', not a number", "b"), "b: memory_percent is 'x', not a number"),
    ],
)
def test_the_message_says_the_number_what_it_is_and_the_threshold(
    check: dict[str, Any], reading: Reading, message: str
) -> None:
    assert rule(**check).evaluate(reading).message == message


@pytest.mark.parametrize(
    ("reading", "problem"), [(no_data("is null"), "no_data"), (unreadable("is a list"), "error")]
)
def test_what_has_no_number_is_a_problem_and_never_fine(reading: Reading, problem: str) -> None:
    output = rule(op="lt", threshold=70).evaluate(reading)
    assert (output.problem, output.triggered, output.metrics) == (problem, False, {})


def test_a_number_is_recorded_under_its_own_name_too() -> None:
    output = rule(metric="memory", threshold=90, ticker="db-1").evaluate(Reading(50))
    assert output.metrics == {"memory": 50, "value": 50, "threshold": 90}
    assert output.ticker == "db-1"
    assert (output.metadata["source"], output.metadata["unit"]) == ("psutil", "%")


def test_no_data_of_the_whole_check_ends_when_its_series_are_back(engine: Engine) -> None:
    check, known = rule(PROMETHEUS, threshold=10), a_rule("up")
    moments = [[no_data("matched no series")], [Reading(1, "a"), no_data("is NaN", "b")]]
    for minute, readings in enumerate(moments):
        outputs = as_outputs([check.evaluate(reading) for reading in readings])
        observe(engine, known, a_run(NOON + timedelta(minutes=minute)), outputs)
    events = {row["ticker"]: row["resolved_at"] for row in rows(engine, "alert_event")}
    assert events == {"": NOON + timedelta(minutes=1), "b": None}


# --- wrong parameters


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ({"source": None}, "source"),
        ({"source": {}}, "Unable to extract tag using discriminator 'kind'"),
        ({"source": {"kind": "redis"}}, "does not match any of the expected tags"),
        ({"source": {"kind": "psutil"}}, "metric"),
        ({"source": {"kind": "psutil", "metric": "cpu"}}, "metric"),
        ({"source": {**MEMORY, "interval_seconds": 0}}, "interval_seconds"),
        ({"source": {**MEMORY, "interval_seconds": 31}}, "interval_seconds"),
        ({"source": {**MEMORY, "url": "http://x/"}}, "url"),
        ({"source": {**MEMORY, "path": ""}}, "path"),
        ({"op": ">"}, "op"),
        ({"threshold": math.nan}, "threshold"),
        ({"threshold": math.inf}, "threshold"),
        ({"threshold": "much"}, "threshold"),
        ({"critical_threshold": 95}, "needs a threshold"),
        ({"threshold": 90, "critical_threshold": 89}, "89 is below the threshold 90"),
        ({"threshold": 7, "critical_threshold": 8, "op": "lt"}, "8 is above the threshold 7"),
        ({"threshold": 7, "critical_threshold": 8, "op": "eq"}, "needs an order"),
        ({"threshold": 7, "critical_threshold": math.nan}, "critical_threshold"),
        ({"unit": "x" * 21}, "unit"),
        ({"ticker": "x" * 201}, "ticker"),
        ({"metric": ""}, "metric"),
        ({"metric": "x" * 201}, "metric"),
        ({"metric": "threshold"}, "recorded as something else"),
        ({"metric": "hits"}, "recorded as something else"),
        ({"source": ROWS, "ticker": "x"}, "the source names its series"),
        ({"source": {**PROMETHEUS, "ticker_labels": ["job"]}, "ticker": "x"}, "names its series"),
        ({"treshold": 90}, "treshold"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(check: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        MetricThreshold.model_validate({"source": MEMORY, **check})
    assert said in str(caught.value)


def test_every_operator_of_conditions_is_taken() -> None:
    assert [rule(op=op.value).op for op in Operator] == list(Operator)


def test_the_form_of_a_rule_offers_one_choice_for_each_source() -> None:
    """Prefect's forms know `anyOf` and not `oneOf`."""
    schema = flow.parameters.model_dump()
    source = schema["definitions"]["MetricThreshold"]["properties"]["source"]
    offered = {choice["$ref"].rpartition("/")[2] for choice in source["anyOf"]}
    assert offered == {
        "PsutilMetrics",
        "HttpMetrics",
        "PrometheusMetrics",
        "SqlMetrics",
        "CacheHitRate",
    }
    assert "oneOf" not in str(schema["definitions"])


# --- this machine


@pytest.mark.parametrize("name", sorted(_METRICS))
def test_every_number_of_this_machine_can_be_read(name: str) -> None:
    source = {"kind": "psutil", "metric": name, "interval_seconds": 0.1}
    output = measured(source, op="gte", threshold=0)
    if output.problem is None:  # a machine may count no disks and have no swap space
        assert output.triggered
        assert math.isfinite(output.metrics["value"])
    else:
        assert name.startswith(("disk_", "swap_")) and output.problem == "no_data"
    assert output.ticker.startswith(socket.gethostname())
    assert output.message.startswith(name)


def test_the_memory_measured_is_that_of_this_machine() -> None:
    output = measured({"kind": "psutil", "metric": "memory_available_bytes"})
    assert 0 < output.metrics["value"] <= psutil.virtual_memory().total
    assert output.metadata["unit"] == "B"


def test_the_disk_measured_is_the_one_asked_for(tmp_path: Path) -> None:
    output = measured({"kind": "psutil", "metric": "disk_percent", "path": str(tmp_path)})
    known = os.statvfs(tmp_path)
    used = (known.f_blocks - known.f_bfree) * known.f_frsize
    expected = used / (used + known.f_bavail * known.f_frsize) * 100
    assert output.metrics["value"] == pytest.approx(expected, abs=1)
    assert output.ticker == f"{socket.gethostname()} {tmp_path}"


@pytest.mark.parametrize("path", ["/no/such/folder", "a\0b"])
def test_a_disk_that_is_not_there_is_an_error(path: str) -> None:
    with pytest.raises(SourceError, match="can't be read"):
        measured({"kind": "psutil", "metric": "disk_percent", "path": path})


def test_two_readings_of_a_counter_never_go_back() -> None:
    source = {"kind": "psutil", "metric": "uptime_seconds"}
    first = measured(source).metrics["value"]
    assert measured(source).metrics["value"] >= first
    booted = datetime.fromtimestamp(psutil.boot_time(), UTC)
    assert (datetime.now(UTC) - booted).total_seconds() == pytest.approx(first, abs=5)


@pytest.mark.parametrize("name", ["disk_percent", "disk_free_bytes"])
def test_a_file_system_without_a_size_is_an_error(name: str) -> None:
    with pytest.raises(SourceError, match="without a size"):
        measured({"kind": "psutil", "metric": name, "path": "/proc"}, threshold=90)


def test_missing_swap_space_is_no_data() -> None:
    output = measured({"kind": "psutil", "metric": "swap_percent"}, threshold=90)
    assert (output.problem == "no_data") is (psutil.swap_memory().total == 0)
