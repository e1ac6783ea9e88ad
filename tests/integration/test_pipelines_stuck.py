"""stuck_runs as a rule: runs that are left in a state, and runs that end just in time."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from prefect import flow
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.events import emit_event
from prefect.states import Cancelling, Completed, Pending, Running
from sqlalchemy import Engine

from flows.pipelines import stuck_runs
from tests.support.pipelines import Team, watcher
from tests.support.prefect import PrefectServer, client_of
from tests.support.processes import wait_for
from tests.support.scenes import Scene, running_here
from triggers.pipelines.stuck import ActiveRun
from triggers.pipelines.stuck_runs import last_heartbeat

AT_ONCE = 0.001  # seconds: a run exceeds this limit as soon as it is looked at


@flow(name="stuck-etl")
def etl() -> None:
    pass


@flow(name="stuck-by-hand")
def by_hand() -> None:
    """A flow without a deployment."""


@pytest.fixture
def team(server: PrefectServer) -> Iterator[Team]:
    with client_of(server) as client, running_here(server):
        yield Team(client)


def rule(team: Team, engine: Engine, name: str, **check: Any) -> Scene:
    given = {"watch": {"flows": ["stuck-etl"], "deployments": [name]}, **check}
    return watcher(team.client, engine, stuck_runs, f"stuck-{name}", given)


def found(scene: Scene) -> dict[str, Any]:
    [event] = scene.rows("alert_event")
    assert event["kind"] == "alert"
    return {run["id"]: run["code"] for run in event["metadata"]["runs"]}


def test_pending_and_cancelling_runs_are_one_event_until_they_end(
    team: Team, store: Engine
) -> None:
    deployment = team.deploy(etl, "left")
    pending = team.put(deployment, Pending())
    cancelling = team.put(deployment, Running(), Cancelling())
    team.put(deployment, Running())  # no limit, and nothing is usual yet
    team.put(deployment, Running(), Completed())
    scene = rule(team, store, "left", pending_seconds=AT_ONCE, cancelling_seconds=AT_ONCE)
    scene.run(0)
    assert found(scene) == {
        str(pending.id): "pending_too_long",
        str(cancelling.id): "cancelling_too_long",
    }
    for run in (pending, cancelling):
        team.client.set_flow_run_state(run.id, Completed(), force=True)
    scene.run(1)
    assert [end for _, _, end in scene.events()] == ["recovered"]


@pytest.mark.slow
def test_a_run_is_compared_with_those_that_completed_before(team: Team, store: Engine) -> None:
    deployment = team.deploy(etl, "usual")
    slow = team.put(deployment, Running())
    scene = rule(team, store, "usual", unusual_from_seconds=0, times_usual=1.1)
    scene.run(0)
    assert scene.rows("alert_event") == []  # nothing has completed: nothing is usual
    for _ in range(3):
        team.put(deployment, Running(), Completed())
    scene.run(1)
    assert found(scene) == {str(slow.id): "running_unusually_long"}


def test_limits_of_hours_are_kept_by_runs_of_now(team: Team, store: Engine) -> None:
    deployment = team.deploy(etl, "fresh")
    for states in ([Pending()], [Running()], [Running(), Cancelling()]):
        team.put(deployment, *states)
    scene = rule(team, store, "fresh", running_seconds=3_600)
    scene.run(0)
    assert scene.rows("alert_event") == []


def test_a_run_whose_heartbeats_end_is_stuck(team: Team, store: Engine) -> None:
    deployment = team.deploy(etl, "silent")
    silent, without = (team.put(deployment, Running()) for _ in range(2))
    scene = rule(team, store, "silent", heartbeat_seconds=AT_ONCE)
    emit_event(
        event="prefect.flow-run.heartbeat",
        resource={"prefect.resource.id": f"prefect.flow-run.{silent.id}"},
    )
    wait_for(
        lambda: last_heartbeat(team.client, ActiveRun.of(silent)), what="the event to be stored"
    )
    scene.run(0)
    assert found(scene) == {str(silent.id): "no_heartbeat"}
    assert without.state_type == "RUNNING"


def test_a_run_without_a_deployment_is_stuck_until_it_ends(team: Team, store: Engine) -> None:
    run = team.client.create_flow_run(by_hand, state=Running())
    given = {"watch": {"flows": ["stuck-by-*"]}, "running_seconds": AT_ONCE}
    scene = watcher(team.client, store, stuck_runs, "stuck-by-hand", given)
    scene.run(0)
    [event] = scene.rows("alert_event")
    assert (event["kind"], event["ticker"]) == ("alert", "stuck-by-hand")
    assert found(scene) == {str(run.id): "running_too_long"}
    scene.run(1, without_deployment=False)  # then the pattern matches no deployment
    assert ("no_data", "", None) in scene.events()
    team.client.set_flow_run_state(run.id, Completed(), force=True)
    scene.run(2)
    assert sorted(scene.events()) == [
        ("alert", "stuck-by-hand", "recovered"),
        ("no_data", "", "recovered"),
    ]


KILLED = """
import os, signal
from prefect import flow

@flow(name="stuck-killed")
def lonely():
    os.kill(os.getpid(), signal.SIGKILL)

lonely()
"""


@pytest.mark.slow  # a program of its own
def test_a_run_without_a_deployment_that_is_killed_stays_running_and_is_stuck(
    team: Team, store: Engine, server: PrefectServer
) -> None:
    env = {**server.env, "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
    done = subprocess.run([sys.executable, "-c", KILLED], env=env, check=False)
    assert done.returncode == -signal.SIGKILL
    mine = FlowFilter(name=FlowFilterName(any_=["stuck-killed"]))
    [run] = team.client.read_flow_runs(flow_filter=mine)
    assert run.state_type == "RUNNING"
    given = {"watch": {"flows": ["stuck-killed"]}, "running_seconds": AT_ONCE}
    scene = watcher(team.client, store, stuck_runs, "stuck-killed", given)
    scene.run(0)
    assert found(scene) == {str(run.id): "running_too_long"}
    scene.run(1)
    assert [end for _, _, end in scene.events()] == [None]
