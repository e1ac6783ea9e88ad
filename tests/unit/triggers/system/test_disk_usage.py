"""Disk usage: the threshold as a table, then this machine's disk."""

import shutil
import socket
from pathlib import Path

import pytest
from pydantic import ValidationError

from triggers.sources.disks import DiskSample
from triggers.sources.errors import SourceError
from triggers.system.disk_usage import DiskUsage


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


@pytest.mark.parametrize(
    ("space", "inodes", "triggered", "value"),
    [
        (12, 100, True, 100),
        (95, 3, True, 95),
        (12, 90, False, 90),
        (0, 90.1, True, 90.1),
        (12, 3, False, 12),
        (12, None, False, 12),
    ],
)
def test_a_disk_is_judged_by_the_fuller_of_space_and_inodes(
    space: float, inodes: float | None, triggered: bool, value: float
) -> None:
    both = sample(space).model_copy(update={"inodes_percent": inodes})
    output = DiskUsage(path="/data", threshold=90).evaluate(both, "db1")
    assert (output.triggered, output.metrics["value"]) == (triggered, value)
    assert output.metrics.get("inodes_percent") == inodes
    assert ("of its inodes" in output.message) is (value == inodes)
    if inodes == 100:
        assert output.message == (
            "Disk /data has used 100.0 % of its inodes (threshold 90 %); its space is 12.0 % full"
        )


def test_a_file_system_without_a_size_is_an_error() -> None:
    with pytest.raises(SourceError, match="/proc is on a file system without a size"):
        DiskUsage(path="/proc").check()


def test_a_real_disk_is_measured(tmp_path: Path) -> None:
    output = DiskUsage(path=str(tmp_path), threshold=0).check()
    actual = shutil.disk_usage(tmp_path)
    assert output.triggered
    assert output.ticker == socket.gethostname()
    assert output.metadata["total_bytes"] == actual.total
    # Between two readings somebody may have written something, but not a tenth of the disk.
    share = actual.used / (actual.used + actual.free) * 100
    space = output.metrics.get("space_percent", output.metrics["value"])
    assert space == pytest.approx(share, abs=10)
    assert output.metrics["value"] == max(space, output.metrics.get("inodes_percent", 0))


def test_a_path_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        DiskUsage(path=str(tmp_path / "nowhere")).check()


@pytest.mark.parametrize("check", [{"threshold": 101}, {"threshold": -1}, {"path": ""}])
def test_a_rule_that_makes_no_sense_is_refused(check: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(check))):
        DiskUsage.model_validate(check)
