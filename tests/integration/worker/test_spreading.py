"""Runs that are spread over their rules' period, and start once and at their offset."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS,
    temporary_settings,
)
from prefect.states import Cancelled, Completed, Pending, Running

from sentinel_core.decide.stagger import offset_seconds
from sentinel_core.prefect_io.planned import put_off, read_planned
from sentinel_core.worker.work_pool import WorkPoolFacts
from sentinel_core.worker.worker import SentinelWorker
from tests.support.patience import patient
from tests.support.prefect import PrefectServer
from tests.support.workers import DeployedRun, Workplace, workplace

PERIOD = timedelta(seconds=30)
HERE_SECONDS = 2  # that a run waits in the worker; the others wait in Prefect


@pytest.fixture
def place(server: PrefectServer, tmp_path: Path) -> Iterator[Workplace]:
    """A pool whose workers live in this process."""
    after = PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS
    with (
        temporary_settings({PREFECT_API_URL: server.api_url, after: HERE_SECONDS}),
        workplace(server, tmp_path, "sentinel", f"spreading-{uuid4().hex[:8]}") as place,
    ):
        yield place
        mine = WorkPoolFilter(name=WorkPoolFilterName(any_=[place.pool]))
        for deployment in place.client.read_deployments(work_pool_filter=mine):
            place.client.delete_deployment(deployment.id)  # or its schedule goes on


def scheduled(place: Workplace, name: str, due: datetime, **variables: object) -> DeployedRun:
    """The run that Prefect's scheduler makes for this moment, of a rule with these variables."""
    every = IntervalSchedule(interval=PERIOD, anchor_date=due)
    schedules = [DeploymentScheduleCreate(schedule=every)]
    rule = place.rule(name, "ok", schedules=schedules, job_variables=variables)
    span = {"start_time": due.isoformat(), "end_time": (due + PERIOD / 2).isoformat()}
    where = "/deployments/{id}/schedule"
    place.client.request("POST", where, path_params={"id": rule.id}, json=span)
    runs = [run for run in place.client.read_flow_runs() if run.deployment_id == rule.id]
    [made] = [run for run in runs if run.expected_start_time == due]
    assert made.auto_scheduled
    return DeployedRun(place, rule.name, made.id)


def named(place: Workplace, first: float, last: float) -> str:
    """A name whose rule starts so many seconds after it was due, between these two."""
    window = 0.8 * PERIOD.total_seconds()
    return next(
        name
        for name in (f"rule-{n}" for n in range(1000))
        if first <= offset_seconds(f"{place.pool}-{name}", window) <= last
    )


def planned(run: DeployedRun, due: datetime) -> datetime:
    return due + timedelta(seconds=offset_seconds(run.rule_name, 0.8 * PERIOD.total_seconds()))


def claimed(run: DeployedRun) -> datetime:
    """When a worker took it; its first process takes seconds to start."""
    states = run.place.client.read_flow_run_states(run.id)
    [at] = [state.timestamp for state in states if state.is_pending()]
    return at


async def settled(worker: SentinelWorker) -> None:
    """Until the worker is done with all runs that it has taken."""
    async with asyncio.timeout(patient(30)):
        while worker._taken:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def ended(runs: Sequence[DeployedRun], *workers: SentinelWorker) -> None:
    """Until these runs have ended; the workers go on asking Prefect for runs."""
    async with asyncio.timeout(patient(60)):
        while not await asyncio.to_thread(lambda: all(run.is_final for run in runs)):
            for worker in workers:
                await worker.get_and_submit_flow_runs()
            await asyncio.sleep(0.3)


