"""Watchers on what happens to real runs: a killed process, hundreds of failures, and nothing."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow, flow, task
from prefect.states import Completed, Failed, Pending, Running
from sqlalchemy import Engine

from flows.pipelines import (
    flow_run_failures,
    flow_sla,
    late_runs,
    queue_starvation,
    slow_flows,
    slow_tasks,
    stuck_runs,
    task_run_failures,
)
from tests.support.pipelines import Team, watcher
from tests.support.prefect import PrefectServer, client_of, prefect_worker
from tests.support.processes import wait_for
from tests.support.scenes import Scene, running_here

WATCHERS: dict[Flow[..., Any], dict[str, Any]] = {
    flow_run_failures: {},
    task_run_failures: {},
    slow_flows: {},
    slow_tasks: {},
    late_runs: {},
    stuck_runs: {},
    queue_starvation: {},
    flow_sla: {"min_success_rate": 99},
}


@task
def step() -> None:
    pass


@flow(name="reality-fine")
def fine() -> None:
    step()


@flow(name="reality-torn")
def torn() -> None:
    raise ValueError("the tape is torn")


@flow(name="reality-killed")
def killed() -> None:
    """What the worker runs is in a file of its own."""


KILLED = """
import os, signal
from prefect import flow

@flow(name="reality-killed")
def killed():
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def team(server: PrefectServer) -> Iterator[Team]:
    with client_of(server) as client, running_here(server):
        yield Team(client)


def all_watchers(team: Team, engine: Engine, flow_name: str) -> list[Scene]:
    """A rule of each watcher of runs, for one flow."""
    watch = {"watch": {"flows": [flow_name]}}
    return [
        watcher(team.client, engine, item, f"{flow_name}-{item.name}", {**watch, **check})
        for item, check in WATCHERS.items()
    ]


def events(scenes: list[Scene]) -> list[tuple[str, str, str, str | None]]:
    """What all of them reported: the watcher, the kind and the series, and how it ended."""
    return [(scene.flow.name, *event) for scene in scenes for event in scene.events()]


@pytest.mark.slow
def test_a_process_that_is_killed_under_a_worker_is_one_event(
    team: Team, store: Engine, server: PrefectServer, tmp_path: Path
) -> None:
    (tmp_path / "killed.py").write_text(KILLED)
    there = {"prefect.deployments.steps.set_working_directory": {"directory": str(tmp_path)}}
    deployment = team.deploy(
        killed, "nightly", pool="reality", entrypoint="killed.py:killed", pull_steps=[there]
    )
    with prefect_worker(server, "reality"):
        run = team.client.create_flow_run_from_deployment(deployment)

        def ended() -> bool:
            state = team.client.read_flow_run(run.id).state
            return state is not None and state.is_final()

        wait_for(ended, what="the worker to report the dead process")
    scene = watcher(
        team.client,
        store,
        flow_run_failures,
        "reality-killed",
        {"watch": {"flows": ["reality-killed"]}, "settle_seconds": 0},
    )
    scene.run(0)
    scene.run(1)
    [event] = scene.rows("alert_event")
    assert (event["kind"], event["ticker"]) == ("alert", "reality-killed/nightly")
    [found] = event["metadata"]["runs"]
    assert (found["id"], found["ending"]) == (str(run.id), "crashed")


@pytest.mark.slow
def test_failures_beyond_one_page_are_one_event_and_each_counts_once(
    team: Team, store: Engine
) -> None:
    deployment = team.deploy(torn, "hourly")
    for _ in range(450):
        team.put(deployment, Running(), Failed(message="the tape is torn"))
    given = {"watch": {"flows": ["reality-torn"]}, "settle_seconds": 0}
    scene = watcher(team.client, store, flow_run_failures, "reality-paged", given)
    scene.run(0)
    scene.run(1)
    [event] = scene.rows("alert_event")
    assert event["metrics"]["value"] == 450
    assert event["metadata"]["not_listed"] == 430
    assert event["occurrences"] == 1
    team.put(deployment, Running(), Completed())
    scene.run(2)
    assert scene.events() == [("alert", "reality-torn/hourly", "recovered")]


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_a_thousand_healthy_runs_are_no_event(team: Team, store: Engine) -> None:
    deployments = [team.deploy(fine, name) for name in ("hourly", "nightly")]
    scenes = all_watchers(team, store, "reality-fine")
    began = time.monotonic()
    for number in range(1_000):
        deployment = deployments[number % 2]
        if number % 10 == 0:
            team.run(fine, deployment)
        else:
            team.put(deployment, Pending(), Running(), Completed())
        if number % 100 == 99:
            for scene in scenes:
                scene.run(number / 100)
    assert events(scenes) == []
    looked = sum(
        row["metrics"]["ended_runs"] for row in scenes[0].rows("evaluation") if row["ticker"] == ""
    )
    assert looked >= 900, f"{looked} runs in {time.monotonic() - began:.0f} s"
