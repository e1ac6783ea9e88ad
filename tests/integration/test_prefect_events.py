"""Steps as events of a real Prefect server, which automations react to."""

import gc
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import yaml
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.events import Event, EventTrigger
from prefect.events.filters import EventFilter, EventOccurredFilter, EventResourceFilter
from prefect.events.worker import EventsWorker
from prefect.runtime import flow_run
from sqlalchemy import Engine

from sentinel_core.base.settings import Settings, get_settings
from sentinel_core.flow.hooks import record_facts
from sentinel_core.model.run import Rule, Run
from sentinel_core.notify.changes import of_recording, since
from sentinel_core.notify.prefect_events import (
    announce,
    catch_up,
    event_of,
    keep_up,
    known_ids,
    send,
)
from sentinel_core.store.outbox.settle import settle
from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.record.annotate import comment
from sentinel_core.store.record.resolve import resolve
from tests.support.deployed import Deployed, deploy, rule_yaml
from tests.support.prefect import PrefectServer, client_of, prefect_worker
from tests.support.processes import ROOT, wait_for
from tests.support.runs import T0, a_rule, a_run, fired, quiet, told

POOL = "automations"
SETTINGS = Settings()
OFF = Settings(prefect_events=False)


@pytest.fixture
def client(server: PrefectServer) -> Iterator[SyncPrefectClient]:
    with client_of(server) as talking:
        yield talking
        EventsWorker.drain_all(timeout=10)
    gc.collect()


def new_rule() -> Rule:
    """A rule that no other test has."""
    return a_rule(f"rule-{uuid4().hex[:8]}", notify={"high": ["slack-incoming-webhook/x"]})


def now_run(minutes: float = 0) -> Run:
    """A run that was due so many minutes from now."""
    return a_run((datetime.now(UTC) - T0) / timedelta(minutes=1) + minutes)


def events_of(client: SyncPrefectClient, rule: Rule) -> list[Event]:
    """What Prefect knows of a rule, oldest first."""
    wanted = EventFilter(
        resource=EventResourceFilter(id=[f"sentinel.rule.{rule.deployment_id}"]),
        occurred=EventOccurredFilter(
            since=datetime.now(UTC) - timedelta(days=1), until=datetime.now(UTC) + timedelta(days=1)
        ),
    )
    return sorted(client.read_events(wanted, limit=50).events, key=lambda event: event.occurred)


def arrived(client: SyncPrefectClient, rule: Rule, count: int) -> list[Event]:
    """The events of a rule once there are so many."""
    found = wait_for(
        lambda: (found := events_of(client, rule)) and len(found) >= count and found,
        what=f"{count} events of {rule.name}",
    )
    assert isinstance(found, list)
    return found


def test_what_a_recording_does_arrives_with_the_rule_as_its_resource(
    client: SyncPrefectClient, store: Engine
) -> None:
    rule, first = new_rule(), now_run(-5)
    record_facts(store, rule, first, [fired(metadata={"unit": "USD"})])
    record_facts(store, rule, now_run(), [quiet()])
    opened, resolved = arrived(client, rule, 2)
    assert (opened.event, resolved.event) == ("sentinel.event.opened", "sentinel.event.resolved")
    assert dict(opened.resource) == {
        "prefect.resource.id": f"sentinel.rule.{rule.deployment_id}",
        "prefect.resource.name": rule.name,
        "sentinel.kind": "alert",
        "sentinel.ticker": "AAPL",
        "sentinel.category": "Market",
        "sentinel.importance": "high",
    }
    related = {one.role: one.id for one in opened.related}
    assert related["deployment"] == f"prefect.deployment.{rule.deployment_id}"
    assert related["flow-run"] == f"prefect.flow-run.{first.id}"
    payload = opened.payload
    assert (payload["ticker"], payload["message"]) == ("AAPL", "AAPL trades at 151.2")
    assert payload["metrics"] == {"value": 151.2, "threshold": 150.0}
    assert payload["metadata"] == {"unit": "USD"}
    assert payload["url"].endswith(f"/?event={payload['id']}")
    assert resolved.payload["resolution"] == "recovered"


def test_a_rise_in_importance_arrives_with_the_run_that_found_it_and_when(
    client: SyncPrefectClient, store: Engine
) -> None:
    rule, second = new_rule(), now_run()
    rule = replace(rule, settings=rule.settings.model_copy(update={"environment": "production"}))
    record_facts(store, rule, now_run(-5), [fired(importance="low")])
    record_facts(store, rule, second, [fired(importance="critical")])
    opened, raised = arrived(client, rule, 2)
    assert (opened.event, raised.event) == ("sentinel.event.opened", "sentinel.event.escalated")
    assert ("flow-run", f"prefect.flow-run.{second.id}") in {
        (one.role, one.id) for one in raised.related
    }
    assert raised.resource["sentinel.environment"] == "production"
    today = datetime.now(UTC)
    recorded = since(store, today - timedelta(days=1), today, today)
    assert [event.occurred for event in (opened, raised)] == [change.at for change in recorded]


