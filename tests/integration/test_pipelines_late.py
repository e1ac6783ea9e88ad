"""late_runs as a rule: runs that are due, work pools that are shut, full or left alone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelled, Pending, Running, Scheduled
from sqlalchemy import Engine

from flows.pipelines import late_runs, work_pool_health
from tests.support.pipelines import Team, watcher
from tests.support.prefect import PrefectServer, client_of
from tests.support.scenes import Scene, running_here


@flow(name="late-etl")
def etl() -> None:
    pass


@pytest.fixture
def team(server: PrefectServer) -> Iterator[Team]:
    with client_of(server) as client, running_here(server):
        yield Team(client)


def rule(team: Team, engine: Engine, name: str) -> Scene:
    given = {"watch": {"flows": ["late-etl"], "deployments": [name]}}
    return watcher(team.client, engine, late_runs, f"late-{name}", given)


def late(team: Team, deployment: UUID) -> FlowRun:
    due = Scheduled(scheduled_time=datetime.now(UTC) - timedelta(minutes=10))
    return team.client.create_flow_run_from_deployment(deployment, state=due)


def worker_asks(team: Team, pool: str) -> None:
    """What a worker does every few seconds, without taking a run."""
    team.client.send_worker_heartbeat(pool, "a-worker", heartbeat_interval_seconds=60)
    team.client.get_scheduled_flow_runs_for_work_pool(
        pool, scheduled_before=datetime(2020, 1, 1, tzinfo=UTC)
    )


def under_way(team: Team, deployment: UUID) -> FlowRun:
    run = team.client.create_flow_run_from_deployment(deployment)
    for state in (Pending(), Running()):
        team.client.set_flow_run_state(run.id, state)
    return team.client.read_flow_run(run.id)


def alert(scene: Scene) -> dict[str, Any]:
    [event] = scene.rows("alert_event")
    assert (event["kind"], event["ticker"]) == ("alert", f"late-etl/{scene.deployment.name[5:]}")
    return event


def test_without_a_worker_until_the_run_is_cancelled(team: Team, store: Engine) -> None:
    deployment = team.deploy(etl, "lonely", pool="late-lonely")
    run = late(team, deployment)
    scene = rule(team, store, "lonely")
    scene.run(0)
    event = alert(scene)
    assert event["metadata"]["cause"] == "no_worker_online"
    assert [item["id"] for item in event["metadata"]["runs"]] == [str(run.id)]
    team.client.set_flow_run_state(run.id, Cancelled(), force=True)
    scene.run(1)
    assert [end for _, _, end in scene.events()] == ["recovered"]


def test_a_full_deployment_names_the_run_that_has_its_slot(team: Team, store: Engine) -> None:
    deployment = team.deploy(etl, "single", pool="late-single", concurrency_limit=1)
    worker_asks(team, "late-single")
    blocking = under_way(team, deployment)
    waiting = late(team, deployment)
    team.client.set_flow_run_state(waiting.id, Pending())  # as its worker: Prefect puts it off
    assert team.client.read_flow_run(waiting.id).state_name == "AwaitingConcurrencySlot"
    scene = rule(team, store, "single")
    scene.run(0)
    event = alert(scene)
    assert event["metadata"]["cause"] == "deployment_limit"
    assert [item["id"] for item in event["metadata"]["slots_taken_by"]] == [str(blocking.id)]


def test_a_full_pool_and_then_a_paused_one(team: Team, store: Engine) -> None:
    deployment = team.deploy(etl, "crowded", pool="late-crowded")
    team.client.update_work_pool("late-crowded", WorkPoolUpdate(concurrency_limit=1))
    worker_asks(team, "late-crowded")
    blocking = under_way(team, deployment)
    late(team, deployment)
    scene = rule(team, store, "crowded")
    scene.run(0)
    event = alert(scene)
    assert event["metadata"]["cause"] == "work_pool_limit"
    assert [item["id"] for item in event["metadata"]["slots_taken_by"]] == [str(blocking.id)]
    team.client.update_work_pool("late-crowded", WorkPoolUpdate(is_paused=True))
    scene.run(1)
    assert alert(scene)["metadata"]["cause"] == "work_pool_paused"


def test_a_run_that_is_not_due_or_waits_for_less_than_the_limit_is_fine(
    team: Team, store: Engine
) -> None:
    deployment = team.deploy(etl, "punctual", pool="late-punctual")
    soon = Scheduled(scheduled_time=datetime.now(UTC) + timedelta(hours=1))
    team.client.create_flow_run_from_deployment(deployment, state=soon)
    team.client.create_flow_run_from_deployment(deployment)
    scene = rule(team, store, "punctual")
    scene.run(0)
    assert scene.rows("alert_event") == []
    assert [row["ticker"] for row in scene.rows("evaluation")] == [""]


@pytest.mark.slow
def test_a_pool_is_healthy_once_a_worker_is_there(team: Team, store: Engine) -> None:
    team.deploy(etl, "healthy", pool="late-healthy")
    given = {"watch": {"deployments": ["late-etl/healthy"]}}
    scene = watcher(team.client, store, work_pool_health, "late-health", given)
    scene.run(0)
    [event] = scene.rows("alert_event")
    assert (event["kind"], event["ticker"]) == ("alert", "late-healthy")
    assert event["metadata"]["codes"] == ["no_worker_online"]
    worker_asks(team, "late-healthy")
    scene.run(1)
    assert scene.events() == [("alert", "late-healthy", "recovered")]
