"""Runs of people's own flows in the daily report, and `sentinel report --flow`."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled, Completed, Crashed, Failed, Running, Scheduled
from sqlalchemy import Engine

from sentinel_core.report.figures import Window
from sentinel_core.report.flow_runs import read_flow_runs
from tests.support.command import Command
from tests.support.deployed import Deployed, deploy, rule_yaml
from tests.support.prefect import PrefectServer, client_of


@pytest.fixture(scope="module")
def client(server: PrefectServer) -> Iterator[SyncPrefectClient]:
    with client_of(server) as connected:
        yield connected


@pytest.fixture
def flow() -> str:
    return f"etl-{uuid4().hex[:8]}"


@pytest.fixture
def deployment(client: SyncPrefectClient, flow: str) -> Iterator[UUID]:
    """A deployment of somebody's own flow, with runs that ended in each way."""
    key = client.create_deployment(client.create_flow_from_name(flow), "nightly")
    later = Scheduled(scheduled_time=datetime.now(UTC) + timedelta(days=1))
    for state in (Completed(), Failed(message="no tape"), Crashed(), Cancelled(), Completed()):
        run = client.create_flow_run_from_deployment(key, state=later).id
        if not state.is_cancelled():
            client.set_flow_run_state(run, Running(), force=True)
        client.set_flow_run_state(run, state, force=True)
    client.create_flow_run_from_deployment(key, state=later)
    yield key
    client.delete_deployment(key)


def test_the_report_counts_runs_of_own_flows_and_none_of_sentinels(
    client: SyncPrefectClient, deployment: UUID, flow: str
) -> None:
    assert deployment
    rule = f"disk-{uuid4().hex[:8]}"
    deploy(client, rule_yaml(rule, "flows/system.py:disk_usage", {"path": "/"}, pool="flow-report"))
    found = Deployed.find(client, f"disk-usage/{rule}")
    client.set_flow_run_state(found.start_as_is(), Completed(), force=True)
    now = datetime.now(UTC)
    window = Window(now - timedelta(hours=1), now + timedelta(minutes=1))
    runs = read_flow_runs(client, window, slow_seconds=1e-9)
    client.delete_deployment(found.id)
    by_name = {one.name: one for one in runs.by_name}
    mine = by_name[f"{flow}/nightly"]
    assert (mine.total, mine.failed, mine.cancelled, mine.slow) == (5, 2, 1, 4)
    assert mine.success_rate == 0.5
    assert not any(name.startswith("disk-usage") for name in by_name)
    before = Window(now - timedelta(days=3), now - timedelta(days=2))
    assert f"{flow}/nightly" not in {one.name for one in read_flow_runs(client, before).by_name}


@pytest.fixture
def sentinel(store: Engine, server: PrefectServer, tmp_path: Path) -> Command:
    return Command(str(store.url), tmp_path, {"PREFECT_API_URL": server.api_url})


def test_the_last_runs_of_a_flow_are_shown_with_their_figures(
    deployment: UUID, flow: str, sentinel: Command
) -> None:
    assert deployment
    printed = sentinel("report", "--flow", flow)
    assert f"{flow}: the last 5 runs to end" in printed
    assert "5 (2 failed: 50 %, 1 cancelled)" in printed
    assert "no tape" in printed
    assert "never ran" in printed
    said = sentinel.json("report", "--flow", flow, "--last", "2", "--slow-seconds", "0.000001")
    assert (said["total"], said["cancelled"], said["success_rate"]) == (2, 1, 1.0)
    assert [run["state"] for run in said["runs"]] == ["COMPLETED", "CANCELLED"]
    assert [run["slow"] for run in said["runs"]] == [True, False]
    near = sentinel.refused("report", "--flow", f"{flow}x")
    assert near.startswith(f"Prefect has no flow named '{flow}x'; did you mean {flow}?")
    assert "name it with --flow" in sentinel.refused("report", "--last", "3")
    assert "from 1 to 200" in sentinel.refused("report", "--flow", flow, "--last", "0")


def test_the_report_says_when_prefect_does_not_answer(store: Engine, tmp_path: Path) -> None:
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        printed = Command(str(store.url), tmp_path)("report")
    assert "Flow runs" in printed
    assert "not known: PREFECT_API_URL is not set" in printed
