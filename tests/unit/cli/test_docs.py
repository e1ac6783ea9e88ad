"""`sentinel docs`: every page can be read without a browser or a checkout."""

import json
import os
import subprocess
import sys

import pytest

from sentinel_core.cli import main
from tests.support.command import refused_here
from tests.support.processes import ROOT

Capture = pytest.CaptureFixture[str]


def printed(capsys: Capture, *arguments: str) -> str:
    with pytest.raises(SystemExit) as exit_:
        main(["docs", *arguments])
    out, err = capsys.readouterr()
    assert exit_.value.code == 0, err
    return out


def test_every_page_is_listed_and_the_index_is_first(capsys: Capture) -> None:
    listed = json.loads(printed(capsys, "--json"))
    assert listed[0] == {"page": "index", "title": "Documentation"}
    written = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    names = {path.with_suffix("").as_posix() for path in written}
    assert {page["page"] for page in listed} == names | {"changelog"}
    assert all(page["title"] for page in listed)


@pytest.mark.parametrize(
    ("asked", "file"),
    [
        ("notifications", "notifications.md"),
        ("docs/notifications.md", "notifications.md"),
        ("triggers/disk_usage", "triggers/disk_usage.md"),
        ("disk_usage", "triggers/disk_usage.md"),
        ("disk-usage", "triggers/disk_usage.md"),
        (" daily-report ", "daily-report.md"),
        ("CHANGELOG.md", "../CHANGELOG.md"),
    ],
)
def test_a_page_is_printed_as_it_is_written(asked: str, file: str, capsys: Capture) -> None:
    assert printed(capsys, asked) == (ROOT / "docs" / file).read_text("utf-8")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("notification", "did you mean notifications?"),
        ("../README", "there is no page '../README'"),
        ("/etc/passwd", "there is no page '/etc/passwd'"),
        ("x" * 100_000, f"there is no page '{'x' * 20}"),
        ("", "there is no page ''"),
        ("images/blotter-light.png", "there is no page"),
    ],
)
def test_a_page_that_is_none_is_refused(asked: str, said: str, capsys: Capture) -> None:
    refusal = refused_here(capsys, "docs", asked)
    assert said in refusal
    assert len(refusal) < 500


@pytest.mark.parametrize(
    ("variables", "styled"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=["a terminal", "without colours", "a dumb terminal"],
)
def test_a_terminal_gets_a_page_without_a_pager(variables: dict[str, str], styled: bool) -> None:
    keyboard, terminal = os.openpty()
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    environment = {**clean, "TERM": "xterm", "PAGER": "sed s/^/paged/", **variables}
    command = [sys.executable, "-m", "sentinel_core.cli", "docs", "index"]
    with subprocess.Popen(command, stdout=terminal, env=environment):
        os.close(terminal)
        text = _read(keyboard)
    assert "Documentation" in text
    assert "paged" not in text
    assert ("\x1b[" in text) is styled


def _read(keyboard: int) -> str:
    content = b""
    while True:
        try:
            part = os.read(keyboard, 65_536)
        except OSError:  # the other end is closed
            part = b""
        if not part:
            os.close(keyboard)
            return content.decode()
        content += part