def test_the_flow_that_records_a_run_for_another_is_not_related(
    client: SyncPrefectClient, store: Engine
) -> None:
    rule, run = new_rule(), now_run()

    @flow
    def reconciling() -> UUID:
        record_facts(store, rule, run, [fired()])
        return flow_run.id  # type: ignore[no-any-return]

    assert reconciling() != run.id
    [opened] = arrived(client, rule, 1)
    related = [(one.role, one.id) for one in opened.related]
    assert ("flow-run", f"prefect.flow-run.{run.id}") in related
    assert {role for role, _ in related} == {"deployment", "flow-run"}
    assert len(related) == 2


def test_a_trigger_matches_by_importance_and_by_rule(
    client: SyncPrefectClient, store: Engine
) -> None:
    rule = new_rule()
    record_facts(store, rule, now_run(), [fired(), fired("B", importance="low")])
    arrived(client, rule, 2)

    def matching(**labels: str) -> set[str]:
        trigger = EventTrigger(
            expect={"sentinel.event.*"},
            match={"prefect.resource.id": f"sentinel.rule.{rule.deployment_id}", **labels},
        )
        found = [
            event for event in events_of(client, rule) if trigger.match.matches(event.resource)
        ]
        return {event.payload["ticker"] for event in found}

    assert matching() == {"AAPL", "B"}
    assert matching(**{"sentinel.importance": "high"}) == {"AAPL"}
    assert matching(**{"sentinel.ticker": "A*"}) == {"AAPL"}
    assert matching(**{"sentinel.importance": "critical"}) == set()


