"""One check of a rule of a rule file, in this process: its trigger, its outputs, its causes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine

from sentinel_core.base.errors import CheckFailedError, RuleFileError, StoreUnavailableError
from sentinel_core.flow.one_check import check_once, recorded_history, trigger_of_rule
from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.trigger import NoHistory
from sentinel_core.rulefile.check import Declared, check
from sentinel_core.store.state import rules
from tests.support.recorded import NOON, a_rule, calm

MODULE = '''
import os
import pathlib

from sentinel_core import AlertOutput, Trigger, rule_flow


class Level(Trigger):
    """Compares a number with a limit."""

    limit: float
    failure: str = ""

    def check(self):
        if self.failure == "project":
            raise ValueError("no price\\nfor AAPL")
        if self.failure == "library":
            pathlib.Path("nowhere").read_text()
        if self.failure == "silent":
            raise KeyError
        if self.failure == "neighbour":
            exec(compile("1 / 0", f"{os.getcwd()}-shared/lib.py", "exec"))
        if self.failure:
            raise RuntimeError(self.failure)
        value = 5.0
        return AlertOutput(triggered=value > self.limit, message="five", metrics={"value": value})


level = rule_flow(Level)
'''


@pytest.fixture
def rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Declared:
    """The rule `five` of a project folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "levels.py").write_text(MODULE)
    declared = {
        "name": "five",
        "entrypoint": "levels.py:level",
        "work_pool": {"name": "sentinel"},
        "schedules": [{"cron": "*/5 * * * *"}],
        "parameters": {"check": {"limit": 3}},
    }
    file = tmp_path / "prefect.yaml"
    file.write_text(yaml.safe_dump({"deployments": [declared]}))
    [found] = check(file, ask_prefect=False).declared
    return found


def outputs(rule: Declared, **given: Any) -> list[AlertOutput]:
    parameters = {"check": {"limit": 3, **given}}
    return check_once(rule, trigger_of_rule(rule, parameters), NoHistory())


def test_a_check_measures_with_the_parameters_it_is_given(rule: Declared) -> None:
    [fired] = outputs(rule)
    assert (fired.triggered, fired.message, fired.metrics) == (True, "five", {"value": 5.0})
    [calm] = outputs(rule, limit=5)
    assert not calm.triggered


def test_parameters_that_are_no_good_are_named_with_their_rule(rule: Declared) -> None:
    with pytest.raises(RuleFileError) as refused:
        trigger_of_rule(rule, {"check": {"limit": "much"}})
    assert str(refused.value) == (
        "five: check: limit: Input should be a valid number, unable to parse string as a number"
    )


@pytest.mark.parametrize(
    ("failure", "cause", "place"),
    [
        ("project", "ValueError: no price\nfor AAPL", "levels.py:16"),
        (
            "library",
            "FileNotFoundError: [Errno 2] No such file or directory: 'nowhere'",
            "levels.py:18",
        ),
        ("silent", "KeyError", "levels.py:20"),
        ("neighbour", "ZeroDivisionError: division by zero", "levels.py:22"),  # not its own folder
    ],
)
def test_a_check_that_fails_is_named_with_its_cause_and_the_projects_line(
    rule: Declared, failure: str, cause: str, place: str
) -> None:
    with pytest.raises(CheckFailedError) as failed:
        outputs(rule, failure=failure)
    assert str(failed.value) == f"five: the check failed: {cause} (at {place})"


@pytest.mark.parametrize(("length", "kept"), [(4_400, True), (6_000, False)])
def test_a_cause_is_cut_only_where_it_is_longer_than_a_scripts_errors(
    rule: Declared, length: int, kept: bool
) -> None:
    with pytest.raises(CheckFailedError) as failed:
        outputs(rule, failure="x" * length)
    assert ("x" * length in str(failed.value)) is kept
    assert len(str(failed.value)) < 4_600


def test_the_past_of_a_rule_is_that_of_its_own_name_and_flow(rule: Declared, store: Engine) -> None:
    url = str(store.url)
    other = a_rule("five")  # the same name, of another flow
    calm(store, other, NOON, metrics={"value": 1.0})
    assert isinstance(recorded_history(url, rule), NoHistory)
    mine = replace(a_rule("five"), flow_name=rule.flow.name)
    rules.sync(store, [mine], NOON)
    calm(store, mine, NOON, metrics={"value": 2.0})
    found = recorded_history(url, rule)
    assert not isinstance(found, NoHistory)


def test_where_there_is_no_store_there_is_no_past(rule: Declared, tmp_path: Path) -> None:
    assert isinstance(recorded_history(f"sqlite:///{tmp_path / 'none.db'}", rule), NoHistory)
    with pytest.raises(StoreUnavailableError):
        recorded_history("postgresql+psycopg://nobody@127.0.0.1:1/none", rule)
