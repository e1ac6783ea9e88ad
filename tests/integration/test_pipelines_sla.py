"""flow_sla as a rule: promises that real runs break and keep."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from prefect import flow
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.states import Cancelled, Completed, Failed, Running, Scheduled
from sqlalchemy import Engine

from flows.pipelines import flow_sla
from tests.support.pipelines import Team, watcher
from tests.support.prefect import PrefectServer, client_of
from tests.support.scenes import running_here


@flow(name="sla-etl")
def etl() -> None:
    pass


@pytest.fixture
def team(server: PrefectServer) -> Iterator[Team]:
    with client_of(server) as client, running_here(server):
        yield Team(client)


def test_broken_promises_are_events_and_kept_ones_are_not(team: Team, store: Engine) -> None:
    bad, good, idle = (team.deploy(etl, name) for name in ("bad", "good", "idle"))
    team.put(bad, Running(), Failed())
    team.put(good, Running(), Completed())
    team.put(idle, Running(), Cancelled())
    given = {"watch": {"flows": ["sla-etl"]}, "min_success_rate": 60}
    scene = watcher(team.client, store, flow_sla, "sla", given)
    scene.run(0)
    kinds = {(row["kind"], row["ticker"]): row for row in scene.rows("alert_event")}
    assert set(kinds) == {("alert", "sla-etl/bad"), ("no_data", "sla-etl/idle")}
    assert kinds["alert", "sla-etl/bad"]["metadata"]["broken"] == ["min_success_rate"]
    for _ in range(2):
        team.put(bad, Running(), Completed())
    team.put(idle, Running(), Completed())
    scene.run(1)
    assert [end for _, _, end in scene.events()] == ["recovered", "recovered"]


@pytest.mark.slow
def test_a_run_that_is_running_for_too_long(team: Team, store: Engine) -> None:
    deployment = team.deploy(etl, "long")
    team.put(deployment, Running())
    given = {"watch": {"deployments": ["sla-etl/long"]}, "max_duration_seconds": 0.001}
    scene = watcher(team.client, store, flow_sla, "sla-long", given)
    scene.run(0)
    [event] = scene.rows("alert_event")
    assert event["metadata"]["broken"] == ["max_duration_seconds"]


def test_a_run_that_started_late_and_one_that_has_not_started(team: Team, store: Engine) -> None:
    started, waiting = team.deploy(etl, "started"), team.deploy(etl, "waiting")
    hour_ago = Scheduled(scheduled_time=datetime.now(UTC) - timedelta(hours=1))
    for deployment in (started, waiting):
        team.client.create_flow_run_from_deployment(deployment, state=hour_ago)
    [run] = team.client.read_flow_runs(
        flow_run_filter=FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[started]))
    )
    for state in (Running(), Completed()):
        team.client.set_flow_run_state(run.id, state, force=True)
    watch = {"deployments": ["sla-etl/started", "sla-etl/waiting"]}
    given = {"watch": watch, "max_lateness_seconds": 600}
    scene = watcher(team.client, store, flow_sla, "sla-late", given)
    scene.run(0)
    assert [event["metadata"]["broken"] for event in scene.rows("alert_event")] == [
        ["max_lateness_seconds"]
    ] * 2
    team.put(started, Running(), Completed())
    scene.run(1)
    ends = {ticker: end for _, ticker, end in scene.events()}
    assert ends == {"sla-etl/started": "recovered", "sla-etl/waiting": None}


def test_a_deployment_that_is_younger_than_the_window_is_not_judged(
    team: Team, store: Engine
) -> None:
    team.deploy(etl, "young")
    promises = {"min_successes": 1, "ready_by": {"time": "06:30", "timezone": "Europe/Berlin"}}
    given = {"watch": {"deployments": ["sla-etl/young"]}, **promises}
    scene = watcher(team.client, store, flow_sla, "sla-young", given)
    scene.run(0)
    assert scene.events() == [("no_data", "sla-etl/young", None)]
