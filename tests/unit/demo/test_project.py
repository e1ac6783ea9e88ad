"""The rule file of the demo is one that `sentinel rules check` accepts."""

from pathlib import Path

import pytest

from sentinel_core.demo.project import RULES, write_project
from sentinel_core.rulefile.check import check


def test_the_rule_file_has_no_problem_and_names_the_rules_that_the_feed_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_project(tmp_path, "http://127.0.0.1:1/quotes.csv")
    monkeypatch.chdir(tmp_path)
    report = check(file, ask_prefect=False)
    assert report.problems == []
    text = file.read_text("utf-8")
    assert all(f"name: {rule}\n" in text for rule in RULES)
    assert text.count("recorded data of 2012–13") >= len(RULES)
