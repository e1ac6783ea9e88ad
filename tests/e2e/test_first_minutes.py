"""A fresh system: no event of its first minutes is of its own making.

With the example rules, and with those that `sentinel init` writes.
"""

import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.deployed import rows
from tests.support.prefect import clean_environment
from tests.support.processes import BIN, ROOT, free_port, wait_for
from tests.support.up import System, sentinel_up

ABOUT_SENTINEL = {
    "prefect-server-health",
    "reconcile-completes",
    "unacknowledged-critical",
    "worker-memory-leak",
}
"""Example rules about Sentinel and Prefect; the others are about the machine and the quotes."""

EXAMPLES = ROOT / "prefect.yaml"
SECONDS = (5, 30, 55)  # of the minute, at which it is started


def run_fresh(folder: Path, second: int, seconds: float, file: Path = EXAMPLES) -> None:
    """Start a system at this second of a minute, let it run, and look at its events."""
    wait_for(lambda: datetime.now(UTC).second == second, seconds=120, what="the second to start at")
    env, port = clean_environment(folder), free_port()
    options = ("--server-port", str(port))
    with sentinel_up(folder, file, *options, env=env) as system:
        time.sleep(seconds)
        require_only_the_world(system)
        wait_for(
            lambda: rows(system.store, "SELECT id FROM alert_event WHERE rule_name='disk-any-use'"),
            what="the event of the rule that always fires",
        )
        wait_for(lambda: not unchecked(system), seconds=420, what="a check of every rule", every=2)
        require_only_the_world(system)


def require_only_the_world(system: System) -> None:
    """Fail if an event says that a rule was not checked, or that Sentinel itself is in trouble."""
    events = rows(system.store, "SELECT rule_name, kind, message, timestamp FROM alert_event")
    ours = [
        event
        for event in events
        if event["kind"] != "alert" or event["rule_name"] in ABOUT_SENTINEL
    ]
    assert ours == [], f"{len(ours)} of {len(events)}\n{system.said()}"


def unchecked(system: System) -> list[object]:
    """The active rules that no run has checked yet."""
    query = "SELECT name FROM alert_rule WHERE is_active AND last_evaluated_at IS NULL"
    return [row["name"] for row in rows(system.store, query)]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("second", SECONDS)
def test_no_event_of_a_fresh_system_is_of_its_own_making(tmp_path: Path, second: int) -> None:
    run_fresh(tmp_path, second, 90)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("second", SECONDS)
def test_nor_is_one_of_its_first_five_minutes(tmp_path: Path, second: int) -> None:
    run_fresh(tmp_path, second, 300)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("second", SECONDS)
def test_nor_one_of_a_new_project(tmp_path: Path, second: int) -> None:
    project = tmp_path / "alerts"
    made = [BIN / "sentinel", "init", project]
    subprocess.run(made, env=clean_environment(tmp_path), check=True, stdin=subprocess.DEVNULL)
    run_fresh(tmp_path, second, 300, project / "prefect.yaml")
