"""Hooks that were never called: reconcile records what they would have."""

import os
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.client.schemas.objects import FlowRun
from prefect.states import Crashed
from sqlalchemy import Engine

from sentinel_core.base.settings import get_settings
from sentinel_core.flow.opening import open_store
from sentinel_core.flow.reconcile import Report, Say, reconcile
from tests.support import own_flows
from tests.support.own_flows import run
from tests.support.prefect import PrefectServer
from tests.support.processes import BIN, start, stop
from tests.support.runs import rows


def reconciled(client: SyncPrefectClient, say: Say = print) -> Report:
    settings = get_settings()
    return reconcile(client, open_store(settings), settings, say=say, settle=timedelta(0))


def killed(
    server: PrefectServer, folder: Path, kind: str, name: str, mode: str = "kill", **more: str
) -> None:
    """Run a flow in a process that kills itself."""
    settings = {k: v for k, v in os.environ.items() if k.startswith("SENTINEL_")}
    env = {**server.env, **settings, **more}
    command = (str(BIN / "python"), "-m", "tests.support.own_flows", kind, name, mode)
    process = start(*command, env=env, log=folder / "run.log")
    process.wait(120)
    stop(process)


def the_run(client: SyncPrefectClient, name: str) -> FlowRun:
    wanted = FlowFilter(name=FlowFilterName(any_=[name]))
    [flow_run] = client.read_flow_runs(flow_filter=wanted)
    return flow_run


def crash(client: SyncPrefectClient, key: UUID) -> None:
    """What a worker or an automation of Prefect does about a run whose process is gone."""
    client.set_flow_run_state(key, Crashed(message="The process was lost."), force=True)


def test_the_first_run_of_a_flow_whose_process_was_killed_is_recorded(
    client: SyncPrefectClient, reconciling_server: PrefectServer, store: Engine, tmp_path: Path
) -> None:
    name = own_flows.renamed(own_flows.mortal).name
    killed(reconciling_server, tmp_path, "mortal", name)
    assert rows(store, "alert_event", rule_name=name) == []
    lost = the_run(client, name)
    crash(client, lost.id)
    said: list[str] = []
    reconciled(client, said.append)
    [event] = rows(store, "alert_event", rule_name=name)
    assert (event["ticker"], event["importance"]) == ("crash", "high")
    assert event["message"].startswith(f"{name}, run {lost.name}: ended as Crashed")
    assert "The process was lost." in event["message"]
    assert event["metrics"]["retries"] == 0
    assert f"{name}: recorded run {lost.name} (Crashed) for crash." in said
    reconciled(client)
    assert rows(store, "alert_event", rule_name=name) == [event]
    assert len(rows(store, "evaluation", rule_id=event["rule_id"])) == 1


def test_a_success_after_a_failure_ends_the_event_of_a_hook_that_is_not_called_at_it(
    client: SyncPrefectClient, store: Engine
) -> None:
    flow = own_flows.renamed(own_flows.nightly)
    run(flow, "fail")
    reconciled(client)
    [event] = rows(store, "alert_event", rule_name=flow.name)
    assert event["resolved_at"] is None
    run(flow, "ok")
    reconciled(client)
    [event] = rows(store, "alert_event", rule_name=flow.name)
    assert (event["ticker"], event["resolution"]) == ("failure", "recovered")


@pytest.mark.slow
def test_a_failure_while_the_store_was_away_is_recorded_later(
    client: SyncPrefectClient, store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = own_flows.renamed(own_flows.nightly)
    run(flow, "fail")
    run(flow, "ok")
    reconciled(client)
    with monkeypatch.context() as patched:
        patched.setenv("SENTINEL_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
        get_settings.cache_clear()
        state = run(flow, "fail")
    get_settings.cache_clear()
    assert state.name == "Failed"
    assert len(rows(store, "alert_event", rule_name=flow.name)) == 1
    reconciled(client)
    assert [e["ticker"] for e in rows(store, "alert_event", rule_name=flow.name)] == [
        "failure",
        "failure",
    ]


@pytest.mark.slow
def test_a_success_of_a_task_after_its_failure_ends_its_event(
    client: SyncPrefectClient, store: Engine
) -> None:
    flow = own_flows.renamed(own_flows.pipeline)
    run(flow, "fail")
    reconciled(client)
    [event] = rows(store, "alert_event", rule_name=flow.name)
    assert (event["ticker"], event["resolved_at"]) == ("extract: failure", None)
    run(flow, "ok")
    reconciled(client)
    [event] = rows(store, "alert_event", rule_name=flow.name)
    assert event["resolution"] == "recovered"


@pytest.mark.slow
def test_the_failure_of_a_task_whose_process_was_killed_before_its_hook_is_recorded_once(
    client: SyncPrefectClient, reconciling_server: PrefectServer, store: Engine, tmp_path: Path
) -> None:
    flow = own_flows.renamed(own_flows.pipeline)
    run(flow, "fail")  # from now on the hook is known
    run(flow, "ok")
    reconciled(client)
    [first] = rows(store, "alert_event", rule_name=flow.name)
    assert first["resolution"] == "recovered"
    killed(reconciling_server, tmp_path, "pipeline", flow.name, "fail", LAB_DIES_IN_HOOKS="1")
    wanted = FlowFilter(name=FlowFilterName(any_=[flow.name]))
    runs = client.read_flow_runs(flow_filter=wanted)
    [lost] = [one for one in runs if one.state and one.state.is_running()]
    reconciled(client)
    assert len(rows(store, "alert_event", rule_name=flow.name)) == 1
    crash(client, lost.id)
    reconciled(client)
    [_, event] = rows(store, "alert_event", rule_name=flow.name)
    assert (event["ticker"], event["resolved_at"]) == ("extract: failure", None)
    assert event["prefect_flow_run_id"] == lost.id
    assert "task extract" in event["message"]
    reconciled(client)
    assert rows(store, "alert_event", rule_name=flow.name) == [first, event]
