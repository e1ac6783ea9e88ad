"""A folder with nothing in it: `sentinel init`, `sentinel up`, and the first event."""

import os
import signal
from pathlib import Path

import pytest

from tests.support.deployed import rows
from tests.support.installed import Installed
from tests.support.prefect import PrefectServer, clean_environment
from tests.support.processes import answers, free_port, running, wait_for
from tests.support.team import Team

pytestmark = pytest.mark.slow


@pytest.fixture
def team(installed: Installed, tmp_path: Path) -> Team:
    """An empty folder; no Prefect server, and no event store."""
    folder = tmp_path / "alerts"
    folder.mkdir()
    return Team(installed, PrefectServer("", clean_environment(tmp_path), tmp_path), folder)


def test_two_commands_lead_to_the_first_event(team: Team, tmp_path: Path) -> None:
    team.sentinel("init")
    checked = team.sentinel("rules", "check", "alerts/prefect.yaml", cwd=tmp_path)
    assert "no errors" in checked.stdout
    server, viewer = free_port(), free_port()
    ports = ("--server-port", str(server), "--viewer-port", str(viewer), "--no-api")
    log = tmp_path / "up.log"
    command = (team.installed.sentinel, "up", *ports)
    with running(*command, env=team.env, log=log, cwd=team.folder, grace_seconds=60) as process:
        wait_for(
            lambda: process.poll() is not None or "Ctrl-C stops all" in log.read_text(),
            seconds=120,
            what="readiness",
        )
        assert process.poll() is None, log.read_text()
        with team.store() as store:
            first = "SELECT rule_name FROM alert_event ORDER BY id"
            wait_for(lambda: rows(store, first), seconds=60, what="the first event")
            assert rows(store, first)[0]["rule_name"] == "disk-any-use"
        assert "disk-any-use" in team.sentinel("events", "list").stdout
        assert answers(f"http://127.0.0.1:{viewer}")
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(90) == 0, log.read_text()
    assert "Traceback" not in log.read_text()


def test_the_tests_of_the_new_project_pass(team: Team) -> None:
    team.sentinel("init")
    assert "rule tests passed" in team.sentinel("rules", "unittest").stdout
    done = team.run(team.installed.python, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert " passed" in done.stdout
