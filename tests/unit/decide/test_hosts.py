"""When a host is too busy, too full, or not heard of."""

from datetime import UTC, datetime, timedelta

import pytest

from sentinel_core.decide.hosts import SILENT_AFTER, Host, Sample, urgent_first

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cpu", "memory", "disk", "over"),
    [
        (80, 80, 90, ()),
        (80.1, 80, 90, ("cpu",)),
        (None, 80.1, 90.1, ("memory", "disk")),
        (None, 0, 0, ()),
        (100, 100, 100, ("cpu", "memory", "disk")),
    ],
)
def test_what_is_above_its_limit(
    cpu: float | None, memory: float, disk: float, over: tuple[str, ...]
) -> None:
    assert Sample(NOON, cpu, memory, disk).over() == over


def test_a_host_is_silent_when_its_newest_sample_is_old() -> None:
    host = Host("a", (Sample(NOON - timedelta(hours=1), 1, 1, 1), Sample(NOON, 2, 2, 2)))
    assert host.latest.cpu == 2
    assert not host.silent(NOON + SILENT_AFTER)
    assert host.silent(NOON + SILENT_AFTER + timedelta(seconds=1))


def test_what_is_known_of_a_host_is_its_newest_value_that_is_not_too_old() -> None:
    minute = timedelta(minutes=1)
    host = Host("a", (Sample(NOON - 5 * minute, 7, 1, 1), Sample(NOON, None, 2, 2)))
    assert host.known("memory", NOON - minute) == 2
    assert host.known("cpu", NOON - 5 * minute) == 7
    assert host.known("cpu", NOON - minute) is None
    assert host.known("disk", NOON + minute) is None


def test_a_host_that_needs_a_look_comes_before_all_others() -> None:
    long_ago = NOON - SILENT_AFTER - timedelta(seconds=1)
    found = [
        Host("a", (Sample(NOON, 1, 1, 1),)),
        Host("d", (Sample(long_ago, 99, 1, 1),)),  # what it used then says nothing about now
        Host("c", (Sample(long_ago, 1, 1, 1),)),
        Host("f", (Sample(NOON, 1, 1, 99),)),
        Host("e", (Sample(NOON, 99, 1, 1),)),
        Host("b", (Sample(NOON, None, 1, 1),)),
    ]
    assert [host.name for host in urgent_first(found, NOON)] == ["e", "f", "c", "d", "a", "b"]
