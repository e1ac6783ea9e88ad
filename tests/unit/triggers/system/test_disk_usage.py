"""Disk usage: the threshold as a table, then this machine's disk."""

import shutil
import socket
from pathlib import Path

import pytest
from pydantic import ValidationError

from triggers.system.disk_usage import DiskSample, DiskUsage


def sample(percent: float) -> DiskSample:
    return DiskSample(path="/data", percent=percent, used_bytes=2**30, total_bytes=4 * 2**30)


@pytest.mark.parametrize(
    ("percent", "triggered"), [(0, False), (89.9, False), (90, False), (90.1, True), (100, True)]
)
def test_a_disk_triggers_above_the_threshold_and_not_at_it(percent: float, triggered: bool) -> None:
    output = DiskUsage(path="/data", threshold=90).evaluate(sample(percent), "db1")
    assert output.triggered is triggered
    assert output.ticker == "db1"
    assert output.importance is None
    assert output.metrics == {"value": percent, "threshold": 90, "free_gib": 3}
    assert (output.metadata["unit"], output.metadata["path"]) == ("%", "/data")
    assert output.message == f"Disk /data is {percent:.1f} % full (threshold 90 %)"


def test_a_real_disk_is_measured(tmp_path: Path) -> None:
    output = DiskUsage(path=str(tmp_path), threshold=0).check()
    actual = shutil.disk_usage(tmp_path)
    assert output.triggered
    assert output.ticker == socket.gethostname()
    assert output.metadata["total_bytes"] == actual.total
    # Between two readings somebody may have written something, but not a tenth of the disk.
    share = actual.used / (actual.used + actual.free) * 100
    assert output.metrics["value"] == pytest.approx(share, abs=10)


def test_a_path_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        DiskUsage(path=str(tmp_path / "nowhere")).check()


@pytest.mark.parametrize("check", [{"threshold": 101}, {"threshold": -1}, {"path": ""}])
def test_a_rule_that_makes_no_sense_is_refused(check: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(check))):
        DiskUsage.model_validate(check)
