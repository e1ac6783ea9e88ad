"""`sentinel init` of the installed wheel: a first project, and rules added to a Prefect project."""

import json
import subprocess
from pathlib import Path

import pytest

from sentinel_core.project.template import deployments, files
from tests.support.installed import Installed
from tests.support.prefect import clean_environment

pytestmark = pytest.mark.slow

THEIRS = """\
# What the team runs at night; ask Ana before you change it.
deployments:
- name: nightly
  entrypoint: nightly.py:nightly
  schedules: []
  work_pool: {name: sentinel}
"""
NIGHTLY = '''"""What runs at night."""

from prefect import flow


@flow
def nightly() -> None:
    """Nothing."""
'''


def run(installed: Installed, folder: Path, *command: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=installed.environment(clean_environment(folder.parent)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_new_project_has_every_file_and_no_warning(installed: Installed, tmp_path: Path) -> None:
    run(installed, tmp_path, installed.sentinel, "init", "alerts")
    project = tmp_path / "alerts"
    assert {str(p.relative_to(project)) for p in project.rglob("*") if p.is_file()} == set(files())
    checked = run(installed, project, installed.sentinel, "rules", "check")
    assert "6 rules and 4 other deployments, no errors" in checked
    assert "warning" not in checked


def test_a_prefect_project_gets_rules_beside_its_own_deployments(
    installed: Installed, tmp_path: Path
) -> None:
    project = tmp_path / "shop"
    project.mkdir()
    (project / "prefect.yaml").write_text(THEIRS)
    (project / "nightly.py").write_text(NIGHTLY)
    added = json.loads(run(installed, project, installed.sentinel, "init", "--yes", "--json"))
    assert added["deployments"] == list(deployments())
    assert (project / "prefect.yaml").read_text().startswith(THEIRS.splitlines()[0])
    checked = run(installed, project, installed.sentinel, "rules", "check")
    assert "6 rules and 5 other deployments, no errors" in checked
