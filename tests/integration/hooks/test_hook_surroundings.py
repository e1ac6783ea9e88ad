"""Hooks on deployments, with a rule's routes, on PostgreSQL, and without Prefect's API."""

import json
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_API_URL, temporary_settings
from sqlalchemy import Engine

from sentinel_core.base.settings import get_settings
from sentinel_core.cli import main
from sentinel_core.flow.opening import open_store
from sentinel_core.flow.reconcile import reconcile
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.state.rules import sync
from tests.support import own_flows
from tests.support.faulty_prefect import faulty_prefect
from tests.support.own_flows import run
from tests.support.pipelines import Team
from tests.support.prefect import PrefectServer, connected_to
from tests.support.processes import wait_for
from tests.support.runs import T0, rows
from tests.support.stores import migrate, variable_for

NOBODY = "http://127.0.0.1:1/api"
NAMED = "slack-incoming-webhook/of-the-rule"


def ended(command: list[str]) -> object:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as end:
        main(command)
    return end.value.code


def a_rule(name: str, **parameters: Any) -> Rule:
    settings = RuleSettings.model_validate(parameters)
    return Rule(uuid4(), name, "disk-usage", settings, "disk-usage", parameters=parameters)


def test_a_run_of_a_deployment_is_recorded_under_its_name(
    client: SyncPrefectClient, store: Engine
) -> None:
    flow = own_flows.renamed(own_flows.recovers)
    team = Team(client)
    nightly, hourly = team.deploy(flow, "nightly"), team.deploy(flow, "hourly")
    assert team.run(flow, nightly, mode="fail").state_name == "Failed"
    assert team.run(flow, hourly, mode="ok").state_name == "Completed"
    [event] = rows(store, "alert_event")
    assert (event["rule_name"], event["resolved_at"]) == (f"{flow.name}/nightly", None)
    assert event["message"].startswith(f"{flow.name}/nightly, run ")
    team.run(flow, nightly, mode="ok")
    [event] = rows(store, "alert_event")
    assert event["resolution"] == "recovered"


def test_a_hook_takes_routes_policy_and_environment_of_the_rule_it_names(
    client: SyncPrefectClient, store: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    del client
    given = {
        "notify": {"high": [NAMED]},
        "policy": {"breaches": 2},
        "environment": "production",
        "suggestions": {"source is away": "restart the source"},
    }
    sync(store, [a_rule("nightly-rule", **given)], T0)
    flow = own_flows.renamed(own_flows.by_rule)
    run(flow, "fail")
    assert rows(store, "alert_event") == []
    run(flow, "fail")
    [event] = rows(store, "alert_event")
    assert (event["environment"], event["suggested_action"]) == ("production", "restart the source")
    [notification] = rows(store, "notification")
    assert notification["channel"] == NAMED
    assert ended(["channels", "list", "--json"]) == 1
    listed = {row["channel"]: row for row in json.loads(capsys.readouterr().out)}
    assert listed[NAMED]["block"] == "missing"
    used = {"rule": f"{flow.name}: failure", "when": "high", "to": ""}
    assert used in listed[NAMED]["used_by"]
    assert ended(["rules", "replay", flow.name]) == 1
    said = capsys.readouterr().err
    assert f"{flow.name} is a flow with Sentinel's hooks, which can't be replayed" in said


def test_hooks_and_reconcile_on_postgresql(
    client: SyncPrefectClient, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(postgres_url)
    monkeypatch.setenv("SENTINEL_DATABASE_URL", postgres_url)
    monkeypatch.setenv("SENTINEL_STORE_VARIABLE", variable_for(postgres_url))
    get_settings.cache_clear()
    above = own_flows.renamed(own_flows.above)
    below = own_flows.renamed(own_flows.below)
    run(above, below, ["ok"], "raise")
    run(above, below, ["fail"], "raise")
    engine = open_engine(postgres_url)
    try:
        [event] = rows(engine, "alert_event")
        assert event["rule_name"] == above.name
        assert [one["state"] for one in event["metadata"]["started"]] == ["Failed"]
        run(above, below, ["ok"], "raise")
        reconcile(client, open_store(get_settings()), get_settings(), say=print)
        # Reconcile records the runs of other tests on this server as well.
        [event] = rows(engine, "alert_event", rule_name=above.name)
        assert event["resolution"] == "recovered"
    finally:
        engine.dispose()


def test_without_prefects_api_a_hook_records_and_the_run_is_unaffected(
    client: SyncPrefectClient, store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTINEL_PREFECT_EVENTS", "false")
    get_settings.cache_clear()
    flow = own_flows.renamed(own_flows.recovers)
    deployment = Team(client).deploy(flow, "nightly")
    of_flow = Team(client).run(flow, deployment, mode="ok")
    failed = run(own_flows.nightly, "fail")
    with temporary_settings({PREFECT_API_URL: NOBODY}):
        own_flows.AT_ONCE(flow=flow, flow_run=of_flow, state=failed)
        # It may take longer than the run waits for it, and goes on in the background then.
        wait_for(lambda: len(rows(store, "alert_event")) == 2, what="the hook to record")


def test_requests_of_a_hook_that_prefect_refuses_do_not_touch_the_run(
    reconciling_server: PrefectServer, store: Engine
) -> None:
    flow = own_flows.renamed(own_flows.nightly)
    with faulty_prefect(reconciling_server.api_url) as proxy, connected_to(proxy.api_url):
        proxy.fails = "/logs/filter"
        state = run(flow, "fail")
    assert (state.name, proxy.failed > 0) == ("Failed", True)
    [event] = rows(store, "alert_event", rule_name=flow.name)
    assert event["metadata"]["log"][0].startswith("(the log could not be read")
