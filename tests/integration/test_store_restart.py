"""PostgreSQL goes away while rules run and comes back: nothing is lost, nothing is doubled."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from sentinel_core.base.settings import get_settings
from sentinel_core.flow.opening import open_store
from sentinel_core.flow.reconcile import reconcile
from tests.support.deployed import Deployed, deploy, rows, rule_yaml
from tests.support.postgres import own_postgres
from tests.support.prefect import PrefectServer, client_of, prefect_worker, worker_log
from tests.support.processes import wait_for
from tests.support.stores import migrate

CHAOS = "tests/support/rules/chaos.py:chaos"
POOL = "outage"


@pytest.fixture(scope="module")
def server(reconciling_server: PrefectServer) -> PrefectServer:
    return reconciling_server


@pytest.fixture
def postgres_server() -> Iterator[Any]:
    """A PostgreSQL of this test's own, to be stopped and started."""
    with own_postgres() as server:
        yield server


def hooks_given_up(server: PrefectServer) -> int:
    """How many hooks have failed so far, as the worker's log tells."""
    log = worker_log(server, POOL).read_text()
    return log.count("An error was encountered while running hook 'record_run'")


@pytest.mark.slow
def test_triggered_runs_of_an_outage_have_their_event_and_full_output_after_one_reconcile(
    server: PrefectServer,
    postgres_server: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = postgres_server.get_uri()
    monkeypatch.setenv("SENTINEL_DATABASE_URL", url)
    get_settings.cache_clear()
    settings = get_settings()
    migrate(settings.database_url)
    store = open_store(settings)
    with (
        client_of(server) as client,
        prefect_worker(
            server, POOL, SENTINEL_DATABASE_URL=url, SENTINEL_RECORD_TIMEOUT_SECONDS="1"
        ),
    ):
        deploy(client, rule_yaml("outage", CHAOS, {"mode": "fire"}, pool=POOL))
        rule = Deployed.find(client, "chaos/outage")
        rule.wait(rule.start(note="before"))
        postgres_server.stop()
        before = hooks_given_up(server)
        during = [rule.start(note=f"during {number}") for number in (1, 2)]
        assert [rule.wait(run).state_name for run in during] == ["Triggered", "Triggered"]
        # A hook that still tries would record its run by itself once the store is back.
        wait_for(lambda: hooks_given_up(server) >= before + 2, what="both hooks to give up")
        postgres_server.start()
        report = reconcile(client, store, settings, say=print, settle=timedelta(0))
        assert report.recorded >= 2
        rule.wait(rule.start(note="after"))
        reconcile(client, store, settings, say=print, settle=timedelta(0))
    [event] = rows(store, "SELECT * FROM alert_event WHERE rule_name = 'outage'")
    assert (event["occurrences"], event["resolved_at"]) == (4, None)
    evaluations = rows(
        store,
        "SELECT message, metadata, metrics, event_id FROM evaluation WHERE ticker = 'chaos' "
        "AND rule_id = :rule ORDER BY at",
        rule=event["rule_id"],
    )
    notes = ["before", "during 1", "during 2", "after"]
    assert [row["message"] for row in evaluations] == [f"chaos {note}" for note in notes]
    assert {row["event_id"] for row in evaluations} == {event["id"]}
    for row, note in zip(evaluations, notes, strict=True):
        assert row["metrics"] == {"value": 2.0, "threshold": 1.0}
        assert row["metadata"] == {"note": note, "nested": {"list": [1, 2, {"deep": "ünï ✓"}]}}
