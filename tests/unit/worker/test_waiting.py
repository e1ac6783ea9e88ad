"""How long a run waits in the worker before it is put off in Prefect."""

from datetime import UTC, datetime, timedelta

import pytest
from prefect.settings import PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS, temporary_settings

from sentinel_core.worker.spread import Plan
from sentinel_core.worker.waiting import longest_here, waits_for

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(("now", "waits"), [(-10, 40), (0, 40), (15, 25), (40, 0), (100, -60)])
def test_a_wait_counts_from_when_the_run_is_due_or_seen(now: float, waits: float) -> None:
    start = NOON + timedelta(seconds=40)
    noon = NOON.timestamp()
    assert waits_for(noon, Plan(start, start), noon + now) == waits


@pytest.mark.parametrize(
    ("late_after", "limited", "longest"),
    [(15, False, 15), (60, False, 60), (600, False, 60), (15, True, 5), (2, True, 2)],
)
def test_no_run_waits_here_until_prefect_calls_it_late(
    late_after: int, limited: bool, longest: float
) -> None:
    with temporary_settings({PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS: late_after}):
        assert longest_here(limited=limited) == longest
