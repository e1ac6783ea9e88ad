"""A rule's own attempts and its environment, from prefect.yaml to its event and its message."""

from collections.abc import Iterator
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient
from sqlalchemy import Engine

from sentinel_core.prefect_io.facts import rule_facts
from sentinel_core.store.read.event_list import page
from sentinel_core.store.read.filters import EventFilter
from tests.support.deployed import deploy, rule_yaml
from tests.support.prefect import PrefectServer, client_of
from tests.support.rules.patient import patient
from tests.support.scenes import Scene, running_here


@pytest.fixture
def client(server: PrefectServer) -> Iterator[SyncPrefectClient]:
    with client_of(server) as client, running_here(server):
        yield client


def rule(
    client: SyncPrefectClient, engine: Engine, name: str, check: dict[str, Any], **settings: Any
) -> Scene:
    entrypoint = "tests/support/rules/patient.py:patient"
    deploy(client, rule_yaml(name, entrypoint, check, pool="watchers", **settings))
    return Scene(client, engine, patient, client.read_deployment_by_name(f"patient/{name}"))


def test_a_check_is_tried_as_often_and_as_long_as_its_rule_says(
    client: SyncPrefectClient, store: Engine
) -> None:
    settings = {"retries": 1, "retry_delay_seconds": 0, "timeout_seconds": 300}
    scene = rule(client, store, "patient", {"failures": 1}, environment="production", **settings)
    scene.run(0)
    [event] = scene.rows("alert_event")
    assert event["metrics"] == {"attempt": 2, "limit": 2 * 300 + 30}
    assert event["environment"] == "production"
    assert rule_facts(scene.deployment, "patient").timeout_seconds == 630
    wanted = EventFilter(environment=frozenset({"production"}))
    assert [row["id"] for row in page(store, wanted, now=scene.at(1), size=9).rows] == [event["id"]]
    other = EventFilter(environment=frozenset({"staging"}))
    assert page(store, other, now=scene.at(1), size=9).rows == []


def test_a_rule_without_such_settings_is_as_its_trigger_says(
    client: SyncPrefectClient, store: Engine
) -> None:
    scene = rule(client, store, "impatient", {"failures": 1})
    scene.run(0)
    [event] = scene.rows("alert_event")
    assert (event["kind"], event["environment"]) == ("failure", None)
    assert "not yet" in event["message"]
    assert rule_facts(scene.deployment, "patient").timeout_seconds == 50


def test_an_attempt_ends_when_the_rule_says(client: SyncPrefectClient, store: Engine) -> None:
    scene = rule(client, store, "hasty", {"seconds": 15}, timeout_seconds=1)
    scene.run(0)
    [event] = scene.rows("alert_event")
    assert event["kind"] == "failure"
    assert "timed out after 1.0 second" in event["message"]
