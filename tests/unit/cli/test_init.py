"""`sentinel init`: what it prints, asks and answers."""

import json
import os
import shlex
from pathlib import Path
from typing import Any

import pytest

from sentinel_core.cli import main
from sentinel_core.project.template import deployments, files

THEIRS = "deployments:\n- name: nightly\n  entrypoint: flows/etl.py:nightly\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A Prefect project with one deployment."""
    (tmp_path / "prefect.yaml").write_text(THEIRS)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0) -> str:
    with pytest.raises(SystemExit) as exit_:
        main(["init", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert exit_.value.code == code, out + err
    return out + err


def unchanged(folder: Path) -> bool:
    return [path.name for path in folder.iterdir()] == ["prefect.yaml"] and (
        folder / "prefect.yaml"
    ).read_text() == THEIRS


def test_a_new_project_is_written_without_a_question(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run(capsys, tmp_path / "alerts")
    for name in files():
        assert f"  new      {name}\n" in said
        assert (tmp_path / "alerts" / name).is_file()
    assert f"  cd {tmp_path / 'alerts'}\n" in said
    assert "  sentinel up " in said
    assert "nothing to add" in run(capsys, tmp_path / "alerts")


def test_the_current_folder_is_the_default(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "  cd " not in run(capsys)
    assert (tmp_path / "prefect.yaml").is_file()


def test_a_dry_run_shows_everything_and_writes_nothing(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run(capsys, shop, "--dry-run")
    assert "  new      flows/system.py" in said
    assert "  changed  prefect.yaml" in said
    assert "    +- name: reconcile\n" in said
    removed = [line for line in said.splitlines() if line.startswith("    -")]
    assert removed == ["    --- prefect.yaml (now)"]
    assert said.endswith("dry run: nothing was written\n")
    assert unchanged(shop)


def test_without_a_terminal_a_project_is_not_changed_unless_told_so(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "there is nobody to ask: nothing was written" in run(capsys, shop, code=1)
    assert "there is nobody to ask" in run(capsys, shop, "--json", code=1)
    assert unchanged(shop)
    assert "prefect work-pool create sentinel --type sentinel" in run(capsys, shop, "--yes")
    assert not unchanged(shop)


@pytest.mark.parametrize(("answer", "agreed"), [("y", True), ("n", False), ("", False)])
def test_a_person_is_asked(
    shop: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    agreed: bool,
) -> None:
    keyboard, terminal = os.openpty()
    os.write(keyboard, f"{answer}\n".encode())
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        said = run(capsys, shop, code=0 if agreed else 1)
    os.close(keyboard)
    assert said.index("    +- name: reconcile") < said.index("Add this? [y/N]")
    assert ("nothing was written" in said) is not agreed
    assert unchanged(shop) is not agreed


def test_json_names_what_was_written_and_what_was_kept(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(*flags: str) -> Any:
        return json.loads(run(capsys, shop, "--json", *flags))

    (shop / "requirements.txt").write_text("prefect\n")
    dry, done, again = answer("--dry-run"), answer("--yes"), answer()
    assert {**dry, "written": True} == done
    assert dry["written"] is again["written"] is False
    assert sorted(done["new"]) == sorted(files().keys() - {"prefect.yaml", "requirements.txt"})
    assert done["changed"] == ["prefect.yaml"]
    assert done["deployments"] == list(deployments())
    assert [item["name"] for item in done["kept"]] == ["requirements.txt"]
    assert (again["new"], again["changed"], again["deployments"]) == ([], [], [])


def test_what_can_not_be_read_is_one_sentence(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "prefect.yaml").write_text("deployments: [\n")
    said = run(capsys, shop, "--yes", code=1)
    assert said.startswith(f"sentinel: {shop}/prefect.yaml:2: not YAML: ")
    assert len(said.splitlines()) == 1


def test_a_folder_of_any_name_is_one_word_without_escape_sequences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spaced = tmp_path / "my $(alerts)"
    said = run(capsys, spaced)
    assert f"  cd {shlex.quote(str(spaced))}\n" in said
    said = run(capsys, tmp_path / "a\x1b[2J\nb") + run(capsys, tmp_path / "a\x1b[2J\nb")
    assert "\x1b" not in said
    assert "\nb:" not in said
