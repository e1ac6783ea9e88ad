"""What becomes of an entrypoint: a flow, or a sentence that says what to do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from prefect import Flow

from sentinel_core.rulefile.load_flow import flow_loader, load_flow
from tests.support.processes import ROOT

RULE = """
from sentinel_core import rule_flow
from triggers.system.disk_usage import DiskUsage

disk_usage = rule_flow(DiskUsage)
"""
LOAD = """
import json, sys
from sentinel_core.rulefile.load_flow import load_flow
found = load_flow(sys.argv[1])
print(json.dumps(found if isinstance(found, str) else found.name))
"""


def loaded(folder: Path, entrypoint: str = "flows/machine.py:disk_usage") -> str:
    """The flow's name or the sentence, in a program of its own that begins in this folder."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOAD, entrypoint],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return str(json.loads(done.stdout))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "machine.py").write_text(RULE)
    return tmp_path


@pytest.mark.parametrize("flow", ["reconcile", "deliver", "daily_report", "retention"])
def test_a_housekeeping_flow_is_named_as_a_module_or_by_its_old_file(
    flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    found = load_flow(f"sentinel_core.flow.scheduled.{flow}")
    assert isinstance(found, Flow)
    assert load_flow(f"sentinel_core.flow.scheduled:{flow}") is found
    assert load_flow(f"flows/{flow}.py:{flow}") is found


@pytest.mark.parametrize(
    ("entrypoint", "sentence"),
    [
        ("sentinel_core.flow.scheduled.reconsile", "did you mean reconcile?"),
        ("sentinel_core.flow.scheduled.NAME", "NAME does not exist in sentinel_core.flow"),
        ("sentinel_core.flow.scheduled.flow", "flow is not a flow in sentinel_core.flow"),
        ("no_such_package.flows.tidy", "no_such_package.flows can't be imported: ModuleNotFound"),
        ("flows/system.py", "can't be imported"),
        ("flows/system.py:cpu_usages", "did you mean cpu_usage?"),
        (
            "flows/reconcile.py:cpu_usage",
            ": add the lines that `sentinel triggers show cpu-usage` prints",
        ),
        (
            "flows/nowhere.py:cpu_usage",
            ": add the lines that `sentinel triggers show cpu-usage` prints",
        ),
        ("flows/nowhere.py:*", "there is no file flows/nowhere.py in"),
        ("flows/pipelines.py:slow_flow", "did you mean slow_flows?"),
        ("flows/pipelines.py:stuck", "did you mean stuck_runs?"),  # a module beside the triggers
    ],
)
def test_what_is_no_flow_is_named(entrypoint: str, sentence: str) -> None:
    found = load_flow(entrypoint)
    assert isinstance(found, str)
    assert sentence in found


def test_a_file_is_imported_once_for_all_its_flows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    count = "with open('imported', 'a') as file: file.write('x')"
    (tmp_path / "two.py").write_text(f"{count}\nfrom prefect import flow\na = b = flow(print)\n")
    load = flow_loader()
    assert load("two.py:a") is load("two.py:b")
    assert "does not exist" in str(load("two.py:c"))
    assert (tmp_path / "imported").read_text() == "x"


def test_folders_without_an_init_file_have_their_own_modules_and_sentinels(project: Path) -> None:
    for folder, name in (("triggers", "own"), ("triggers/system", "queue"), ("flows", "shared")):
        (project / folder).mkdir(parents=True, exist_ok=True)
        (project / folder / f"{name}.py").write_text("")
    own = "import flows.shared, flows.reconcile, triggers.own, triggers.system.queue\n"
    (project / "flows" / "machine.py").write_text(f"{own}{RULE}")
    assert loaded(project) == "disk-usage"


def test_a_package_of_the_project_that_shares_its_name_works(project: Path) -> None:
    (project / "triggers").mkdir()
    init = project / "triggers" / "__init__.py"
    init.write_text("")
    said = loaded(project)
    assert said.startswith(
        f"flows/machine.py can't be imported: {init} hides Sentinel's triggers.system: delete it "
        "if it is empty, or add the line `"
    )
    init.write_text(said.split("`")[1] + "\n")
    assert loaded(project) == "disk-usage"
    init.unlink()
    assert loaded(project) == "disk-usage"


@pytest.mark.slow("flows/triggers.py", "triggers/system/disk_usage.py")
@pytest.mark.parametrize(
    ("file", "hidden", "advice"),
    [
        ("triggers/system/__init__.py", "triggers.system.disk_usage", "delete it if it is empty"),
        ("flows/triggers.py", "triggers.system", "rename it"),
        ("triggers/system/disk_usage.py", "triggers.system.disk_usage", "rename it"),
    ],
)
def test_whatever_hides_a_trigger_is_named(
    project: Path, file: str, hidden: str, advice: str
) -> None:
    (project / file).parent.mkdir(parents=True, exist_ok=True)
    (project / file).write_text("")
    assert f"{project / file} hides Sentinel's {hidden}: {advice}" in loaded(project)


def test_a_package_that_is_missing_is_no_hidden_one(project: Path) -> None:
    (project / "flows" / "machine.py").write_text("import triggers.nothing\n")
    assert "No module named 'triggers.nothing'" in loaded(project)
