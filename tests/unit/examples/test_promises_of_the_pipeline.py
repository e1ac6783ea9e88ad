"""The example's rule file is right, and its rules decide as its README says."""

import shutil
from pathlib import Path

import pytest

from sentinel_core.rulefile.check import Report, check
from sentinel_core.ruletest import run_tests
from tests.support.processes import ROOT

EXAMPLE = ROOT / "examples" / "pipelines"


@pytest.fixture(scope="module")
def report() -> Report:
    return check(EXAMPLE / "prefect.yaml", ask_prefect=False)


def test_the_rule_file_has_no_problems(report: Report) -> None:
    assert [str(problem) for problem in report.problems] == []
    assert report.notes == []


def test_the_table_of_promises_has_its_numbers_in_the_rules(report: Report) -> None:
    rules = {
        item.entry.name: item.entry.config["parameters"] for item in report.declared if item.is_rule
    }
    pipeline, scraping = rules["pipeline-sla"]["check"], rules["scraping-sla"]["check"]
    assert pipeline["max_duration_seconds"] == 3600
    assert pipeline["max_failures_per_day"] == 2
    assert (pipeline["min_success_rate"], scraping["min_success_rate"]) == (95, 95)
    assert scraping["max_duration_seconds"] == 600
    assert rules["api-response-time"]["check"]["latency_limit_ms"] == 500
    [uptime], [errors] = (rules[name]["conditions"] for name in ("api-uptime", "api-error-rate"))
    assert (uptime["op"], uptime["value"]) == ("lt", 0.99)
    assert (errors["op"], 1 - errors["value"]) == ("lt", pytest.approx(0.05))
    assert len(rules["sla-prices"]["check"]["slas"]) == 3


def test_the_rule_tests_of_the_example_pass() -> None:
    tests = run_tests([EXAMPLE / "tests" / "rules"])
    assert not tests.failed, tests.text()
    assert tests.passed == 4


def test_the_example_needs_nothing_of_this_repository(tmp_path: Path) -> None:
    copy = shutil.copytree(EXAMPLE, tmp_path / "prices")
    assert check(copy / "prefect.yaml", ask_prefect=False).errors == []
