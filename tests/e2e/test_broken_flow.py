"""A flow file that stops importing kills its family quietly: it must be seen all the same."""

from pathlib import Path

import psutil
import pytest

from tests.support.deployed import rows
from tests.support.prefect import clean_environment
from tests.support.processes import ROOT, free_port, wait_for
from tests.support.up import rule_file, sentinel_up

EVERY_MINUTE = [{"cron": "* * * * *", "timezone": "UTC"}]
POOL = {"work_pool": {"name": "sentinel"}, "schedules": EVERY_MINUTE}


def _commands(pid: int) -> list[list[str]]:
    return [child.cmdline() for child in psutil.Process(pid).children()]


@pytest.mark.slow
def test_an_import_error_is_an_event_within_two_periods_of_the_first_missed_check(
    tmp_path: Path,
) -> None:
    flows = tmp_path / "family.py"
    healthy = (ROOT / "flows" / "system.py").read_text()
    flows.write_text(healthy)
    file = rule_file(
        tmp_path,
        {"name": "reconcile", "entrypoint": "flows/reconcile.py:reconcile", **POOL},
        {
            "name": "breaks",
            "entrypoint": f"{flows}:disk_usage",
            "parameters": {"check": {"path": "/", "threshold": 100}},
            **POOL,
        },
    )
    options = ("--server-port", str(free_port()), "--read-only")  # nobody looks at it
    with sentinel_up(tmp_path, file, *options, env=clean_environment(tmp_path)) as system:
        [viewer] = [line for line in _commands(system.process.pid) if "viewer" in line]
        assert "--read-only" in viewer
        healthy_run = "SELECT * FROM evaluation WHERE kind = 'alert'"
        wait_for(lambda: rows(system.store, healthy_run), what="a healthy run")
        flows.write_text("import a_dependency_that_went_away\n" + healthy)
        failure = "SELECT * FROM alert_event WHERE kind = 'failure' AND rule_name = 'breaks'"
        # Nobody calls reconcile here: the scheduled flow does. A period is a minute, the next
        # check is due within one, and two more may pass until the event is there.
        wait_for(lambda: rows(system.store, failure), seconds=200, what="the failure event")
        [event] = rows(system.store, failure)
        assert event["prefect_state"] in ("FAILED", "CRASHED")
        assert str(event["message"]).startswith("Not checked: the run ended as ")
        assert event["resolved_at"] is None
        flows.write_text(healthy)
        wait_for(
            lambda: rows(system.store, failure)[0]["resolved_at"],
            seconds=130,
            what="the failure to resolve with the next run that checks",
        )
