"""What the wheel brings, and what it leaves to the projects it is installed for."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.installed import Installed
from tests.support.prefect import clean_environment

pytestmark = pytest.mark.slow


def answer(installed: Installed, folder: Path, code: str) -> Any:
    """What the code prints as JSON in the environment of the wheel."""
    done = subprocess.run(
        [installed.python, "-P", "-c", code],
        cwd=folder,
        env=installed.environment(clean_environment(folder)),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_everything_is_imported_from_the_wheel(installed: Installed, tmp_path: Path) -> None:
    code = """
import json, sentinel_core, viewer, triggers.system.disk_usage as t, flows.reconcile as f
print(json.dumps([module.__file__ for module in (sentinel_core, viewer, t, f)]))
"""
    files = answer(installed, tmp_path, code)
    assert all(Path(file).is_relative_to(installed.packages) for file in files), files


def test_the_names_that_projects_use_too_are_namespaces(
    installed: Installed, tmp_path: Path
) -> None:
    code = "import json, triggers, flows; print(json.dumps([triggers.__file__, flows.__file__]))"
    assert answer(installed, tmp_path, code) == [None, None]


def test_prefect_finds_the_worker_and_pytest_the_plugin_once(
    installed: Installed, tmp_path: Path
) -> None:
    code = """
import json
from importlib.metadata import entry_points, version
from prefect.workers.base import BaseWorker
groups = ("prefect.collections", "pytest11")
found = [entry_points(group=group, name="sentinel") for group in groups]
worker = BaseWorker.get_worker_class_from_type("sentinel")
print(json.dumps([*map(len, found), worker.__module__, version("prefect-sentinel")]))
"""
    assert answer(installed, tmp_path, code) == [1, 1, "sentinel_core.worker.worker", "0.1.0"]


def test_the_wheel_has_the_files_that_are_not_python(installed: Installed) -> None:
    for name in (
        "sentinel_core/py.typed",
        "triggers/system/py.typed",
        "sentinel_core/message/templates/slack/body.j2",
        "viewer/streamlit.toml",
        "viewer/icon.svg",
        "sentinel_core/demo/quotes.csv",
        "sentinel_core/docs/triggers/disk_usage.md",
    ):
        assert (installed.packages / name).is_file(), name
