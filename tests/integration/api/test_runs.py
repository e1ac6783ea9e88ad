"""Runs started and cancelled over HTTP, on a real Prefect server, by `sentinel api` itself."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.states import Running, Scheduled
from sqlalchemy import Engine

from sentinel_core.base.settings import get_settings
from sentinel_core.prefect_io.facts import read_rule
from sentinel_core.store.state.rules import sync
from tests.support.deployed import Deployed, deploy, rows, rule_yaml
from tests.support.prefect import PrefectServer
from tests.support.processes import BIN, answers, free_port, running, wait_for

FLOW = "disk-usage/"
NAMES = ("api-runs-one", "api-runs-two")


@pytest.fixture
def operator(
    server: PrefectServer,
    client: SyncPrefectClient,
    store: Engine,
    bearer: Callable[[str], dict[str, str]],
    tmp_path: Path,
) -> Iterator[httpx.Client]:
    for name in NAMES:
        check = {"path": "/"}
        deploy(client, rule_yaml(name, "flows/system.py:disk_usage", check, pool="api-runs"))
    facts = [read_rule(client, Deployed.find(client, FLOW + name).id) for name in NAMES]
    sync(store, [rule for rule in facts if rule is not None], datetime.now(UTC))
    port = free_port()
    env = {**os.environ, "PREFECT_API_URL": server.api_url}
    command = (f"{BIN}/sentinel", "api", "--port", str(port))
    url = f"http://127.0.0.1:{port}"
    with running(*command, env=env, log=tmp_path / "api.log"):
        wait_for(lambda: answers(f"{url}/events") or _asks(url), what="the API")
        with httpx.Client(base_url=url, timeout=60, headers=bearer("operate")) as http:
            yield http


def _asks(url: str) -> bool:
    try:
        return httpx.get(f"{url}/events").status_code == 401
    except httpx.HTTPError:
        return False


def test_runs_are_started_and_cancelled_together(
    operator: httpx.Client, client: SyncPrefectClient, store: Engine
) -> None:
    one = operator.post(f"/rules/{NAMES[0]}/run")
    assert one.status_code == 200, one.text
    [first] = one.json()["started"]
    both = operator.post("/rules/run", json={"rules": [*NAMES, NAMES[0]]}).json()["started"]
    assert [item["rule"] for item in both] == list(NAMES)
    runs = [first["flow_run_id"], *(item["flow_run_id"] for item in both)]
    assert len(set(runs)) == 3
    client.set_flow_run_state(runs[0], Running(), force=True)
    later = client.create_flow_run_from_deployment(
        Deployed.find(client, FLOW + NAMES[0]).id,
        state=Scheduled(scheduled_time=datetime(2040, 1, 1, tzinfo=UTC)),
    )
    # The run of the second rule is due a second after the first one's.
    wait_for(lambda: _cancelled(operator) >= {*runs}, what="all of them to be cancelled")
    states = [client.read_flow_run(run).state for run in runs]
    assert {state.type.value for state in states if state} <= {"CANCELLING", "CANCELLED"}
    kept = client.read_flow_run(later.id).state
    assert kept is not None
    assert kept.type.value == "SCHEDULED"
    signed = rows(store, "SELECT DISTINCT actor, action FROM audit_entry ORDER BY action")
    acts = {(row["actor"], row["action"]) for row in signed}
    assert acts >= {("operate (API token)", "rule-run"), ("operate (API token)", "rule-cancelled")}


_DONE: set[str] = set()


def _cancelled(operator: httpx.Client) -> set[str]:
    answer = operator.post("/runs/cancel", json={"rules": list(NAMES)})
    assert answer.status_code == 200, answer.text
    _DONE.update(run for item in answer.json()["cancelled"] for run in item["flow_run_ids"])
    return _DONE


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/rules/nothing/run", None, 404, "no-such-rule"),
        ("/rules/%2e%2e/run", None, 404, "no-such-rule"),
        ("/rules/sentinel/run", None, 404, "no-such-rule"),
        ("/rules/a%00/run", None, 422, "invalid-parameter"),
        ("/rules/run", {"rules": [NAMES[0], "nothing"]}, 404, "no-such-rule"),
        ("/rules/run", {"rules": []}, 422, "invalid-parameter"),
        ("/rules/run", {"rules": ["a"] * 101}, 422, "invalid-parameter"),
        ("/rules/run", {"rules": NAMES[0]}, 422, "invalid-parameter"),
        ("/rules/run", {"rules": [NAMES[0]], "by": "ana"}, 422, "invalid-parameter"),
        ("/rules/run", None, 422, "invalid-parameter"),
        ("/runs/cancel", {"rules": ["nothing"]}, 404, "no-such-rule"),
        ("/runs/cancel", {}, 422, "invalid-parameter"),
    ],
)
def test_wrong_requests_start_and_cancel_nothing(
    http: httpx.Client,
    store: Engine,
    bearer: Callable[[str], dict[str, str]],
    path: str,
    body: object,
    status: int,
    code: str,
) -> None:
    assert get_settings().database_url.startswith("sqlite")
    answer = http.post(path, json=body, headers=bearer("operate"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert rows(store, "SELECT id FROM audit_entry WHERE action LIKE 'rule-%'") == []
