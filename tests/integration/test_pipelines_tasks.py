"""Watchers of tasks as rules: one that was retried in vain, and one that took too long."""

import time
from collections.abc import Iterator

import pytest
from prefect import flow, task
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterFlowRunId
from prefect.client.schemas.objects import FlowRun
from sqlalchemy import Engine

from flows.pipelines import slow_tasks, task_run_failures
from tests.support.pipelines import Team, watcher
from tests.support.prefect import PrefectServer, client_of
from tests.support.processes import wait_for
from tests.support.scenes import running_here


@task(retries=1)
def extract(broken: bool) -> int:
    if broken:
        raise ValueError("the tape is torn")
    return 1


@task
def may_fail(broken: bool) -> None:
    if broken:
        raise ValueError("as always")


@flow(name="tasks-etl")
def etl(broken: bool = True) -> str:
    extract(broken, return_state=True)
    may_fail(broken, return_state=True)
    return "went on"


@pytest.fixture
def team(server: PrefectServer) -> Iterator[Team]:
    with client_of(server) as client, running_here(server):
        yield Team(client)


@task
def load(seconds: float) -> None:
    time.sleep(seconds)


@task(task_run_name="piece {number}")
def renamed(number: int, seconds: float) -> None:
    time.sleep(seconds)


@flow(name="tasks-load")
def loading(seconds: float = 0, fewest: int = 10) -> None:
    for number in range(fewest):
        load(0)
        renamed(number, 0)
    load(seconds)
    renamed(fewest, seconds)


def recorded(team: Team, run: FlowRun, tasks: int = 2) -> None:
    """Until Prefect has stored the ends of all tasks, which it does on the side."""
    mine = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[run.id]))

    def ended() -> bool:
        runs = team.client.read_task_runs(task_run_filter=mine)
        return len(runs) == tasks and all(one.state and one.state.is_final() for one in runs)

    wait_for(ended, what="the tasks to be recorded")


@pytest.mark.slow
def test_a_task_that_failed_in_a_run_that_completed(team: Team, store: Engine) -> None:
    deployment = team.deploy(etl, "nightly")
    given = {"watch": {"flows": ["tasks-etl"]}, "exclude_tasks": ["may_*"], "settle_seconds": 0}
    scene = watcher(team.client, store, task_run_failures, "tasks", given)
    run = team.run(etl, deployment)
    assert run.state_type == "COMPLETED"
    recorded(team, run)
    scene.run(0)
    [event] = scene.rows("alert_event")
    assert (event["kind"], event["ticker"]) == ("alert", "tasks-etl/nightly")
    [failed] = event["metadata"]["tasks"]
    assert (failed["task"], failed["retries"], failed["ending"]) == ("extract", 1, "failed")
    assert failed["flow_run"] == str(run.id)
    recorded(team, team.run(etl, deployment, broken=False))
    scene.run(1)
    assert scene.events() == [("alert", "tasks-etl/nightly", "recovered")]


def test_a_task_that_takes_longer_than_its_earlier_runs(team: Team, store: Engine) -> None:
    deployment = team.deploy(loading, "nightly")
    limits = {"slow_from_seconds": 0.5, "times_p95": 2, "settle_seconds": 0}
    given = {"watch": {"flows": ["tasks-load"]}, **limits}
    scene = watcher(team.client, store, slow_tasks, "slow-tasks", given)
    recorded(team, team.run(loading, deployment), tasks=22)
    scene.run(0)
    assert scene.rows("alert_event") == []
    run = team.run(loading, deployment, seconds=1.2, fewest=0)
    recorded(team, run)
    scene.run(1)
    [event] = scene.rows("alert_event")
    assert (event["kind"], event["ticker"]) == ("alert", "tasks-load/nightly")
    tasks = event["metadata"]["tasks"]
    assert {(one["task"], one["code"], one["flow_run"]) for one in tasks} == {
        ("load", "earlier_runs", str(run.id)),
        ("renamed", "earlier_runs", str(run.id)),
    }
    scene.run(2)
    recorded(team, team.run(loading, deployment, fewest=0))
    scene.run(3)
    assert scene.events() == [("alert", "tasks-load/nightly", "recovered")]
