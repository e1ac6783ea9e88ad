"""Failures with one cause: runs that a failing run started, and a storm across flows."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment
from prefect.events.actions import RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.states import Completed, Crashed, Failed, Running
from sqlalchemy import Engine

from flows.pipelines import failure_storm, flow_run_failures
from sentinel_core.flow.watched_causes import has_recovered
from sentinel_core.prefect_io.starters import read_starters, starter_tag
from tests.support.pipelines import Team, watcher
from tests.support.prefect import PrefectServer, client_of
from tests.support.processes import wait_for
from tests.support.runs import rows
from tests.support.scenes import Scene, running_here


@flow(name="causes-load")
def load() -> None:
    """Its runs are given their states by hand."""


@flow(name="causes-etl")
def etl(below: list[str], broken: bool = False) -> None:
    """A run that starts a run of each of these deployments."""
    started = [str(run_deployment(f"causes-load/{name}", timeout=0).id) for name in below]
    if broken:
        raise RuntimeError(",".join(started))


@flow(name="causes-outer")
def outer(below: list[str]) -> None:
    """Its subflow starts the runs."""
    etl(below, broken=True)


@pytest.fixture
def team(server: PrefectServer) -> Iterator[Team]:
    with client_of(server) as client, running_here(server):
        yield Team(client)


def rule(team: Team, engine: Engine, name: str, deployments: list[str]) -> Scene:
    given = {"watch": {"deployments": deployments}, "settle_seconds": 0}
    return watcher(team.client, engine, flow_run_failures, name, given)


def started_by(team: Team, run: FlowRun) -> list[FlowRun]:
    """The runs that a run of `etl` started and then named in its error, in that order."""
    assert run.state is not None
    named = (run.state.message or "").rpartition("RuntimeError: ")[2].split(",")
    return [team.client.read_flow_run(one) for one in named]


def end(team: Team, run: FlowRun, state: Any) -> None:
    for one in (Running(), state):
        team.client.set_flow_run_state(run.id, one, force=True)


def open_tickers(scene: Scene) -> set[str]:
    return {row["ticker"] for row in scene.rows("alert_event") if row["resolved_at"] is None}


def test_runs_that_a_failing_run_started_are_part_of_its_event(team: Team, store: Engine) -> None:
    names = [f"cause-{n}" for n in range(5)]
    nightly = team.deploy(outer, "cause-nightly")
    for name in names:
        team.deploy(load, name)
    scene = rule(team, store, "causes", ["cause-*"])
    first = started_by(team, team.run(outer, nightly, below=names))
    for run in first:
        end(team, run, Failed(message="no source"))
    scene.run(0)
    [event] = scene.rows("alert_event")
    assert event["ticker"] == "causes-outer/cause-nightly"
    assert event["metrics"]["value"] == 6
    assert {one["id"] for one in event["metadata"]["started"]} == {str(run.id) for run in first}
    assert event["metadata"]["joined_series"] == [f"causes-load/{name}" for name in names]

    team.put(nightly, Running(), Completed())
    for run in first[:4]:
        assert run.deployment_id is not None
        team.put(run.deployment_id, Running(), Completed())
    scene.run(1)
    assert open_tickers(scene) == {"causes-load/cause-4"}
    assert len(scene.rows("alert_event")) == 2


def test_a_tag_names_the_run_that_started_another(team: Team) -> None:
    nightly, below = team.deploy(load, "tagged-nightly"), team.deploy(load, "tagged-below")
    starting = team.put(nightly, Running(), Crashed())
    tags = [starter_tag(starting.id)]
    tagged = team.client.create_flow_run_from_deployment(below, tags=tags)
    found = read_starters(team.client, [tagged, starting])
    assert {key: [run.id for run in row] for key, row in found.items()} == {
        tagged.id: [starting.id]
    }


def test_a_failure_has_recovered_with_a_later_run_of_the_same_deployment_that_completed(
    team: Team,
) -> None:
    named = uuid4().hex
    nightly, hourly = team.deploy(load, f"nightly-{named}"), team.deploy(load, f"hourly-{named}")
    team.put(nightly, Running(), Completed())
    failed = team.put(nightly, Running(), Failed())
    assert not has_recovered(team.client, failed)  # it completed before that
    team.put(hourly, Running(), Completed())
    by_hand = team.client.create_flow_run(load, state=Running())
    team.client.set_flow_run_state(by_hand.id, Completed(), force=True)
    team.put(nightly, Running(), Failed())
    assert not has_recovered(team.client, failed)
    team.put(nightly, Running(), Completed())
    assert has_recovered(team.client, failed)


def test_a_failure_without_a_deployment_has_recovered_with_a_later_run_without_one(
    team: Team,
) -> None:
    alone = flow(name=f"causes-{uuid4().hex}")(load.fn)

    def ended(state: State[Any]) -> FlowRun:
        run = team.client.create_flow_run(alone, state=Running())
        team.client.set_flow_run_state(run.id, state, force=True)
        return team.client.read_flow_run(run.id)

    failed = ended(Failed())
    team.put(team.deploy(alone, "nightly"), Running(), Completed())
    assert not has_recovered(team.client, failed)
    ended(Completed())
    assert has_recovered(team.client, failed)


@pytest.mark.slow
def test_a_run_that_an_automation_started_was_started_by_the_run_it_reacted_to(
    team: Team,
) -> None:
    nightly, below = team.deploy(load, "named-nightly"), team.deploy(load, "named-below")
    after = EventTrigger(
        expect={"prefect.flow-run.Crashed"},
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related={
            "prefect.resource.id": f"prefect.deployment.{nightly}",
            "prefect.resource.role": "deployment",
        },
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(0),
    )
    action = RunDeployment(source="selected", deployment_id=below)
    made = team.client.create_automation(
        AutomationCore(name="causes-named", trigger=after, actions=[action])
    )
    of_below = DeploymentFilter(id=DeploymentFilterId(any_=[below]))
    try:
        starting = team.put(nightly, Running(), Crashed())

        def starters() -> list[list[UUID]]:
            runs = team.client.read_flow_runs(deployment_filter=of_below)
            return [[run.id for run in row] for row in read_starters(team.client, runs).values()]

        wait_for(lambda: starters() == [[starting.id]], what="the automation to start a run")
    finally:
        team.client.request("DELETE", "/automations/{id}", path_params={"id": made})


def test_a_fourth_failure_within_an_hour_is_a_storm_that_mutes_single_messages(
    team: Team, store: Engine
) -> None:
    deployments = [team.deploy(load, f"storm-{n}") for n in range(4)]
    watch = {"watch": {"deployments": ["storm-*"]}}
    single = watcher(
        team.client,
        store,
        flow_run_failures,
        "storm-single",
        {**watch, "settle_seconds": 0},
        notify={"high": ["slack-incoming-webhook/none"]},
    )
    muting = [{"rule": "storm-single", "same_ticker": False}]
    storm = watcher(team.client, store, failure_storm, "storm", watch, inhibits=muting)
    for deployment in deployments[:3]:
        team.put(deployment, Running(), Failed())
    storm.run(0)
    single.run(0)
    assert storm.rows("alert_event") == []
    assert len(single.told()) == 3
    assert "suppressed" not in [status for _, status in single.told()]
    team.put(deployments[3], Running(), Failed())
    storm.run(5)
    [event] = storm.rows("alert_event")
    assert event["message"].startswith("System-wide investigation needed: 4 runs of 4 deployments")
    assert (event["importance"], len(event["metadata"]["runs"])) == ("critical", 4)
    single.run(6)
    [fourth] = rows(store, "alert_event", ticker="causes-load/storm-3")
    assert fourth["suppressed_code"] == "inhibited"
    assert [status for _, status in single.told()].count("suppressed") == 1
