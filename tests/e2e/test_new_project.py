"""`sentinel init`, `sentinel up`: a new project runs, and shows its one first event."""

from pathlib import Path

import pytest

from sentinel_core.project.plan import make_plan
from sentinel_core.project.write import write
from tests.support.deployed import rows
from tests.support.prefect import clean_environment
from tests.support.processes import free_port, wait_for
from tests.support.up import sentinel_up

RULES = "SELECT name, last_evaluated_at FROM alert_rule WHERE is_active"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_new_project_is_checked_and_its_demonstration_is_the_only_event(tmp_path: Path) -> None:
    project = tmp_path / "alerts"
    write(make_plan(project))
    file, port = project / "prefect.yaml", str(free_port())
    env = clean_environment(tmp_path)
    with sentinel_up(tmp_path, file, "--server-port", port, env=env, cwd=project) as system:
        wait_for(lambda: rows(system.store, "SELECT id FROM alert_event"), what="the first event")
        wait_for(
            lambda: all(rule["last_evaluated_at"] for rule in rows(system.store, RULES)),
            seconds=180,
            what="a check of every rule",
        )
        wait_for(lambda: rows(system.store, "SELECT name FROM checkpoint"), what="a reconcile")
        events = rows(system.store, "SELECT rule_name, kind FROM alert_event")
        assert [(e["rule_name"], e["kind"]) for e in events] == [("disk-any-use", "alert")]
