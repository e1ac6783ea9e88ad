"""Hundreds of rules every minute on one sentinel worker: nothing lost, nothing late, nothing grows.

SOAK_RULES and SOAK_MINUTES make it smaller, for trying it out. SOAK_SPREAD=interval spreads the
rules over the minute, SOAK_SPREAD=none starts all at once. A start is late by what it is later than
planned.
"""

import os
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.schedules import CronSchedule
from rich.console import Console
from rich.table import Table

from flows.system import disk_usage
from sentinel_core.up.prefect_server import LATE_AFTER, SETTINGS
from tests.support.load import Lateness, planned_starts, records_of, runs_due
from tests.support.prefect import prefect_server
from tests.support.usage import Usage
from tests.support.workers import Workplace, workplace

pytestmark = pytest.mark.soak

RULES = int(os.environ.get("SOAK_RULES", "300"))
MINUTES = int(os.environ.get("SOAK_MINUTES", "15"))
SPREAD = os.environ.get("SOAK_SPREAD")
MINUTE = timedelta(minutes=1)
EVERY_MINUTE = CronSchedule(cron="* * * * *", timezone="UTC")
SETTLE = timedelta(seconds=30)


@dataclass(frozen=True)
class Minute:
    """What one minute looked like while it lasted."""

    due: datetime
    memory_mb: float
    processes: int
    cpu_seconds: float
    server_cpu_seconds: float
    server_mb: float


@pytest.mark.timeout(MINUTES * 60 + 900)
def test_every_due_evaluation_of_hundreds_of_rules_is_there_once_and_nothing_grows(
    tmp_path: Path,
) -> None:
    with (
        prefect_server(tmp_path) as server,
        workplace(server, tmp_path, "sentinel", "soak") as place,
    ):
        deploy_rules(place)
        with (
            place.worker(
                limit=16, PREFECT_WORKER_QUERY_SECONDS="2", **{LATE_AFTER: SETTINGS[LATE_AFTER]}
            ) as worker,
            Usage(worker=worker.pid, server=server.pid).watched() as usage,
        ):
            first = wait_until_scheduled(place)
            minutes = [watch(place, usage, first + n * MINUTE) for n in range(MINUTES)]
            end = first + MINUTES * MINUTE
            sleep_until(end + SETTLE)
            runs = runs_due(place.client, place.pool, first, end)
            planned = planned_starts(place.store)
            late = [Lateness.of(started_in(runs, minute.due), planned) for minute in minutes]
            show(place, minutes, late, runs)
            assert_complete(place, runs, first)
            assert_kept_up(place, runs, first)
            assert_flat(minutes, late)


def deploy_rules(place: Workplace) -> None:
    """One rule in ten fires. Schedules begin once all are there, so that none waits for others."""
    made = [
        place.deploy(
            f"disk-{n}",
            disk_usage,
            entrypoint="flows/system.py:disk_usage",
            check={"path": "/", "threshold": 0 if n % 10 == 9 else 100},
            cancel_new=True,
            job_variables={"spread": SPREAD} if SPREAD else None,
        )
        for n in range(RULES)
    ]
    every_minute = DeploymentScheduleCreate(schedule=EVERY_MINUTE)
    for deployment in made:
        place.client.create_deployment_schedules(deployment, [every_minute])


def wait_until_scheduled(place: Workplace) -> datetime:
    """The first minute for which every rule has a run, with a minute to spare.

    Making hundreds of schedules keeps the server from its runs: first it has to have done them.
    """
    for _ in range(200):
        due = next_minute() + MINUTE
        if not overdue(place) and (
            len(runs_due(place.client, place.pool, due, due + MINUTE)) == RULES
        ):
            # A minute that the worker had all along: its own start is not what is measured.
            sleep_until(due)
            return due + MINUTE
        time.sleep(3)
    raise AssertionError("Prefect's scheduler has not made the runs")


def overdue(place: Workplace) -> int:
    """How many runs have not begun that should have, wherever in their minute they are to start."""
    before = FlowRunFilterExpectedStartTime(before_=datetime.now(UTC) - 0.9 * MINUTE)
    waiting = FlowRunFilterStateType(any_=[StateType.SCHEDULED, StateType.PENDING])
    return place.client.count_flow_runs(
        flow_run_filter=FlowRunFilter(
            expected_start_time=before, state=FlowRunFilterState(type=waiting)
        )
    )


