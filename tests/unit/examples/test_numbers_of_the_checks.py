"""The nine example checks: their rule file is right, and has the numbers that people expect."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from sentinel_core.rulefile.catalogue import trigger_of_flow
from sentinel_core.rulefile.check import Report, check
from tests.support.processes import ROOT

EXAMPLE = ROOT / "examples" / "checks"

# Written down by hand: a changed default of a trigger must not change these unseen.
NUMBERS: dict[str, dict[str, Any]] = {
    "offers-volume": {"min": 300, "max": 500},
    "products-quality": {"completeness": 0.9, "invalid_markers": ["invalid"]},
    "matcher-drift": {"threshold": 0.15},
    "matcher-performance": {"metric": "accuracy", "baseline": 0.85, "tolerance": 0.05},
    "scraping-performance": {"min_success_rate": 0.95},
    "offers-matched": {"min_matches": 1, "min_confidence": 0.7},
    "fake-scores": {
        "column": "fake_score",
        "min_mean": 0.1,
        "max_mean": 0.9,
        "expected_min": 0.3,
        "expected_max": 0.7,
        "extreme_score": 0.95,
        "max_extreme_share": 0.1,
    },
    "pipeline-duration": {"max_duration_seconds": 3600},
    "scraping-failures": {"exclude_tasks": ["match", "predict"]},
}


@pytest.fixture(scope="module")
def report() -> Report:
    return check(EXAMPLE / "prefect.yaml", ask_prefect=False)


def test_the_rule_file_has_no_problems(report: Report) -> None:
    assert [str(problem) for problem in report.problems] == []
    assert report.notes == []


def test_each_check_has_its_numbers_and_no_other(report: Report) -> None:
    ours = {"source", "dataset", "watch", "baseline"}
    found = {}
    for item in report.declared:
        if item.is_rule:
            given = item.entry.config["parameters"]["check"]
            found[item.entry.name] = {
                name: value
                for name, value in given.items()
                if name not in ours or isinstance(value, float)
            }
    assert found == NUMBERS


def test_the_numbers_are_the_defaults_of_the_triggers(report: Report) -> None:
    watch_runs = ("pipeline-duration", "scraping-failures")  # their triggers leave it to the rule
    judged = [
        item for item in report.declared if item.is_rule and item.entry.name not in watch_runs
    ]
    assert len(judged) == 7
    for item in judged:
        trigger = trigger_of_flow(item.flow)
        assert trigger is not None
        for name, value in NUMBERS[item.entry.name].items():
            if name != "column":  # the example's scores have a name of their own
                assert trigger.model_fields[name].default == value, (item.entry.name, name)


def test_the_readme_names_each_rule_and_each_file_of_faulty_data(report: Report) -> None:
    readme = (EXAMPLE / "README.md").read_text("utf-8")
    for name in NUMBERS:
        assert f"`{name}`" in readme
    faulty = {file.name for file in (EXAMPLE / "data" / "faulty").iterdir()}
    assert faulty == set(re.findall(r"`data/faulty/([\w.-]+)`", readme))
    for item in report.declared:
        source = item.entry.config.get("parameters", {}).get("check", {}).get("source")
        assert source is None or (EXAMPLE / source["path"]).is_file()


def test_the_example_needs_nothing_of_this_repository(tmp_path: Path) -> None:
    copy = shutil.copytree(EXAMPLE, tmp_path / "checks")
    assert check(copy / "prefect.yaml", ask_prefect=False).errors == []
