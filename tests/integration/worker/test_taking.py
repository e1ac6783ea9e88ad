"""Which runs of Prefect's answer a sentinel worker takes, and what it remembers of a deployment."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Scheduled

from sentinel_core.worker.worker import SentinelWorker
from tests.support.prefect import PrefectServer
from tests.support.workers import Workplace, workplace

POOL = "taking"


@pytest.fixture
def place(server: PrefectServer, tmp_path: Path) -> Any:
    """A pool whose worker lives in this process."""
    with workplace(server, tmp_path, "sentinel", POOL) as place:
        yield place


def with_worker(
    place: Workplace, do: Callable[[SentinelWorker], Coroutine[Any, Any, None]]
) -> None:
    """Do something with a worker that is connected and does not ask for runs by itself."""

    async def main() -> None:
        async with SentinelWorker(POOL, limit=2) as worker:
            await do(worker)

    with temporary_settings({PREFECT_API_URL: place.server.api_url}):
        asyncio.run(main())


@pytest.mark.slow
def test_an_answer_that_was_asked_for_before_a_run_ended_does_not_start_it_again(
    place: Workplace,
) -> None:
    """Prefect lets a crashed run go to Pending again: it would be done twice."""
    place.start("ok", name="once")

    async def ask_twice(worker: SentinelWorker) -> None:
        [entry] = await worker._get_scheduled_flow_runs()
        assert await worker._submit_scheduled_flow_runs([entry]) == [entry.flow_run]
        assert await worker._submit_scheduled_flow_runs([entry]) == []  # it has it already
        while worker._taken:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert await worker._submit_scheduled_flow_runs([entry]) == []  # it has had it since
        assert await worker.get_and_submit_flow_runs() == []  # Prefect knows it has ended

    with_worker(place, ask_twice)


def test_a_run_that_is_scheduled_again_is_taken_again(place: Workplace) -> None:
    run = place.start("ok", name="again")

    async def run_it_twice(worker: SentinelWorker) -> None:
        for attempt in (1, 2):
            assert [taken.id for taken in await worker.get_and_submit_flow_runs()] == [run.id]
            while worker._taken:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            assert len(run.facts) == attempt
            await worker.client.set_flow_run_state(run.id, Scheduled(), force=True)

    with_worker(place, run_it_twice)


def test_a_deployment_is_asked_for_again_whenever_it_may_have_changed(place: Workplace) -> None:
    rule = place.rule("remembered", "ok")
    now = datetime.now(UTC)

    async def look(worker: SentinelWorker) -> None:
        deployments = worker._deployments

        def known() -> float:
            return deployments._known[rule.id].asked

        def run(age: timedelta, *, auto: bool = True) -> FlowRun:
            made = rule.run().now
            return made.model_copy(update={"created": now - age, "auto_scheduled": auto})

        await deployments.of(worker.client, run(timedelta(hours=1)))
        first = known()
        await deployments.of(worker.client, run(timedelta(hours=1)))
        assert known() == first  # older than our copy: it was made of the deployment as we know it
        await deployments.of(worker.client, run(timedelta(0)))
        assert known() > first  # made since: perhaps of a deployment that was changed
        second = known()
        await deployments.of(worker.client, run(timedelta(hours=1), auto=False))
        assert known() > second  # started by hand: Prefect does not make those anew
        place.client.delete_deployment(rule.id)

    with_worker(place, look)


def test_deployments_that_may_have_changed_are_read_together(place: Workplace) -> None:
    rules = [place.rule(f"together-{n}", "ok") for n in range(3)]
    asked: list[str] = []

    async def look(worker: SentinelWorker) -> None:
        async def note(request: httpx.Request) -> None:
            path = request.url.path.partition("/api")[2]
            if path != "/csrf-token":  # which Prefect's client asks for now and then
                asked.append(path)

        def scheduled() -> list[FlowRun]:
            made = [rule.run().now for rule in rules]
            return [run.model_copy(update={"auto_scheduled": True}) for run in made]

        worker.client._client.event_hooks["request"].append(note)
        runs = scheduled()
        await worker._deployments.refresh(worker.client, runs)
        assert asked == ["/deployments/filter"]
        found = [await worker._deployments.of(worker.client, run) for run in runs]
        assert [one.id for one in found if one] == [rule.id for rule in rules]
        await worker._deployments.refresh(worker.client, runs)
        assert asked == ["/deployments/filter"]  # nothing was made since
        await worker._deployments.refresh(worker.client, scheduled())
        assert asked == ["/deployments/filter"] * 2
        for rule in rules:
            place.client.delete_deployment(rule.id)

    with_worker(place, look)
