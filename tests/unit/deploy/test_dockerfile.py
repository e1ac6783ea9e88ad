"""The Dockerfile: what it copies exists, nothing runs as root, and what it runs works."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.deploy_files import load
from tests.support.patience import patient
from tests.support.processes import ROOT

TEXT = (ROOT / "Dockerfile").read_text()
LINES = re.sub(r"\\\n\s*", "", TEXT).splitlines()
STEPS = [line.split(maxsplit=1) for line in LINES if re.match(r"[A-Z]+ ", line)]
COPIED = [step.split() for word, step in STEPS if word == "COPY"]
RUN = [step for word, step in STEPS if word == "RUN"]


def test_the_base_image_is_pinned_to_a_prefect_that_this_package_takes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [prefect] = [name for name in project["dependencies"] if name.startswith("prefect>=")]
    _, base = STEPS[0]
    version = re.fullmatch(r"prefecthq/prefect:(3\.8)\.\d+-python3\.1[1-9]", base)
    assert version is not None
    assert f"<{float(version[1]) + 0.1:.1f}" in prefect
    pinned = re.search(r"^prefect==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert f":{pinned[1]}-" in base


def test_what_it_copies_exists_and_is_let_in() -> None:
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"
    }
    named = {source for *sources, _ in COPIED for source in sources}
    assert named == allowed
    for source in named:
        assert (ROOT / source).exists()


def test_nothing_runs_as_root() -> None:
    words = [word for word, _ in STEPS]
    assert words.index("USER") < words.index("CMD")
    user = next(step for word, step in STEPS if word == "USER")
    assert f"useradd --uid {user} " in RUN[-1]


@pytest.mark.slow
def test_what_it_installs_has_the_commands_the_worker_and_what_compose_names(
    tmp_path: Path,
) -> None:
    source, venv = tmp_path / "opt", tmp_path / "venv"
    for *names, target in COPIED:
        for name in names:
            place = source / Path(target).relative_to("/opt/sentinel")
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                place.mkdir(exist_ok=True)
                shutil.copy(ROOT / name, place)
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    [install] = [step for step in RUN if step.startswith("pip ")]

    def run(command: str) -> str:
        done = subprocess.run(
            ["/bin/sh", "-ec", command.replace("/opt/sentinel", str(source))],
            cwd=tmp_path,
            env={"PATH": f"{venv / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=patient(500),
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(install)
    shutil.rmtree(source)  # what runs is what was installed
    assert "sentinel" in run("prefect work-pool ls --help && sentinel --help")
    run("sentinel viewer --help && sentinel init new && cd new && sentinel rules check")
    run('python -c "import sentinel_core.flow.scheduled, viewer, triggers.system.disk_usage"')
    look = (
        "from prefect.workers import base; print(*base.BaseWorker.get_all_available_worker_types())"
    )
    assert "sentinel" in run(f'python -c "{look}"').split()
    modules = {
        value
        for service in load("compose.yaml")["services"].values()
        for value in service.get("environment", {}).values()
        if value.startswith("prefect_redis.")
    }
    assert len(modules) == 3
    run(f"python -c 'import {', '.join(sorted(modules))}'")
