"""Memory usage: thresholds as a table, then this machine's memory."""

import os
import socket

import psutil
import pytest
from pydantic import ValidationError

from sentinel_core.model.alert import Importance
from triggers.system.memory_usage import MemorySample, MemoryUsage


def sample(percent: float) -> MemorySample:
    return MemorySample(percent=percent, available_bytes=2**30, total_bytes=2**33)


@pytest.mark.parametrize(
    ("percent", "triggered", "importance"),
    [
        (0, False, None),
        (90, False, None),
        (90.1, True, None),
        (95, True, None),
        (95.1, True, Importance.CRITICAL),
        (100, True, Importance.CRITICAL),
    ],
)
def test_memory_triggers_above_the_threshold_and_is_critical_above_the_second(
    percent: float, triggered: bool, importance: Importance | None
) -> None:
    output = MemoryUsage().evaluate(sample(percent), "db1")
    assert (output.triggered, output.importance) == (triggered, importance)
    assert output.metrics == {"value": percent, "threshold": 90, "available_mb": 1024}
    assert output.message == (
        f"Memory is {percent:.1f} % in use (threshold 90 %), 1,024 MB available"
    )


def test_what_does_not_trigger_is_never_critical() -> None:
    output = MemoryUsage(threshold=97, critical_threshold=50).evaluate(sample(96), "db1")
    assert (output.triggered, output.importance) == (False, None)


def test_real_memory_is_measured() -> None:
    output = MemoryUsage(threshold=0).check()
    assert output.triggered
    assert output.ticker == socket.gethostname()
    assert output.metadata["total_bytes"] == psutil.virtual_memory().total
    assert output.metrics["value"] == pytest.approx(psutil.virtual_memory().percent, abs=15)
    sizes = [process["rss_mb"] for process in output.metadata["largest"]]
    assert sizes == sorted(sizes, reverse=True)
    own = psutil.Process(os.getpid()).memory_info().rss / 2**20
    assert sizes[0] >= own - 5, "the largest process is at least as large as this one"


@pytest.mark.parametrize("check", [{"threshold": 101}, {"critical_threshold": -1}])
def test_a_rule_that_makes_no_sense_is_refused(check: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(check))):
        MemoryUsage.model_validate(check)
