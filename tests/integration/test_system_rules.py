"""The rules about the system's own health, as deployments that a worker runs."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sentinel_core.decide.hosts import Sample
from sentinel_core.store.record.hosts import note_host
from tests.support.deployed import Deployed, deploy, rows, rule_yaml
from tests.support.prefect import PrefectServer, client_of, prefect_worker
from tests.support.recorded import a_rule, a_run, calm, observe
from tests.support.stores import migrate
from tests.support.swarm import own_engine

MINUTE = timedelta(minutes=1)


def test_hosts_above_their_limits_and_runs_without_a_result_become_events(
    server: PrefectServer, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'sentinel.db'}"
    migrate(url)
    hosts = rule_yaml("hosts", "flows/service.py:host_limits", {"cpu": 80}, pool="own-health")
    errors = rule_yaml("errors", "flows/service.py:run_errors", {}, pool="own-health")
    with own_engine(url) as engine, client_of(server) as client:
        now = datetime.now(UTC)
        note_host(engine, "web-1", Sample(now - MINUTE, 97.5, 20, 20))
        for number in range(9):
            calm(engine, a_rule(f"calm-{number}"), now - (number + 2) * MINUTE)
        for number in range(3):
            observe(engine, a_rule(f"broken-{number}"), a_run(now - 5 * MINUTE, "FAILED"))
        with prefect_worker(server, "own-health", kind="sentinel", SENTINEL_DATABASE_URL=url):
            deploy(client, hosts, errors)
            for name in ("host-limits/hosts", "run-errors/errors"):
                rule = Deployed.find(client, name)
                assert rule.wait(rule.start()).state_name == "Triggered"
        found = rows(
            engine, "SELECT rule_name, kind, ticker, message FROM alert_event WHERE kind = 'alert'"
        )
    told = {(event["rule_name"], event["ticker"]): event["message"] for event in found}
    assert told[("hosts", "web-1 cpu")].startswith("web-1: 97.5 % of the processors in use")
    assert "3 of 1" in told[("errors", "")]
    # This machine is a host, too, and may be above its limits.
    assert [ticker for _, ticker in told if ticker.startswith("web-1")] == ["web-1 cpu"]
