"""CPU usage: thresholds as a table, then this machine with a process that really is busy."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial

import pytest
from pydantic import ValidationError

from sentinel_core.model.alert import Importance
from triggers.sources.processes import busiest
from triggers.system import cpu_usage
from triggers.system.cpu_usage import CpuSample, CpuUsage


def sample(percent: float) -> CpuSample:
    return CpuSample(percent=percent, cores=4, load_1m=1.5)


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
def test_the_cpu_triggers_above_the_threshold_and_is_critical_above_the_second(
    percent: float, triggered: bool, importance: Importance | None
) -> None:
    output = CpuUsage().evaluate(sample(percent), "db1")
    assert (output.triggered, output.importance) == (triggered, importance)
    assert output.metrics == {"value": percent, "threshold": 90, "load_1m": 1.5}
    assert output.message == f"CPU is {percent:.1f} % busy (threshold 90 %)"
    assert (output.ticker, output.metadata["unit"]) == ("db1", "%")


def test_a_critical_threshold_of_100_never_makes_it_critical() -> None:
    output = CpuUsage(critical_threshold=100).evaluate(sample(100), "db1")
    assert (output.triggered, output.importance) == (True, None)


@pytest.fixture
def burner() -> Iterator[int]:
    """The pid of a process that keeps one core busy."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        yield process.pid
        process.kill()


def test_a_busy_process_is_measured_and_named(burner: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # However many others keep this machine busy.
    monkeypatch.setattr(cpu_usage, "busiest", partial(busiest, limit=10_000))
    start = time.monotonic()
    output = CpuUsage(threshold=0, interval_seconds=1).check()
    assert time.monotonic() - start >= 1
    assert output.triggered
    assert output.ticker == socket.gethostname()
    assert 0 < output.metrics["value"] <= 100
    mine = [p for p in output.metadata["busiest"] if p["pid"] == burner]
    assert mine, output.metadata
    assert 0 < mine[0]["cpu_percent"] <= 110, "a share of at most one core"


def test_only_processes_seen_twice_count_and_the_busiest_come_first() -> None:
    before = {(1, 10.0): ("init", 5.0), (2, 20.0): ("idle", 1.0), (3, 30.0): ("gone", 9.0)}
    after = {(1, 10.0): ("init", 5.5), (2, 20.0): ("idle", 1.0), (3, 99.0): ("other", 50.0)}
    assert busiest(before, after, seconds=2) == [{"pid": 1, "name": "init", "cpu_percent": 25.0}]


@pytest.mark.parametrize(
    "check",
    [{"threshold": 101}, {"critical_threshold": -1}, {"interval_seconds": 0}, {"interval": 1}],
)
def test_a_rule_that_makes_no_sense_is_refused(check: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(check))):
        CpuUsage.model_validate(check)
