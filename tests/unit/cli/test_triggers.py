"""`sentinel triggers`: the catalogue is made from the classes, a team's own included."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sentinel_core.cli import main
from tests.support.command import refused_here

OWN = """
from sentinel_core import AlertOutput, Trigger, rule_flow

class QueueDepth(Trigger):
    "A queue is longer than a threshold."

    display_name = "Queue depth"
    queue: str
    limits: list[int] = [1, 2]
    limit: float | None = None

    def check(self) -> AlertOutput:
        raise NotImplementedError

queue_depth = rule_flow(QueueDepth)
"""
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a trigger of its own, and a file that can't be imported."""
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "own.py").write_text(OWN, "utf-8")
    (flows / "broken.py").write_text("import no_such_module_anywhere", "utf-8")
    file = tmp_path / "prefect.yaml"
    file.write_text("deployments: []", "utf-8")
    return file


def run(capsys: Capture, *arguments: str) -> tuple[str, str]:
    with pytest.raises(SystemExit) as exit_:
        main(["triggers", *arguments])
    out, err = capsys.readouterr()
    assert exit_.value.code == 0, err
    return out, err


def test_every_trigger_is_listed_with_its_entrypoint(capsys: Capture) -> None:
    out, _ = run(capsys, "list", "--json")
    found = {one["name"]: one for one in json.loads(out)}
    assert found["disk-usage"]["entrypoint"] == "flows/system.py:disk_usage"
    assert found["disk-usage"]["page"] == "docs/triggers/disk_usage.md"
    pages = {path.stem for path in Path("docs/triggers").glob("*.md")}
    assert {name.replace("-", "_") for name in found} == pages
    assert all(Path(one["page"]).is_file() for one in found.values())


def test_a_trigger_is_shown_with_types_defaults_and_descriptions(capsys: Capture) -> None:
    out, _ = run(capsys, "show", "disk_usage")
    assert "flows/system.py:disk_usage" in out
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line.startswith("  ")}
    assert rows["threshold"][:5] == ["threshold", "number", "90", "percent", "used,"]


def test_what_no_flow_of_a_project_has_comes_with_the_lines_to_add(
    project: Path, capsys: Capture
) -> None:
    out, _ = run(capsys, "show", "cpu-usage", "--file", str(project))
    lines = [
        "from sentinel_core import rule_flow",
        "from triggers.system.cpu_usage import CpuUsage",
        "",
        "cpu_usage = rule_flow(CpuUsage)",
    ]
    assert "add to flows/system.py\n\n    " + "\n    ".join(lines).replace("    \n", "\n") in out
    assert "then a rule names flows/system.py:cpu_usage" in out
    assert "page        sentinel docs triggers/cpu_usage" in out
    (project.parent / "flows" / "system.py").write_text("\n".join(lines), "utf-8")
    out, _ = run(capsys, "show", "cpu-usage", "--file", str(project))
    assert "entrypoint  flows/system.py:cpu_usage" in out
    assert "add to" not in out


@pytest.mark.slow
def test_a_teams_own_trigger_is_there_and_a_broken_file_is_named(
    project: Path, capsys: Capture
) -> None:
    out, err = run(capsys, "show", "queue-depth", "--file", str(project), "--json")
    shown = json.loads(out)
    assert shown["entrypoint"] == "flows/own.py:queue_depth"
    assert shown["description"] == "A queue is longer than a threshold."
    assert shown["page"] is None
    assert [(one["name"], one["type"], one["required"]) for one in shown["parameters"]] == [
        ("queue", "text", True),
        ("limits", "list of whole number", False),
        ("limit", "number or nothing", False),
    ]
    assert "flows/broken.py can't be imported: ModuleNotFoundError" in err
    listed = json.loads(run(capsys, "list", "--file", str(project), "--json")[0])
    places = {one["name"]: one["entrypoint"] for one in listed}
    pages = {path.stem.replace("_", "-") for path in Path("docs/triggers").glob("*.md")}
    assert places.keys() == pages | {"queue-depth"}
    assert {name for name, place in places.items() if place} == {"queue-depth"}


def test_triggers_of_a_project_are_found_whatever_else_lies_there(
    project: Path, capsys: Capture
) -> None:
    for name in ("broken.py", "own.py"):
        (project.parent / "flows" / name).unlink()
    files = project.parent / "triggers" / "files"
    (files / ".ipynb_checkpoints").mkdir(parents=True)
    (files / "queue_depth.py").write_text(OWN.partition("queue_depth =")[0], "utf-8")
    for name in ("test_queue.py", "conftest.py", "old-check.py", ".ipynb_checkpoints/x.py"):
        (files / name).write_text("raise RuntimeError('not to be imported')", "utf-8")
    (files / "weird.py").mkdir()
    (files / "gone.py").symlink_to("nowhere.py")
    out, err = run(capsys, "show", "queue-depth", "--file", str(project))
    assert "from triggers.files.queue_depth import QueueDepth" in out
    assert "sentinel docs" not in out
    assert err == ""


@pytest.mark.slow
def test_a_package_that_hides_sentinels_triggers_is_named(project: Path) -> None:
    """In a process of its own, which has imported none of them yet."""
    (project.parent / "triggers").mkdir()
    (project.parent / "triggers" / "__init__.py").touch()
    command = [sys.executable, "-m", "sentinel_core.cli", "triggers", "list"]
    done = subprocess.run(command, cwd=project.parent, capture_output=True, text=True, check=True)
    assert "triggers/__init__.py hides Sentinel's triggers" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "disk-usge"), "did you mean disk-usage?"),
        (("show", "\x1b[31m"), "there is no trigger"),
        (("list", "--file", "no/such/file.yaml"), "there is no rule file"),
    ],
)
def test_what_does_not_exist_is_refused(
    arguments: tuple[str, ...], words: str, capsys: Capture
) -> None:
    sentence = refused_here(capsys, "triggers", *arguments)
    assert words in sentence
    assert "\x1b" not in sentence
