"""Events of a rule whose deployment is gone, on a real Prefect server."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentUpdate
from sqlalchemy import Engine

from sentinel_core.base.settings import get_settings
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.flow.reconcile import reconcile
from sentinel_core.flow.removed import ABSENT, end_events_of_removed
from sentinel_core.model.run import Rule
from sentinel_core.notify.deliver import deliver_due
from sentinel_core.prefect_io.client import all_deployments
from sentinel_core.prefect_io.deploy_lease import Holder, deploy_lease, variable_of
from sentinel_core.prefect_io.facts import read_rule
from sentinel_core.prefect_io.unfinished_deploy import UnfinishedDeploy, mark_of, write_mark
from sentinel_core.store.record.recording import record
from sentinel_core.store.state.rules import sync
from tests.support.channels import as_provider, talking_to
from tests.support.deployed import Deployed, deploy, rule_yaml
from tests.support.endpoint import http_endpoint
from tests.support.faulty import incidents, providers_at
from tests.support.faulty_prefect import FaultyPrefect, faulty_prefect
from tests.support.prefect import PrefectServer
from tests.support.runs import rows

DISK = "flows/system.py:disk_usage"
KINDS = [Kind.ALERT, Kind.FAILURE, Kind.SILENT, Kind.ERROR, Kind.NO_DATA]


@pytest.fixture(scope="module")
def server(reconciling_server: PrefectServer) -> PrefectServer:
    return reconciling_server


class Rules:
    """Two rules on the server and on record; one has an open event of each kind."""

    def __init__(self, client: SyncPrefectClient, store: Engine, tag: str) -> None:
        self.client, self.store, self.tag = client, store, tag
        self.removed, self.stays = self._deployed("removed"), self._deployed("stays")
        self.now = datetime.now(UTC)
        sync(store, [self.removed, self.stays], self.now - ABSENT)

    def _deployed(self, name: str, **settings: object) -> Rule:
        deploy(self.client, rule_yaml(f"{name}-{self.tag}", DISK, **settings))
        found = Deployed.find(self.client, f"disk-usage/{name}-{self.tag}")
        return read_rule(self.client, found.id)

    def fire(self, rule: Rule, *kinds: Kind) -> None:
        at = self.now - ABSENT
        seen = [
            Observation(kind, "", at, True, rule.settings.importance, f"{kind}", evaluated=False)
            for kind in kinds
        ]
        record(self.store, rule, None, seen, now=at)

    def delete(self, rule: Rule) -> None:
        self.client.delete_deployment(rule.deployment_id)

    def end(self, client: SyncPrefectClient | None = None) -> int:
        """What reconcile does, with these two rules as all that Prefect has."""
        present = {
            item.id for item, _flow in all_deployments(self.client) if item.name.endswith(self.tag)
        }
        return end_events_of_removed(
            client or self.client,
            self.store,
            present,
            self.now,
            store_variable=os.environ["SENTINEL_STORE_VARIABLE"],
            say=lambda _: None,
        )

    def open(self) -> list[str]:
        """The kinds of the open events, by their rule."""
        events = rows(self.store, "alert_event")
        return sorted(
            f"{event['rule_name'].partition('-')[0]} {event['kind']}"
            for event in events
            if event["resolved_at"] is None and event["rule_name"].endswith(self.tag)
        )


@pytest.fixture
def rules(client: SyncPrefectClient, store: Engine, tmp_path: Path) -> Iterator[Rules]:
    rules = Rules(client, store, tmp_path.name[-24:])
    yield rules
    for item, _flow in all_deployments(client):
        if item.name.endswith(rules.tag):
            client.delete_deployment(item.id)


def test_open_events_of_every_kind_end_with_the_reason_and_an_audit_entry(rules: Rules) -> None:
    rules.fire(rules.removed, *KINDS)
    rules.fire(rules.stays, Kind.ALERT)
    rules.delete(rules.removed)
    assert rules.end() == len(KINDS)
    assert rules.open() == ["stays alert"]
    ended = rows(rules.store, "alert_event", rule_name=rules.removed.name)
    assert {event["resolution"] for event in ended} == {"rule-removed"}
    assert not any(event["is_acknowledged"] for event in ended)
    audit = rows(rules.store, "audit_entry", action="resolved")
    assert {entry["event_id"] for entry in audit} == {event["id"] for event in ended}
    assert {entry["actor"] for entry in audit} == {"sentinel"}
    assert {entry["detail"]["reason"] for entry in audit} == {"rule-removed"}
    assert {row["event_id"] for row in rows(rules.store, "alert_series", kind="failure")} == {None}
    assert rules.end() == 0


def test_a_rule_that_is_paused_is_not_removed(rules: Rules, client: SyncPrefectClient) -> None:
    rules.fire(rules.removed, Kind.ALERT)
    client.update_deployment(rules.removed.deployment_id, DeploymentUpdate(paused=True))
    assert rules.end() == 0
    assert rules.open() == ["removed alert"]


def test_a_rule_that_was_deployed_again_keeps_its_events(rules: Rules) -> None:
    rules.fire(rules.removed, Kind.ALERT)
    rules.delete(rules.removed)
    again = rules._deployed("removed")
    assert again.deployment_id != rules.removed.deployment_id
    sync(rules.store, [again], rules.now)
    assert rules.end() == 0
    assert rules.open() == ["removed alert"]


def test_the_end_is_notified_like_any_other(
    rules: Rules, server: PrefectServer, store: Engine
) -> None:
    with http_endpoint() as collector, talking_to(server.api_url):
        collector.reply, collector.answer = as_provider, 202  # which PagerDuty answers
        settings = providers_at(collector)
        rule = rules._deployed("paged", importance="high", notify={"high": [incidents()]})
        sync(store, [rule], rules.now - ABSENT)
        rules.fire(rule, Kind.ALERT)
        assert deliver_due(store, settings) == 1
        rules.delete(rule)
        assert rules.end() == 1
        assert deliver_due(store, settings) == 1
        actions = [request.json["event_action"] for request in collector.received]
    assert actions == ["trigger", "resolve"]
    assert [row["status"] for row in rows(store, "notification", reason="resolved")] == ["sent"]


# -- not known is not removed --------------------------------------------------------------


@pytest.fixture
def faulty(server: PrefectServer) -> Iterator[FaultyPrefect]:
    with faulty_prefect(server.api_url) as faulty:
        yield faulty


def test_nothing_ends_while_prefect_does_not_say_if_the_deployment_exists(
    rules: Rules, faulty: FaultyPrefect, monkeypatch: pytest.MonkeyPatch, store: Engine
) -> None:
    rules.fire(rules.removed, Kind.ALERT)
    rules.delete(rules.removed)
    monkeypatch.setenv("PREFECT_CLIENT_MAX_RETRIES", "0")
    said: list[str] = []
    settings = get_settings()
    with talking_to(faulty.api_url), SyncPrefectClient(faulty.api_url) as client:
        faulty.fails = f"/deployments/{rules.removed.deployment_id}"
        reconcile(client, store, settings, say=said.append, settle=timedelta(0))
        assert any(line.startswith("Not known which rules were removed") for line in said)
        assert rules.open() == ["removed alert"]
        faulty.fails = "/deployments/filter"
        with pytest.raises(httpx.HTTPStatusError):
            reconcile(client, store, settings, say=said.append, settle=timedelta(0))
        assert rules.open() == ["removed alert"]
        faulty.fails = ""
        reconcile(client, store, settings, say=said.append, settle=timedelta(0))
    assert rules.open() == []
    assert any("removed, so 1 open event of it ended" in line for line in said)


def test_nothing_ends_on_a_server_that_knows_none_of_the_rules(rules: Rules, store: Engine) -> None:
    """As on a new server, or one that PREFECT_API_URL names by mistake."""
    rules.fire(rules.removed, Kind.ALERT)
    rules.delete(rules.removed)
    rules.delete(rules.stays)
    with store.begin() as connection:
        connection.exec_driver_sql("UPDATE alert_rule SET flow_name = 'known-elsewhere'")
    assert rules.end() == 0
    assert rules.open() == ["removed alert"]
    with store.begin() as connection:
        connection.exec_driver_sql("UPDATE alert_rule SET flow_name = 'disk-usage'")
    assert rules.end() == 1


def test_nothing_ends_of_a_rule_that_was_there_a_moment_ago(rules: Rules, store: Engine) -> None:
    rules.fire(rules.removed, Kind.ALERT)
    sync(store, [rules.removed], rules.now - ABSENT + timedelta(seconds=1))
    rules.delete(rules.removed)
    assert rules.end() == 0
    rules.now += timedelta(seconds=1)
    assert rules.end() == 1


def test_nothing_ends_while_a_deploy_is_under_way_or_unfinished(
    rules: Rules, client: SyncPrefectClient
) -> None:
    rules.fire(rules.removed, Kind.ALERT)
    rules.delete(rules.removed)
    variable = os.environ["SENTINEL_STORE_VARIABLE"]
    holder = Holder.me("ana", "prefect.yaml")
    with deploy_lease(client, variable_of(variable), holder, 0, print):
        assert rules.end() == 0
    write_mark(client, mark_of(variable), UnfinishedDeploy.of(holder, 3))
    assert rules.end() == 0
    write_mark(client, mark_of(variable), None)
    assert rules.end() == 1
