"""Where the files of entrypoints are looked for."""

from pathlib import Path

import pytest
import yaml

from sentinel_core.rulefile.check import check
from sentinel_core.rulefile.source import read
from tests.support.processes import ROOT

FLOW = """
from prefect import flow

@flow
def tidy() -> None:
    "Tidies."
"""


def rule_file(folder: Path, *entrypoints: str) -> Path:
    deployments = [
        {"name": f"d{number}", "entrypoint": entrypoint, "work_pool": {"name": "p"}}
        for number, entrypoint in enumerate(entrypoints)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "prefect.yaml"
    file.write_text(yaml.safe_dump({"deployments": deployments}))
    return file


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project" / "jobs").mkdir(parents=True)
    (tmp_path / "project" / "jobs" / "tidying.py").write_text(FLOW)
    return tmp_path / "project"


def test_entrypoints_are_relative_to_the_rule_file_wherever_one_is(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule_file(project, "jobs/tidying.py:tidy")
    for place, name in ((tmp_path, "project/prefect.yaml"), (project / "jobs", "../prefect.yaml")):
        monkeypatch.chdir(place)
        report = check(Path(name), ask_prefect=False)
        assert not report.problems
        [declared] = report.declared
        assert declared.folder == project.resolve()
        assert Path.cwd() == place.resolve()


def test_a_file_of_the_same_name_in_the_current_folder_is_another_one(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = rule_file(project, "jobs/tidying.py:tidy")
    here = tmp_path / "here" / "jobs"
    here.mkdir(parents=True)
    (here / "tidying.py").write_text("raise ValueError\n")
    monkeypatch.chdir(here.parent)
    assert read(file).folder == project.resolve()
    assert not check(file, ask_prefect=False).problems


def test_a_rule_file_apart_from_its_project_is_read_as_prefect_reads_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = rule_file(project / "deploy" / "prod", "jobs/tidying.py:tidy", str(ROOT / "any.py:x"))
    monkeypatch.chdir(project)
    assert read(file).folder == project.resolve()


def test_a_missing_file_is_missed_beside_the_rule_file(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = rule_file(project, "jobs/gone.py:tidy")
    monkeypatch.chdir(tmp_path)
    [problem] = check(file, ask_prefect=False).errors
    assert problem.message == f"there is no file jobs/gone.py in {project.resolve()}"


def test_a_linked_rule_file_belongs_to_the_folder_of_the_link(
    project: Path, tmp_path: Path
) -> None:
    target = rule_file(tmp_path / "mounted", "jobs/tidying.py:tidy")
    (project / "prefect.yaml").symlink_to(target)
    assert read(project / "prefect.yaml").folder == project.resolve()
