"""Minutes of real operation, with everything killed in the middle. Run by `make soak`."""

import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from tests.support.deployed import rows
from tests.support.prefect import PrefectServer, clean_environment, client_of
from tests.support.processes import free_port, wait_for
from tests.support.up import System, rule_file, sentinel_up

pytestmark = pytest.mark.soak

EVERY_MINUTE = [{"cron": "* * * * *", "timezone": "UTC"}]
RULES = ("one", "two", "three")


def the_file(folder: Path) -> Path:
    pool = {"work_pool": {"name": "sentinel"}, "schedules": EVERY_MINUTE}
    limit = {"concurrency_limit": {"limit": 1, "collision_strategy": "CANCEL_NEW"}}
    rules = [
        {
            "name": name,
            "entrypoint": "flows/system.py:disk_usage",
            "parameters": {"check": {"path": "/", "threshold": 0}, "importance": "low"},
            **pool,
            **limit,
        }
        for name in RULES
    ]
    reconcile = {"name": "reconcile", "entrypoint": "flows/reconcile.py:reconcile", **pool}
    return rule_file(folder, reconcile, *rules)


def kill_everything(system: System) -> None:
    """A power cut: nothing gets to say goodbye."""
    parent = psutil.Process(system.process.pid)
    for process in [parent, *parent.children(recursive=True)]:
        os.kill(process.pid, signal.SIGKILL)
    system.process.wait(30)


@pytest.mark.timeout(1200)
def test_after_a_power_cut_every_ended_run_has_one_record_and_no_rule_stays_unchecked(
    tmp_path: Path,
) -> None:
    env = clean_environment(tmp_path)
    file, port = the_file(tmp_path), free_port()
    options = ("--server-port", str(port))
    with sentinel_up(tmp_path, file, *options, env=env) as system:
        time.sleep(130)
        kill_everything(system)
    time.sleep(70)  # checks fall due while nobody is there
    (tmp_path / "up.log").unlink()
    with sentinel_up(tmp_path, file, *options, env=env) as system:
        time.sleep(240)
        server = PrefectServer(f"http://127.0.0.1:{port}/api", env, tmp_path)
        since = datetime.now(UTC) - timedelta(minutes=2)
        for name in RULES:  # checked again, and lately
            fresh = "SELECT max(last_evaluated_at) AS at FROM alert_rule WHERE name = :name"
            at = rows(system.store, fresh, name=name)[0]["at"]
            assert datetime.fromisoformat(str(at)).replace(tzinfo=UTC) > since, (name, at)
        wait_for(lambda: not unrecorded(server, system), seconds=150, what="every record", every=5)
        doubled = rows(
            system.store,
            "SELECT prefect_flow_run_id, count(*) AS n FROM evaluation "
            "GROUP BY prefect_flow_run_id, kind, ticker HAVING count(*) > 1",
        )
        assert doubled == []
        open_events = rows(
            system.store,
            "SELECT rule_name, kind FROM alert_event WHERE resolved_at IS NULL AND kind = 'alert'",
        )
        assert sorted(str(row["rule_name"]) for row in open_events) == sorted(RULES)


def unrecorded(server: PrefectServer, system: System) -> list[str]:
    """Names of ended runs of the rules that have no evaluation yet."""
    known = {
        str(row["id"]).replace("-", "")
        for row in rows(system.store, "SELECT prefect_flow_run_id AS id FROM evaluation")
    }
    with client_of(server) as client:
        deployments = {client.read_deployment_by_name(f"disk-usage/{name}").id for name in RULES}
        settled = datetime.now(UTC) - timedelta(minutes=2)
        return [
            run.name
            for run in client.read_flow_runs(limit=200)
            if run.deployment_id in deployments
            and run.state is not None
            and run.state.is_final()
            and run.state.timestamp < settled
            and run.id.hex not in known
        ]
