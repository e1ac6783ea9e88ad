"""The pytest plugin, in pytest processes of their own, as a project that uses Sentinel has it."""

import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from sqlalchemy import text

from sentinel_core.ruletest.harness import Clock

pytest_plugins = ["pytester"]

PROJECT = Path(__file__).parents[3]
INI = "[pytest]\nsentinel_rule_tests = true\naddopts = --import-mode=importlib\n"
RULES = {
    "deployments": [
        {
            "name": "disk",
            "entrypoint": "flows/system.py:disk_usage",
            "work_pool": {"name": "sentinel"},
            "schedules": [{"cron": "*/5 * * * *"}],
            "tags": ["system"],
            "parameters": {
                "check": {"path": "/", "threshold": 100},
                "importance": "critical",
                "notify": {"critical": ["slack-webhook/a"]},
                "policy": {"breaches": 2},
            },
        }
    ]
}
GOOD = """
tests:
  - name: two in a row
    rule: disk
    every_seconds: 60
    series: {a: {triggered: "1 1 0"}}
    events: [{opened_at: 1m, resolved_at: 2m}]
"""
BAD = """
  - name: one is enough
    rule: disk
    every_seconds: 60
    series: {a: {triggered: "1 0"}}
    events: [{opened_at: 0}]
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    """A project with one rule and the option set."""
    pytester.makefile(".ini", pytest=INI)
    shutil.copytree(PROJECT / "flows", pytester.path / "flows")
    (pytester.path / "prefect.yaml").write_text(yaml.safe_dump(RULES))
    (pytester.path / "tests" / "rules").mkdir(parents=True)
    return pytester.path


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


# -- rule tests among the others -----------------------------------------------------------


def test_rule_tests_are_items_that_pass_and_fail(pytester: pytest.Pytester, project: Path) -> None:
    (project / "tests" / "rules" / "disk.yaml").write_text(GOOD + BAD)
    result = run(pytester, "-v")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "tests/rules/disk.yaml::two in a row PASSED*",
            "tests/rules/disk.yaml::one is enough FAILED*",
            "events:",
            "  - expected, did not happen: opened_at 0",
            "timeline:",
            "  0 * quiet * pending: 1 of 2 breaches",
        ]
    )
    assert "run_case" not in result.stdout.str()  # no traceback of ours
    run(pytester, "-k", "two").assert_outcomes(passed=1, deselected=1)
    run(pytester, "tests/rules/disk.yaml::two in a row").assert_outcomes(passed=1)


def test_yaml_of_projects_that_did_not_ask_is_left_alone(
    pytester: pytest.Pytester, project: Path
) -> None:
    (project / "tests" / "rules" / "disk.yaml").write_text("{not ours")
    pytester.makefile(".ini", pytest="[pytest]\n")
    assert run(pytester).ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_yaml_in_other_folders_is_left_alone(pytester: pytest.Pytester, project: Path) -> None:
    (project / "tests" / "data.yaml").write_text("{not ours")
    assert run(pytester).ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_file_that_can_not_be_read_is_an_error_of_collecting(
    pytester: pytest.Pytester, project: Path
) -> None:
    (project / "tests" / "rules" / "disk.yaml").write_text("tests: 5\n")
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["error: tests/rules/disk.yaml:1: tests: *"])


@pytest.mark.slow
def test_a_mistake_in_one_test_fails_that_test(pytester: pytest.Pytester, project: Path) -> None:
    (project / "tests" / "rules" / "disk.yaml").write_text(GOOD + BAD.replace("events", "evnets"))
    result = run(pytester)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["error: *disk.yaml:*: evnets: unknown key; did you mean events?"])


def test_pytest_starts_without_prefect_and_without_a_database() -> None:
    code = (
        "import sys, sentinel_core.ruletest.pytest_plugin\n"
        "heavy = {'prefect', 'sqlalchemy', 'sqlmodel', 'pydantic', 'yaml', 'httpx'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


# -- fixtures ------------------------------------------------------------------------------


def test_the_clock_stands_still_until_it_is_told_to_go_on(sentinel_clock: Clock) -> None:
    start = sentinel_clock.now
    assert start.tzinfo is UTC
    assert sentinel_clock.now == start
    assert sentinel_clock.advance(30, minutes=1, hours=1, days=1) == start + timedelta(
        days=1, hours=1, seconds=90
    )
    assert sentinel_clock.now - start == timedelta(days=1, hours=1, seconds=90)
    with pytest.raises(ValueError, match="backwards"):
        sentinel_clock.advance(minutes=-1)
    assert Clock(datetime.fromisoformat("2026-01-01T02:00+02:00")).now.hour == 0


def test_the_store_is_in_memory_and_has_the_real_schema(sentinel_store) -> None:
    from sentinel_core.store.db.engine import reading, writing
    from sentinel_core.store.db.schema import SCHEMA_HEAD, schema_revision

    assert schema_revision(sentinel_store) == SCHEMA_HEAD
    with writing(sentinel_store) as connection:
        connection.execute(
            text("INSERT INTO checkpoint (name, at) VALUES ('a', '2026-01-01 00:00:00')")
        )
    with reading(sentinel_store) as connection:  # another connection, the same database
        assert connection.scalar(text("SELECT name FROM checkpoint")) == "a"


def test_each_test_has_a_store_of_its_own(sentinel_store) -> None:
    from sentinel_core.store.db.engine import reading

    with reading(sentinel_store) as connection:
        assert connection.scalar(text("SELECT COUNT(*) FROM checkpoint")) == 0


def test_a_trigger_is_a_rule_of_its_own(sentinel_rule, sentinel_clock: Clock) -> None:
    from triggers.system.disk_usage import DiskUsage

    rule = sentinel_rule(
        DiskUsage(path="/", threshold=0),
        importance="critical",
        policy={"breaches": 2, "repeat_seconds": 600},
        notify={"critical": ["slack-webhook/a"]},
    )
    rule.run()  # the real disk is more than 0 % full
    assert (rule.events, rule.messages) == ([], [])
    assert [row["decision_code"] for row in rule.evaluations] == ["pending"]
    assert rule.evaluations[0]["metrics"]["value"] > 0
    sentinel_clock.advance(minutes=5)
    rule.run()
    [event] = rule.events
    assert (event["importance"], event["timestamp"]) == ("critical", sentinel_clock.now)
    assert [(m["channel"], m["reason"]) for m in rule.messages] == [("slack-webhook/a", "opened")]
    assert rule.acknowledge(by="anna").done == (event["id"],)
    sentinel_clock.advance(minutes=10)
    rule.run()
    assert rule.events[0]["acknowledged_by"] == "anna"
    assert len(rule.messages) == 1  # acknowledged: nobody is reminded


def test_a_check_that_raises_is_a_run_that_failed(sentinel_rule) -> None:
    from triggers.system.disk_usage import DiskUsage

    rule = sentinel_rule(DiskUsage(path="/no/such/path"))
    rule.run()
    [event] = rule.events
    assert event["kind"] == "failure"
    assert "FileNotFoundError" in event["message"]


def test_outputs_may_be_given_and_are_measured_now(sentinel_rule, sentinel_clock: Clock) -> None:
    from sentinel_core.model.alert import AlertOutput
    from triggers.system.disk_usage import DiskUsage

    rule = sentinel_rule(
        DiskUsage(),
        conditions=[{"metric": "value", "op": "gt", "value": 5}],
        name="mine",
    )
    rule.run(AlertOutput(triggered=False, ticker="a", metrics={"value": 9}))
    [event] = rule.events
    assert (event["rule_name"], event["ticker"], event["message"]) == ("mine", "a", "value 9 > 5")
    assert rule.evaluations[0]["measured_at"] == sentinel_clock.now
    own = datetime(2026, 1, 1, tzinfo=UTC)
    sentinel_clock.advance(minutes=1)
    rule.run(AlertOutput(triggered=False, ticker="b", metrics={"value": 1}, timestamp=own))
    assert rule.evaluations[-1]["measured_at"] == own
    sentinel_clock.advance(minutes=1)
    rule.record([], "COMPLETED")
    assert rule.evaluations[-1]["message"] == "Checked; nothing was found."


def test_a_trigger_with_a_past_is_given_what_was_recorded(
    sentinel_rule, sentinel_clock: Clock
) -> None:
    from sentinel_core.model.trigger import AlertOutput, History, Trigger

    class Growing(Trigger):
        """A number that is larger than it was."""

        number: float

        def check(self, history: History) -> AlertOutput:
            past = [one.metrics["value"] for one in history.latest(1)]
            grown = bool(past) and self.number > past[0]
            return AlertOutput(triggered=grown, metrics={"value": self.number})

    first, second = sentinel_rule(Growing(number=1)), sentinel_rule(Growing(number=2))
    first.run()
    assert first.events == []
    sentinel_clock.advance(minutes=1)
    second.run()  # the same rule with another parameter: its past is the same
    assert len(second.events) == 1


def test_a_rule_without_that_setting_is_named(sentinel_rule) -> None:
    from triggers.system.disk_usage import DiskUsage

    with pytest.raises(TypeError, match="no setting 'polcy'; known: importance"):
        sentinel_rule(DiskUsage(), polcy={})


def test_a_rule_of_the_rule_file_is_found_by_name(pytester: pytest.Pytester, project: Path) -> None:
    pytester.makepyfile(
        """
        import pytest
        from sentinel_core.model.alert import AlertOutput
        from sentinel_core.base.errors import RuleFileError

        def fires(**more):
            return AlertOutput(triggered=True, ticker="a", message="full", **more)

        def test_by_name(sentinel_rule, sentinel_clock):
            rule = sentinel_rule("disk")
            rule.run(fires())
            assert rule.events == []
            sentinel_clock.advance(minutes=5)
            rule.run(fires())
            assert [e["importance"] for e in rule.events] == ["critical"]
            assert [m["channel"] for m in rule.messages] == ["slack-webhook/a"]

        def test_with_another_policy(sentinel_rule):
            rule = sentinel_rule("disk", policy={"breaches": 1})
            rule.run(fires(importance="low"))
            assert [e["importance"] for e in rule.events] == ["low"]
            assert rule.messages == []
            rule.run()
            assert rule.events[0]["resolved_at"] is None  # that host is no longer among them

        def test_unknown(sentinel_rule):
            with pytest.raises(RuleFileError, match="no rule 'dsik'; did you mean disk"):
                sentinel_rule("dsik")
        """
    )
    run(pytester).assert_outcomes(passed=3)


@pytest.mark.slow
def test_the_python_in_the_documentation_passes(pytester: pytest.Pytester, project: Path) -> None:
    docs = (PROJECT / "docs" / "testing-rules.md").read_text()
    [example] = re.findall(r"```python\n(.*?)```", docs, re.DOTALL)
    pytester.makepyfile(example)
    run(pytester).assert_outcomes(passed=2)
