"""queue_starvation as a rule: runs that wait while those of others hold what they share."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from prefect import flow, task
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, WorkPoolUpdate
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterTags
from prefect.client.schemas.objects import StateType
from prefect.concurrency.sync import concurrency
from prefect.states import Pending, Running, Scheduled
from sqlalchemy import Engine

from flows.pipelines import queue_starvation
from tests.support.pipelines import Team, watcher
from tests.support.prefect import PrefectServer, client_of
from tests.support.processes import wait_for
from tests.support.scenes import Scene, running_here
from triggers.pipelines.global_limits import full_limits

TAG = "starved-database"
MAY_END = threading.Event()


@task(tags=[TAG], persist_result=False)
def hold() -> None:
    MAY_END.wait(120)


@task(tags=[TAG], persist_result=False)
def use() -> None:
    pass


@flow(name="starved-hog")
def hog() -> None:
    hold()


@flow(name="starved-etl")
def etl() -> None:
    use()


@pytest.fixture
def team(server: PrefectServer) -> Iterator[Team]:
    with client_of(server) as client, running_here(server):
        yield Team(client)


def rule(team: Team, engine: Engine, name: str, **check: Any) -> Scene:
    given = {"watch": {"flows": ["starved-*"], "deployments": [name, f"{name}-hog"]}, **check}
    return watcher(team.client, engine, queue_starvation, f"starved-{name}", given)


def due(team: Team, deployment: UUID, minutes: float = 20) -> UUID:
    state = Scheduled(scheduled_time=datetime.now(UTC) - timedelta(minutes=minutes))
    return team.client.create_flow_run_from_deployment(deployment, state=state).id


def two_queues(team: Team, name: str) -> tuple[UUID, UUID]:
    """A hog in the queue that goes first, and a deployment in the one behind, with a worker."""
    pool = f"pool-{name}"
    behind = team.deploy(etl, name, pool=pool)
    queue = team.client.create_work_queue("behind", work_pool_name=pool, priority=2)
    behind = team.deploy(etl, name, pool=pool, work_queue_name=queue.name)
    first = team.deploy(hog, f"{name}-hog", pool=pool)
    team.client.send_worker_heartbeat(pool, "a-worker", heartbeat_interval_seconds=60)
    return first, behind


def alerts(scene: Scene) -> dict[str, dict[str, Any]]:
    return {
        row["ticker"]: row
        for row in scene.rows("alert_event")
        if row["kind"] == "alert" and not row["resolved_at"]
    }


def test_others_hold_the_slots_of_the_pool_until_one_ends(team: Team, store: Engine) -> None:
    first, behind = two_queues(team, "crowded")
    team.client.update_work_pool("pool-crowded", WorkPoolUpdate(concurrency_limit=2))
    holding = [team.put(first, Pending(), Running()) for _ in range(2)]
    due(team, first)
    starving = due(team, behind)
    scene = rule(team, store, "crowded")
    scene.run(0)
    assert list(alerts(scene)) == ["pool-crowded/behind"]  # the hog waits, too, and is only busy
    found = alerts(scene)["pool-crowded/behind"]["metadata"]
    assert found["cause"] == "work_pool_limit"
    assert [run["id"] for run in found["runs"]] == [str(starving)]
    assert {run["id"] for run in found["slots_taken_by"]} == {str(run.id) for run in holding}
    for state in (Pending(), Running()):
        team.client.set_flow_run_state(starving, state, force=True)
    scene.run(1)
    assert scene.events() == [("alert", "pool-crowded/behind", "recovered")]


def test_a_task_waits_for_a_tag_whose_slots_another_flow_holds(team: Team, store: Engine) -> None:
    first, behind = team.deploy(hog, "tagged-hog"), team.deploy(etl, "tagged")
    team.client.create_concurrency_limit(TAG, 1)
    scene = rule(team, store, "tagged", wait_seconds=0)
    MAY_END.clear()

    def tasks(state: StateType) -> int:
        wanted = TaskRunFilter(tags=TaskRunFilterTags(all_=[TAG]))
        runs = team.client.read_task_runs(task_run_filter=wanted)
        return sum(run.state_type == state for run in runs)

    with ThreadPoolExecutor() as threads:
        try:
            holding = threads.submit(copy_context().run, team.run, hog, first)
            wait_for(lambda: tasks(StateType.RUNNING), what="the slot to be taken")
            waiting = threads.submit(copy_context().run, team.run, etl, behind)
            wait_for(lambda: tasks(StateType.PENDING), what="the other task to wait")
            scene.run(0)
        finally:
            MAY_END.set()
    found = alerts(scene)[f"tag:{TAG}"]
    assert found["metadata"]["cause"] == "tag_limit"
    assert [run["id"] for run in found["metadata"]["runs"]] == [str(waiting.result().id)]
    assert [run["id"] for run in found["metadata"]["slots_taken_by"]] == [str(holding.result().id)]
    scene.run(1)
    assert scene.events() == [("alert", f"tag:{TAG}", "recovered")]


@flow(name="starved-global")
def holding_a_limit() -> None:
    with concurrency("starved-limit"):
        MAY_END.wait(120)


def test_a_global_limit_whose_slots_do_not_change_hands(team: Team, store: Engine) -> None:
    limit = GlobalConcurrencyLimitCreate(name="starved-limit", limit=1)
    team.client.create_global_concurrency_limit(limit)
    deployment = team.deploy(holding_a_limit, "global")
    watch = {"flows": ["starved-global"]}
    scene = rule(team, store, "global", watch=watch, wait_seconds=0, global_limits=["starved-lim*"])
    scene.run(0)
    assert scene.rows("alert_event") == []
    MAY_END.clear()

    def known() -> bool:
        full, _ = full_limits(team.client, ["starved-limit"])
        return [one.changed is not None for one in full] == [True]

    with ThreadPoolExecutor() as threads:
        try:
            holding = threads.submit(copy_context().run, team.run, holding_a_limit, deployment)
            wait_for(known, what="the slot to be taken, and the event of it to be stored")
            scene.run(1)
        finally:
            MAY_END.set()
    found = alerts(scene)["limit:starved-limit"]["metadata"]
    assert [run["id"] for run in found["slots_taken_by"]] == [str(holding.result().id)]
    scene.run(2)
    assert scene.events() == [("alert", "limit:starved-limit", "recovered")]


@pytest.mark.slow  # the pure parts are in tests/unit
def test_a_queue_of_three_hundred_runs_starves_another(team: Team, store: Engine) -> None:
    first, behind = two_queues(team, "flooded")
    for _ in range(300):
        due(team, first, minutes=10)
    starving = due(team, behind)  # due before all of them
    at_most = {"limit": 200}  # what a server gives to a worker whose settings are Prefect's own
    path = "/work_pools/pool-flooded/get_scheduled_flow_runs"
    given = team.client.request("POST", path, json=at_most).json()  # type: ignore[arg-type]
    assert len(given) == 200
    assert str(starving) not in {one["flow_run"]["id"] for one in given}
    scene = rule(team, store, "flooded")
    scene.run(0)
    assert list(alerts(scene)) == ["pool-flooded/behind"]
    event = alerts(scene)["pool-flooded/behind"]
    assert event["metadata"]["cause"] == "longer_queue"
    assert event["metrics"]["ahead"] == 300
    assert [run["id"] for run in event["metadata"]["runs"]] == [str(starving)]
