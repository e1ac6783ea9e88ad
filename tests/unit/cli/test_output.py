"""Tables: whole for programs, within their lines on a terminal."""

import json
import re
import sys

import pytest

from sentinel_core.cli.output import print_outcomes, print_table

LONG = "word " * 30


def narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 50 columns."""
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()


def test_columns_are_aligned_and_nothing_is_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("id", "name", ""), [("1", "[red]x[/]", ""), ("222", "日本", "end")])
    assert lines(capsys) == ["id   name", "1    [red]x[/]", "222  日本       end"]


def test_numbers_are_to_the_right_with_thousands(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("rule", "runs"), [("a", 1), ("b", 12_345)], title="Runs")
    assert lines(capsys) == ["Runs", "rule    runs", "a          1", "b     12,345"]


def test_a_program_reads_all_of_a_cell(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("id", "message"), [("1", LONG)])
    assert lines(capsys)[1] == f"1   {LONG.strip()}"


def test_on_a_terminal_the_last_column_is_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow_terminal(monkeypatch)
    print_table(("id", "message"), [("1", LONG)])
    [_, row] = lines(capsys)
    assert row.endswith("…")
    assert len(row) == 50


def test_or_goes_on_in_further_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow_terminal(monkeypatch)
    print_table(("id", "message"), [("1", LONG)], folded={"message"})
    shown = lines(capsys)[1:]
    assert " ".join(line[4:] for line in shown) == LONG.strip()
    assert max(map(len, shown)) <= 50


def test_the_least_important_columns_are_left_out_until_a_row_fits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns, row = ("name", "kind", "place", "end"), ("x" * 20, "k" * 10, "p" * 15, "e")
    print_table(columns, [row], least=("place", "kind"))
    assert lines(capsys)[0].split() == [*columns]
    narrow_terminal(monkeypatch)
    print_table(columns, [row], least=("place", "kind"))
    assert [line.split() for line in lines(capsys)] == [
        ["name", "kind", "end"],
        ["x" * 20, "k" * 10, "e"],
    ]


def test_changes_as_json_have_one_form(capsys: pytest.CaptureFixture[str]) -> None:
    code = print_outcomes("event", [3, 1, 2], [1], "done", {3: "was so"}, as_json=True)
    assert code == 1
    assert json.loads(capsys.readouterr().out) == {
        "ok": False,
        "changed": [{"id": 1, "sentence": "done"}],
        "unchanged": [
            {"id": 3, "code": "already", "sentence": "was so"},
            {"id": 2, "code": "missing", "sentence": "there is no such event"},
        ],
    }