def next_minute() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0) + MINUTE


def sleep_until(moment: datetime) -> None:
    time.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))


def watch(place: Workplace, usage: Usage, due: datetime) -> Minute:
    """Live through one minute; memory is read when its runs should be done."""
    sleep_until(due)
    before = usage.cpu_seconds()
    sleep_until(due + timedelta(seconds=55))
    after = usage.cpu_seconds()
    return Minute(
        due,
        usage.memory_mb("worker"),
        len(usage.processes("worker")),
        after["worker"] - before["worker"],
        after["server"] - before["server"],
        usage.memory_mb("server"),
    )


def started_in(runs: Sequence[FlowRun], due: datetime) -> list[FlowRun]:
    return [run for run in runs if run.expected_start_time == due and run.start_time]


def show(
    place: Workplace, minutes: Sequence[Minute], late: Sequence[Lateness], runs: Sequence[FlowRun]
) -> None:
    table = Table(title=f"{RULES} rules every minute")
    columns = "minute runs completed p50_s p95_s max_s MB processes CPU_s server_s server_MB"
    for column in columns.split():
        table.add_column(column.replace("_", " "), justify="right")
    for minute, starts in zip(minutes, late, strict=True):
        of_this = started_in(runs, minute.due)
        completed = sum(run.state is not None and run.state.is_completed() for run in of_this)
        figures = (starts.p50, starts.p95, starts.most, minute.memory_mb)
        table.add_row(
            f"{minute.due:%H:%M}",
            str(sum(run.expected_start_time == minute.due for run in runs)),
            str(completed),
            *(f"{figure:.2f}" for figure in figures),
            str(minute.processes),
            f"{minute.cpu_seconds:.1f}",
            f"{minute.server_cpu_seconds:.1f}",
            f"{minute.server_mb:.0f}",
        )
    Console(width=120).print(table)
    states = Counter(run.state.name for run in runs if run.state)
    print(dict(states))


def assert_kept_up(place: Workplace, runs: Sequence[FlowRun], first: datetime) -> None:
    """Prefect's server refused nothing, and has every run's events, which automations go by."""
    log = (place.folder / "server.log").read_text(errors="replace")
    assert log.count("database is locked") == 0
    assert log.count("dropping message") == 0
    wanted = {
        "event": {"name": ["prefect.flow-run.Running"]},
        "occurred": {"since": first.isoformat(), "until": datetime.now(UTC).isoformat()},
    }
    body = {"filter": wanted, "limit": 1}
    assert place.client.request("POST", "/events/filter", json=body).json()["total"] >= len(runs)


def assert_complete(place: Workplace, runs: Sequence[FlowRun], first: datetime) -> None:
    """Every rule was due once each minute, and each of these runs is recorded exactly once."""
    slots = Counter((run.deployment_id, run.expected_start_time) for run in runs)
    assert len({deployment for deployment, _ in slots}) == RULES
    assert {due for _, due in slots} == {first + n * MINUTE for n in range(MINUTES)}
    assert len(slots) == RULES * MINUTES
    assert set(slots.values()) == {1}
    ended = Counter(run.state.type.value for run in runs if run.state)
    assert ended == {"COMPLETED": len(runs)}
    wrong = {key: n for key, n in records_of(place.store, runs).items() if n != 1}
    assert not wrong, f"{len(wrong)} of {len(runs)} runs are not on record once"


def assert_flat(minutes: Sequence[Minute], late: Sequence[Lateness]) -> None:
    """From the second minute on, the last third is as the first: in lateness and in memory."""
    known = minutes[1:]
    third = max(1, len(known) // 3)
    p95 = [starts.p95 for starts in late[1:]]
    memory = [minute.memory_mb for minute in known]
    first, last = statistics.median(p95[:third]), statistics.median(p95[-third:])
    assert last <= first * 1.1 + 2, f"starts drift: p95 {first:.1f} s first, {last:.1f} s at last"
    first, last = statistics.median(memory[:third]), statistics.median(memory[-third:])
    assert last <= first * 1.15 + 20, f"memory grows: {first:.0f} MB at first, {last:.0f} at last"
    # All are due in the same second, and Prefect's server on two cores takes about a minute for
    # them (docs/worker.md): a backlog would show as runs that start far into the next one.
    most = max(starts.most for starts in late[1:])
    assert most < 1.5 * MINUTE.total_seconds(), f"a backlog: a run started {most:.0f} s late"
