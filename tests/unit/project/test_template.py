"""The project that `sentinel init` writes passes every check that it brings along."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sentinel_core.project.plan import make_plan
from sentinel_core.project.template import definitions, deployments, files
from sentinel_core.project.write import write
from tests.support.patience import patient
from tests.support.prefect import clean_environment
from tests.support.processes import BIN, ROOT

WORKFLOW = ".github/workflows/sentinel.yml"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project") / "alerts"
    write(make_plan(folder))
    return folder


def run(project: Path, *command: str, code: int = 0) -> str:
    done = subprocess.run(
        command,
        cwd=project,
        env={**clean_environment(project.parent), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=patient(120),
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_rule_file_has_no_errors_and_no_warnings(project: Path) -> None:
    said = run(project, str(BIN / "sentinel"), "rules", "check")
    rules = [piece for piece in deployments().values() if piece.is_rule]
    assert f"prefect.yaml: {len(rules)} rules and 4 other deployments, no errors" in said
    assert "warning" not in said


@pytest.mark.slow
def test_the_tests_of_its_rules_and_of_its_trigger_pass(project: Path) -> None:
    said = run(project, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert re.search(r"^\d+ passed", said, re.MULTILINE)
    assert "skipped" not in said


def test_every_rule_but_the_demonstration_has_a_test(project: Path) -> None:
    tested = {path.stem for path in (project / "tests/rules").glob("*.yaml")}
    rules = {piece.name for piece in deployments().values() if piece.is_rule}
    assert tested == rules - {"disk-any-use"}


def test_ruff_finds_nothing_in_its_python(project: Path) -> None:
    run(project, str(BIN / "ruff"), "check", "--isolated", "--no-cache", ".")


def test_anchors_are_used_or_offered_by_their_comments() -> None:
    text = files()["prefect.yaml"].decode()
    for name in definitions():
        assert f": &{name}" in text
        assert f"*{name}" in text


def test_the_workflow_runs_every_check_and_the_gate() -> None:
    workflow = yaml.safe_load(files()[WORKFLOW])
    assert set(workflow[True]) == {"pull_request", "push"}  # `on`, by YAML 1.1
    check, replay = workflow["jobs"]["check"], workflow["jobs"]["replay"]
    commands = [step["run"] for step in check["steps"] if "run" in step]
    assert commands[1:] == ["sentinel rules check", "sentinel rules unittest", "python -m pytest"]
    assert replay["steps"][-1]["run"] == "sentinel rules deploy --dry-run --budget 5"
    assert replay["needs"] == "check"
    for step in (*check["steps"], *replay["steps"]):
        assert "uses" not in step or re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])


def test_the_requirement_is_the_version_that_wrote_it() -> None:
    low, high = re.fullmatch(
        r"prefect-sentinel>=(\d+\.\d+),<(\d+\.\d+)\n",
        files()["requirements.txt"].decode().splitlines(keepends=True)[-1],
    ).groups()  # type: ignore[union-attr]
    project = (ROOT / "pyproject.toml").read_text()
    version = re.search(r'^version = "(\d+\.\d+)', project, re.MULTILINE)
    assert version is not None
    assert version[1] == low
    assert high == f"0.{int(low.partition('.')[2]) + 1}"