def test_runs_start_at_their_offset_once_whoever_takes_them(place: Workplace) -> None:
    """The worker that puts a run off ends meanwhile, and two others start it."""
    due = datetime.now(UTC) + timedelta(seconds=patient(3))
    names = [named(place, 4, 4.5), named(place, 4.5, 5)]
    runs = [scheduled(place, name, due, spread="interval") for name in names]

    async def live() -> None:
        async with SentinelWorker(place.pool, limit=2) as first:
            assert len(await first.get_and_submit_flow_runs()) == len(runs)
            await settled(first)
        assert [run.state.name for run in runs] == ["Scheduled"] * len(runs)
        async with SentinelWorker(place.pool) as second, SentinelWorker(place.pool) as third:
            await ended(runs, second, third)

    asyncio.run(live())
    for run in runs:
        start = planned(run, due)
        assert start <= claimed(run)
        assert len(run.facts) == 1
        run.wait_recorded()
        [evaluation] = run.evaluations
        assert evaluation["planned_at"] == start.replace(tzinfo=None).isoformat(" ")
        states = place.client.read_flow_run_states(run.id)
        waited = [state for state in states if state.is_scheduled()]
        assert [state.state_details.scheduled_time for state in waited] == [due, start]
        assert {state.name for state in waited} == {"Scheduled"}  # never Late
    assert place.reconcile().silent == []
    assert place.reconcile_adds_nothing_for(*runs)


def test_a_run_that_was_cancelled_since_it_was_listed_stays_cancelled(place: Workplace) -> None:
    """Prefect would schedule it again."""
    due = datetime.now(UTC) + timedelta(seconds=5)
    run = scheduled(place, named(place, 10, 20), due, spread="interval")

    async def live() -> None:
        async with SentinelWorker(place.pool, limit=2) as worker:
            listed = await worker._get_scheduled_flow_runs()
            place.client.set_flow_run_state(run.id, Cancelled())
            await worker._submit_scheduled_flow_runs(listed)
            await settled(worker)

    asyncio.run(live())
    assert (run.state.type.value, run.facts) == ("CANCELLED", [])


def test_a_run_that_another_worker_has_done_meanwhile_is_not_done_again(place: Workplace) -> None:
    run = place.start("ok", name="once")

    async def live() -> None:
        async with SentinelWorker(place.pool, limit=2) as worker:
            listed = await worker._get_scheduled_flow_runs()
            for state in (Pending(), Running(), Completed()):
                place.client.set_flow_run_state(run.id, state)
            await worker._submit_scheduled_flow_runs(listed)
            await settled(worker)

    asyncio.run(live())
    assert (run.state.type.value, run.facts) == ("COMPLETED", [])


def test_reconcile_finds_out_when_a_run_was_to_start(place: Workplace) -> None:
    due = datetime.now(UTC) - timedelta(minutes=10)
    on_time, spread = (scheduled(place, name, due) for name in ("asked-on-time", "asked-spread"))
    later = due + timedelta(minutes=9)
    place.client.set_flow_run_state(spread.id, put_off(due, later))
    for run in (on_time, spread):
        for state in (Running(), Completed()):
            place.client.set_flow_run_state(run.id, state)
    assert read_planned(place.client, on_time.now) is None
    assert read_planned(place.client, spread.now) == later
    by_hand = place.rule("asked-by-hand", "ok").run()
    assert read_planned(place.client, by_hand.now) is None


def test_a_worker_knows_whether_it_is_alone_and_whether_a_limit_hides_runs(
    place: Workplace,
) -> None:
    async def look(worker: SentinelWorker) -> tuple[bool, bool]:
        facts = WorkPoolFacts()
        assert (facts.shared, facts.limited) == (True, False)  # not known yet
        await facts.refresh(worker.client, worker.work_pool, worker.name)
        return facts.shared, facts.limited

    async def live() -> None:
        async with SentinelWorker(place.pool) as first:
            assert await look(first) == (False, False)
            async with SentinelWorker(place.pool) as second:
                assert [await look(worker) for worker in (first, second)] == [(True, False)] * 2
            [queue] = await first.client.read_work_queues(work_pool_name=place.pool)
            await first.client.update_work_queue(queue.id, concurrency_limit=3)
            assert (await look(first))[1]

    asyncio.run(live())
