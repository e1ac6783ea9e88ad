"""The systemd units: systemd itself finds nothing wrong, and their commands exist."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.deploy_files import assert_commands_exist
from tests.support.processes import BIN, ROOT

UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here"
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The units with programs that exist on this machine."""
    folder = tmp_path_factory.mktemp("units")
    for unit in UNITS:
        text = unit.read_text().replace("/opt/sentinel/bin", str(BIN))
        (folder / unit.name).write_text(text)
    return sorted(folder.iterdir())


@needs_systemd
def test_systemd_finds_nothing_wrong(installed: list[Path]) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *installed],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
def test_services_have_few_rights(installed: list[Path]) -> None:
    for unit in installed:
        subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--threshold=40", unit],
            capture_output=True,
            check=True,
        )


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_its_commands_exist(unit: Path) -> None:
    commands = re.findall(r"^ExecStart=(.+)$", unit.read_text(), re.MULTILINE)
    script = "\n".join(
        re.sub(r"^/bin/sh -c '(.+)'$", r"\1", c).replace(
            "/python -m sentinel_core.up.prefect_server", "/prefect"
        )
        for c in commands
    )
    assert assert_commands_exist(script) >= len(commands)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_its_secrets_are_in_a_file_that_has_an_example(unit: Path) -> None:
    [name] = re.findall(r"^EnvironmentFile=/etc/sentinel/(.+)$", unit.read_text(), re.MULTILINE)
    assert (ROOT / "deploy/env" / f"{name}.example").is_file()


def test_the_worker_is_stopped_as_its_page_says() -> None:
    text = (ROOT / "deploy/systemd/sentinel-worker.service").read_text()
    assert "\nKillMode=mixed\n" in text  # its processes finish their runs
    assert "\nOOMPolicy=continue\n" in text
    [seconds] = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    assert int(seconds) >= 15 + 20
