"""When failed runs are a storm, and what its event lists. Real runs: tests/integration."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from triggers.pipelines.ended_run import EndedRun, Ending
from triggers.pipelines.failure_storm import FailureStorm

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def failed(number: int, name: str) -> tuple[str, EndedRun]:
    at = NOON + timedelta(minutes=number)
    return name, EndedRun(UUID(int=number), f"run-{number}", Ending.FAILED, "Failed", "", at, at)


def test_the_defaults_are_more_than_three_within_sixty_minutes():
    trigger = FailureStorm()
    assert (trigger.max_failures, trigger.window_minutes) == (3, 60)


@pytest.mark.parametrize(("runs", "storm"), [(0, False), (3, False), (4, True), (400, True)])
def test_more_failed_runs_than_the_limit_are_a_storm(runs, storm):
    output = FailureStorm().evaluate([failed(n, f"etl/{n % 7}") for n in range(runs)], 9)
    assert output.triggered is storm
    assert output.metrics["value"] == runs


def test_the_event_lists_the_runs_and_names_the_deployments():
    names = ["etl/nightly", "load/prices", "etl/nightly", "load/names"]
    output = FailureStorm().evaluate([failed(n, name) for n, name in enumerate(names)], 9)
    assert output.message == (
        "System-wide investigation needed: 4 runs of 3 deployments failed within 1 h, more than "
        "3: etl/nightly (2), load/prices (1), load/names (1). The newest: run-3 Failed at "
        "2026-03-02 12:03:00 UTC"
    )
    listed = [(run["series"], run["name"]) for run in output.metadata["runs"]]
    assert listed == [(names[n], f"run-{n}") for n in (3, 2, 1, 0)]
    assert output.metadata["by_deployment"] == {
        "etl/nightly": 2,
        "load/prices": 1,
        "load/names": 1,
    }


def test_a_thousand_failures_fit_into_one_event():
    output = FailureStorm().evaluate([failed(n, f"etl/{n}") for n in range(1_000)], 1_000)
    assert (len(output.metadata["runs"]), output.metadata["not_listed"]) == (50, 950)
    assert "and 995 more" in output.message
