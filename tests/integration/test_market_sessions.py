"""A scheduled run outside of its exchange's sessions, in Prefect's engine and on record."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.client.schemas.objects import FlowRun
from prefect.logging import get_logger
from prefect.states import Pending, Scheduled
from sqlalchemy import Engine

from flows.market import price_surge
from sentinel_core.model.run import CLOSED
from sentinel_core.worker.pool import prefect_internals as _private
from tests.support.deployed import Deployed, deploy, rule_yaml
from tests.support.prefect import PrefectServer, client_of
from tests.support.runs import rows
from tests.support.scenes import running_here

HOUR = timedelta(hours=1)
SESSIONS = {"calendar": "XNYS", "window": ["open+5m", "close-15m"]}


@pytest.fixture
def client(server: PrefectServer, store: Engine) -> Iterator[SyncPrefectClient]:
    del store  # the hooks of the runs record in it
    with running_here(server), client_of(server) as client:
        yield client


def test_a_scheduled_run_on_a_saturday_is_closed_and_one_by_hand_checks(
    client: SyncPrefectClient, store: Engine, tmp_path: Path
) -> None:
    quotes = tmp_path / "quotes.csv"
    quotes.write_text(f"ticker,time,close\nAAPL,{datetime.now(UTC):%FT%TZ},151\n")
    name = f"surge-{uuid4()}"
    check = {"source": str(quotes), "ticker": "AAPL", "threshold": 150, "sessions": SESSIONS}
    policy = {"stale_seconds": None}
    schedules = [{"cron": "0 12 * * 6", "timezone": "UTC"}]
    entrypoint = "flows/market.py:price_surge"
    deploy(client, rule_yaml(name, entrypoint, check, policy=policy, schedules=schedules))
    rule = Deployed.find(client, f"price-surge/{name}")

    assert executed(rule, by_schedule(rule, saturday())) == (CLOSED, "COMPLETED")
    [evaluation] = rows(store, "evaluation")
    assert evaluation["decision_code"] == "skipped-closed"
    assert "Next due in the session of" in evaluation["decision_reason"]
    assert rows(store, "alert_event") == []
    by_hand = rule.client.create_flow_run_from_deployment(
        rule.id, state=Scheduled(scheduled_time=saturday())
    )
    assert executed(rule, by_hand) == ("Triggered", "COMPLETED")
    assert len(rows(store, "alert_event")) == 1


def saturday() -> datetime:
    """Noon of the last one."""
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    return noon - timedelta(days=(noon.weekday() - 5) % 7 or 7)


def by_schedule(rule: Deployed, due: datetime) -> FlowRun:
    """The run that Prefect makes of the rule's schedule for this time."""
    around = {"start_time": due - HOUR, "end_time": due + HOUR}
    body = {key: at.isoformat() for key, at in around.items()}
    rule.client.request("POST", f"/deployments/{rule.id}/schedule", json=body).raise_for_status()
    mine = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[rule.id]))
    runs = rule.client.read_flow_runs(flow_run_filter=mine)
    [run] = [run for run in runs if run.expected_start_time == due]
    assert run.auto_scheduled
    return run


def executed(rule: Deployed, run: FlowRun) -> tuple[Any, ...]:
    """The final state of a run, executed as a worker does."""
    rule.client.set_flow_run_state(run.id, Pending())
    with contextlib.suppress(Exception):
        _private.run(price_surge, rule.client.read_flow_run(run.id), get_logger())
    state = rule.client.read_flow_run(run.id).state
    assert state is not None
    return state.name, state.type.value
