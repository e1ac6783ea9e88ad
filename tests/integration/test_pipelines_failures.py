"""flow_run_failures as a rule: real runs that end in every way, and the events they give."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from prefect import flow
from prefect.states import Cancelled, Completed, Crashed, Failed, Running
from sqlalchemy import Engine

from flows.pipelines import flow_run_failures, slow_flows
from tests.support.pipelines import Team, watcher
from tests.support.prefect import PrefectServer, client_of
from tests.support.scenes import Scene, running_here
from triggers.pipelines import ended_since


@flow(name="failures-fine")
def fine(n: int = 1) -> int:
    return n


@flow(name="failures-torn")
def torn(broken: bool = True) -> None:
    if broken:
        raise ValueError("the tape is torn")


@flow(name="failures-slow", timeout_seconds=0.2)
def slow() -> None:
    time.sleep(2)


@pytest.fixture
def team(server: PrefectServer) -> Iterator[Team]:
    with client_of(server) as client, running_here(server):
        yield Team(client)


def rule(team: Team, engine: Engine, name: str, flows: list[str], **check: Any) -> Scene:
    given = {"watch": {"flows": flows}, "settle_seconds": 0, **check}
    return watcher(team.client, engine, flow_run_failures, name, given)


def open_events(scene: Scene) -> dict[str, dict[str, Any]]:
    return {row["ticker"]: row for row in scene.rows("alert_event") if not row["resolved_at"]}


def test_every_way_of_failing_is_one_event_with_its_code(team: Team, store: Engine) -> None:
    nightly = {f: team.deploy(f, "nightly") for f in (fine, torn, slow)}
    set_by_api = team.deploy(torn, "by-hand")
    crashed = team.deploy(fine, "crashed")
    cancelled = team.deploy(fine, "cancelled")
    refused = team.deploy(fine, "refused")
    runs = {
        "failures-torn/nightly": team.run(torn, nightly[torn]),
        "failures-slow/nightly": team.run(slow, nightly[slow]),
        "failures-fine/refused": team.run(fine, refused, n="many"),
        "failures-torn/by-hand": team.put(set_by_api, Running(), Failed(message="by hand")),
        "failures-fine/crashed": team.put(crashed, Running(), Crashed(message="no memory")),
    }
    team.run(fine, nightly[fine])
    team.put(cancelled, Running(), Cancelled())
    scene = rule(team, store, "all-endings", ["failures-*"], importances={"crashed": "critical"})
    scene.run(0)
    events = open_events(scene)
    assert set(events) == set(runs)
    codes = {ticker: event["metadata"]["runs"][0] for ticker, event in events.items()}
    assert {ticker: code["ending"] for ticker, code in codes.items()} == {
        "failures-torn/nightly": "failed",
        "failures-slow/nightly": "timed_out",
        "failures-fine/refused": "bad_parameters",
        "failures-torn/by-hand": "failed",
        "failures-fine/crashed": "crashed",
    }
    assert {ticker: code["id"] for ticker, code in codes.items()} == {
        ticker: str(run.id) for ticker, run in runs.items()
    }
    assert events["failures-fine/crashed"]["importance"] == "critical"
    assert events["failures-torn/nightly"]["importance"] == "high"
    assert "the tape is torn" in events["failures-torn/nightly"]["message"]


def test_each_failure_counts_once_and_a_completed_run_ends_the_event(
    team: Team, store: Engine
) -> None:
    deployment = team.deploy(torn, "counted")
    scene = rule(team, store, "counted", ["failures-torn"])
    scene.deployment.parameters["check"]["watch"]["deployments"] = ["counted"]
    ticker = "failures-torn/counted"
    team.run(torn, deployment)
    team.run(torn, deployment)
    scene.run(0)
    scene.run(1)
    assert [row["metrics"]["value"] for row in evaluations(scene, ticker)] == [2]
    assert list(open_events(scene)) == [ticker]
    team.run(torn, deployment)  # while nothing is evaluated: no hole
    team.run(torn, deployment, broken=False)
    scene.run(3)
    assert [row["metrics"]["value"] for row in evaluations(scene, ticker)] == [2, 1]
    assert list(open_events(scene)) == [ticker]
    scene.run(4)
    assert scene.events() == [("alert", ticker, "recovered")]
    scene.run(5)
    assert [row["metrics"]["value"] for row in evaluations(scene, ticker)] == [2, 1, 0]


def test_a_run_that_is_edited_after_it_was_reported_is_reported_once(
    team: Team, store: Engine
) -> None:
    deployment = team.deploy(torn, "edited")
    scene = rule(team, store, "edited", ["failures-torn"])
    scene.deployment.parameters["check"]["watch"]["deployments"] = ["edited"]
    tagged = team.put(deployment, Running(), Failed())
    failed_again = team.put(deployment, Running(), Failed())
    scene.run(0)
    team.put(deployment, Running(), Completed())
    scene.run(1)
    assert [end for _, _, end in scene.events()] == ["recovered"]
    team.client.update_flow_run(tagged.id, tags={"looked-at"})
    team.client.set_flow_run_state(failed_again.id, Failed(), force=True)
    scene.run(2)
    assert [end for _, _, end in scene.events()] == ["recovered"]
    found = evaluations(scene, "failures-torn/edited")
    assert [row["metrics"]["value"] for row in found] == [2, 0]


def test_a_filter_that_matches_nothing_is_no_data_until_it_is_corrected(
    team: Team, store: Engine
) -> None:
    team.deploy(fine, "known")
    scene = rule(team, store, "mistyped", ["failures-fin"])
    scene.run(0)
    [event] = scene.rows("alert_event")
    assert (event["kind"], event["resolved_at"]) == ("no_data", None)
    assert "flows: 'failures-fin'" in event["message"]
    scene.run(1, watch={"flows": ["failures-fine"], "deployments": ["known"]})
    assert scene.events() == [("no_data", "", "recovered")]


def test_rules_and_housekeeping_are_never_watched(team: Team, store: Engine) -> None:
    team.deploy(fine, "housekeeping", tags=["sentinel"])
    scene = rule(team, store, "own", ["flow-run-failures"])
    scene.run(0)
    scene.run(1, watch={"deployments": ["housekeeping"]})
    [event] = scene.rows("alert_event")
    assert event["kind"] == "no_data"


@pytest.mark.parametrize("name", ["quo'\"ted", "two\nlines", "x" * 10_000])
def test_hostile_messages_and_deployment_names(team: Team, store: Engine, name: str) -> None:
    deployment = team.deploy(torn, f"hostile {name}"[:9_000])
    scene = rule(team, store, f"hostile-{len(name)}", ["failures-torn"])
    scene.deployment.parameters["check"]["watch"]["deployments"] = [f"hostile {name}"[:9_000]]
    team.put(deployment, Running(), Failed(message=f"{name}\x00"))
    scene.run(0)
    assert [kind for kind, _, end in scene.events() if end is None] == ["alert"]


def evaluations(scene: Scene, ticker: str) -> list[dict[str, Any]]:
    found = [row for row in scene.rows("evaluation") if row["ticker"] == ticker]
    return sorted(found, key=lambda row: row["at"])


@flow(name="slow-etl")
def etl(seconds: float = 0) -> None:
    time.sleep(seconds)


def test_a_run_that_takes_longer_than_its_limit_is_slow(team: Team, store: Engine) -> None:
    limits = {"max_seconds": 1, "slow_from_seconds": 0, "settle_seconds": 0}
    deployment = team.deploy(etl, "slow")
    given = {"watch": {"flows": ["slow-etl"]}, **limits}
    scene = watcher(team.client, store, slow_flows, "slow", given)
    team.run(etl, deployment, seconds=1.5)
    scene.run(0)
    assert list(open_events(scene)) == ["slow-etl/slow"]
    [run] = open_events(scene)["slow-etl/slow"]["metadata"]["runs"]
    assert run["code"] == "limit"
    team.put(deployment, Running(), Completed())
    scene.run(1)
    assert scene.events() == [("alert", "slow-etl/slow", "recovered")]


@pytest.mark.slow  # the pure parts are in tests/unit
def test_more_runs_than_one_evaluation_reads_are_counted_once_by_the_next_ones(
    team: Team, store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ended_since, "MOST_RUNS", 2)
    deployment = team.deploy(torn, "burst")
    for _ in range(5):
        team.put(deployment, Running(), Failed())
        time.sleep(1.2)
    scene = rule(team, store, "burst", ["failures-torn"], first_look_minutes=1)
    scene.deployment.parameters["check"]["watch"]["deployments"] = ["burst"]
    scene.run(0)
    assert ("no_data", "", None) in scene.events()
    minute = 1
    while ("no_data", "", None) in scene.events() and minute < 30:
        scene.run(minute)
        minute += 1
    found = evaluations(scene, "failures-torn/burst")
    assert sum(row["metrics"]["value"] for row in found) == 5
    assert [event for event in scene.events() if event[0] == "alert"] == [
        ("alert", "failures-torn/burst", None)
    ]
    assert ("no_data", "", "recovered") in scene.events()