def test_switched_off_nothing_is_emitted(
    client: SyncPrefectClient, store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTINEL_PREFECT_EVENTS", "false")
    get_settings.cache_clear()
    off, on = new_rule(), new_rule()
    record_facts(store, off, now_run(), [fired()])
    acknowledge(store, [1], by="ann", now=datetime.now(UTC))
    assert keep_up(store, OFF) == 0
    monkeypatch.delenv("SENTINEL_PREFECT_EVENTS")
    get_settings.cache_clear()
    record_facts(store, on, now_run(), [fired()])
    arrived(client, on, 1)  # later than the other would have been
    assert events_of(client, off) == []


def test_what_people_do_arrives_once_however_often_it_is_looked_for(
    client: SyncPrefectClient, store: Engine
) -> None:
    rule = new_rule()
    catch_up(client, store, SETTINGS)
    told(store, rule, now_run(), [fired()], now=datetime.now(UTC))
    acknowledge(store, [1], by="ann", comment="mine", now=datetime.now(UTC))
    comment(store, [1], by="ann", comment="looking", now=datetime.now(UTC))
    resolve(store, [1], by="bob", now=datetime.now(UTC))
    assert catch_up(client, store, SETTINGS) == 3
    found = arrived(client, rule, 3)
    assert [event.event for event in found] == [
        "sentinel.event.acknowledged",
        "sentinel.event.commented",
        "sentinel.event.resolved",
    ]
    assert (found[0].payload["by"], found[0].payload["comment"]) == ("ann", "mine")
    assert catch_up(client, store, SETTINGS) == 0
    assert len(events_of(client, rule)) == 3


@pytest.mark.slow
def test_the_flow_deliver_tells_what_people_did(
    client: SyncPrefectClient, store: Engine, server: PrefectServer
) -> None:
    rule = new_rule()
    catch_up(client, store, SETTINGS)
    told(store, rule, now_run(), [fired()], now=datetime.now(UTC))
    acknowledge(store, [1], by="ann", now=datetime.now(UTC))
    run = "from flows.deliver import deliver; print(deliver())"
    server.run("python", "-c", run, SENTINEL_DATABASE_URL=get_settings().database_url)
    found = {event.event: event.payload for event in arrived(client, rule, 2)}
    assert found["sentinel.event.acknowledged"]["by"] == "ann"
    # The channel of the rule is a block that Prefect does not have.
    failed = found["sentinel.event.notification-failed"]
    assert failed["channel"] == "slack-incoming-webhook/x"


def test_what_a_dead_process_did_not_tell_is_told_later(
    client: SyncPrefectClient, store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = new_rule()
    long_ago = datetime.now(UTC) - timedelta(minutes=10)
    with monkeypatch.context() as earlier:
        earlier.setattr("sentinel_core.notify.prefect_events.SETTLE", timedelta(minutes=5))
        catch_up(client, store, SETTINGS)  # from five minutes ago on
    told(store, rule, now_run(-2), [fired()], now=datetime.now(UTC) - timedelta(minutes=2))
    assert catch_up(client, store, SETTINGS) == 1
    [event] = arrived(client, rule, 1)
    assert event.event == "sentinel.event.opened"
    assert event.occurred > long_ago


def test_what_a_recording_told_is_not_told_again(client: SyncPrefectClient, store: Engine) -> None:
    rule, run, at = new_rule(), now_run(-2), datetime.now(UTC) - timedelta(minutes=2)
    recorded = told(store, rule, run, [fired()], now=at)
    assert announce(store, SETTINGS, run, recorded) == 1
    arrived(client, rule, 1)
    found = since(store, at - timedelta(minutes=1), datetime.now(UTC), datetime.now(UTC))
    assert known_ids(client, [step.id for step in found]) == {found[0].id}
    assert len(found) == 1


@pytest.mark.slow
def test_an_event_that_is_sent_twice_is_kept_once(client: SyncPrefectClient, store: Engine) -> None:
    rule, run = new_rule(), now_run()
    recorded = told(store, rule, run, [fired()], now=datetime.now(UTC))
    [step] = of_recording(store, run.id, recorded, datetime.now(UTC))
    event = event_of(step, SETTINGS)
    send(client, [event])
    arrived(client, rule, 1)
    send(client, [event, event])
    send(client, [event.model_copy(update={"id": uuid4()})])  # later: by then the others are there
    assert len(arrived(client, rule, 2)) == 2


@pytest.mark.slow
def test_a_server_that_is_away_costs_a_recording_nothing(
    store: Engine, server: PrefectServer, tmp_path: Path
) -> None:
    """In a process of its own: Prefect's client, once started, is not to be had again.

    The server takes every connection and never answers: whoever waits for it waits for ever.
    """
    script = (
        "import os\n"
        "from tests.support.runs import a_rule, a_run, fired\n"
        "from sentinel_core.flow.hooks import record_facts\n"
        "from sentinel_core.flow.opening import open_store\n"
        "from sentinel_core.base.settings import get_settings\n"
        "engine = open_store(get_settings())\n"
        "recorded = record_facts(engine, a_rule(), a_run(), [fired()])\n"
        "print(len(recorded.opened), flush=True)\n"
        "os._exit(0)\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        env = {
            "SENTINEL_DATABASE_URL": get_settings().database_url,
            "PREFECT_API_URL": f"http://127.0.0.1:{deaf.getsockname()[1]}/api",
            "PREFECT_API_REQUEST_TIMEOUT": "86400",
        }
        assert server.run("python", "-c", script, **env).stdout.split() == ["1"]


def test_messages_that_failed_and_their_channel_are_told(
    client: SyncPrefectClient, store: Engine
) -> None:
    rule = new_rule()
    catch_up(client, store, SETTINGS)
    [key] = told(store, rule, now_run(), [fired()], now=datetime.now(UTC)).notifications
    settle(store, key, status="failed", error="404 no_team", now=datetime.now(UTC))
    assert catch_up(client, store, SETTINGS) == 1
    [event] = arrived(client, rule, 1)
    assert event.event == "sentinel.event.notification-failed"
    assert event.payload["error"] == "404 no_team"
    assert event.payload["channel"] == "slack-incoming-webhook/x"


@pytest.mark.slow
def test_an_automation_of_the_documentation_runs_a_deployment_when_a_rule_fires(
    store: Engine, server: PrefectServer, tmp_path: Path
) -> None:
    """The whole way: a worker runs a rule, its hook emits, Prefect's automation reacts."""
    rule = rule_yaml(
        f"fires-{uuid4().hex[:8]}",
        "flows/system.py:disk_usage",
        {"path": "/", "threshold": 0.001},
        importance="critical",
        pool=POOL,
    )
    # A deployment to be started, which no schedule starts.
    answer = {
        "name": f"answers-{uuid4().hex[:8]}",
        "entrypoint": "flows/daily_report.py:daily_report",
        "work_pool": {"name": POOL},
        "parameters": {"hours": 1},
    }
    with client_of(server) as client:
        deploy(client, rule, answer)
        answers = client.read_deployment_by_name(f"daily-report/{answer['name']}")
        automation = documented(answers.id, rule["name"])
        file = tmp_path / "automation.yaml"
        file.write_text(yaml.safe_dump(automation))
        server.prefect("automation", "create", "--from-file", str(file))
        env = {"SENTINEL_DATABASE_URL": get_settings().database_url}
        with prefect_worker(server, POOL, **env):
            deployed = Deployed.find(client, f"disk-usage/{rule['name']}")
            deployed.wait(deployed.start_as_is())
            of_answers = DeploymentFilter(id=DeploymentFilterId(any_=[answers.id]))
            wait_for(
                lambda: client.read_flow_runs(deployment_filter=of_answers),
                what="the automation to start its deployment",
            )


def documented(deployment_id: UUID, rule_name: str) -> dict[str, Any]:
    """The automation in docs/prefect-events.md, for this rule and this deployment."""
    text = (ROOT / "docs" / "prefect-events.md").read_text()
    block = text.split("```yaml\n", 1)[1].split("```", 1)[0]
    automation: dict[str, Any] = yaml.safe_load(block)
    automation["trigger"]["match"]["prefect.resource.name"] = rule_name
    automation["actions"][0]["deployment_id"] = str(deployment_id)
    return automation
