"""For pytest: fixtures for rules in Python, and rule tests in YAML as tests among others.

pytest loads this file in every session where Sentinel is installed: what takes time to import (the
store, Prefect) is imported when a fixture or a rule test asks for it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from sentinel_core.model.trigger import Trigger
    from sentinel_core.ruletest.harness import Clock, RuleHarness
    from sentinel_core.ruletest.reading import Case
    from sentinel_core.ruletest.rules import Rules

OPTION = "sentinel_rule_tests"
FOLDER = "rules"
_RULES = pytest.StashKey["Rules"]()


class RuleTestFailedError(AssertionError):
    """A rule test's expectations do not hold; the message lists the differences."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Collecting YAML is the project's choice: other YAML must not be taken for rule tests."""
    parser.addini(
        OPTION,
        f"collect YAML files in folders named `{FOLDER}` as Sentinel's rule tests",
        type="bool",
        default=False,
    )


@pytest.fixture
def sentinel_clock() -> "Clock":
    """A clock that stands still until `advance`; `now` is what it shows."""
    from sentinel_core.ruletest.harness import Clock

    return Clock()


@pytest.fixture
def sentinel_store() -> Iterator["Engine"]:
    """An empty event store in memory, with the real schema."""
    from sentinel_core.store.db.engine import open_engine
    from sentinel_core.store.db.schema import ensure_schema

    engine = open_engine("sqlite://")
    ensure_schema(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def sentinel_rule(
    request: pytest.FixtureRequest, sentinel_clock: "Clock", sentinel_store: "Engine"
) -> Callable[..., "RuleHarness"]:
    """`sentinel_rule(trigger_or_name, …)`: a rule with that clock and that store.

    A trigger makes a rule of its own, with these settings (`importance="high"`, `policy={…}`, …). A
    name is that of a rule in the prefect.yaml of pytest's root folder, or in `file`; given settings
    replace the rule's own.
    """

    def make(
        rule: "Trigger | str",
        *,
        name: str | None = None,
        file: Path | str = "prefect.yaml",
        **settings: Any,
    ) -> "RuleHarness":
        from sentinel_core.ruletest.harness import RuleHarness, declared_rule, rule_of_trigger

        if isinstance(rule, str):
            found = _rules(request.config).find(request.config.rootpath / file, rule)
            facts, trigger = declared_rule(found, settings)
        else:
            facts, trigger = rule_of_trigger(rule, name, settings), rule
        return RuleHarness(sentinel_store, sentinel_clock, facts, trigger)

    return make


def _rules(config: pytest.Config) -> "Rules":
    """The rules of this session: a rule file is checked once."""
    from sentinel_core.ruletest.rules import Rules

    return config.stash.setdefault(_RULES, Rules())


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """YAML in a folder named `rules`, if the project's configuration says so."""
    if file_path.suffix not in (".yaml", ".yml") or not parent.config.getini(OPTION):
        return None
    root = parent.config.rootpath
    below = file_path.relative_to(root) if file_path.is_relative_to(root) else file_path
    return RuleTestYaml.from_parent(parent, path=file_path) if FOLDER in below.parts[:-1] else None


class RuleTestYaml(pytest.File):
    """A file of rule tests."""

    def collect(self) -> Iterator["RuleTestItem"]:
        """Its tests. Problems of the file are collection errors."""
        from sentinel_core.ruletest.reading import read_tests

        found = read_tests(self.path)
        assert found is not None
        if found.problems:
            raise self.CollectError("\n".join(f"error: {problem}" for problem in found.problems))
        for case in found.cases:
            yield RuleTestItem.from_parent(self, name=case.name, case=case)


class RuleTestItem(pytest.Item):
    """One rule test."""

    def __init__(self, *, case: "Case", **arguments: Any) -> None:
        super().__init__(**arguments)
        self.case = case

    def runtest(self) -> None:
        """Run it; raises RuleTestFailedError with what differs and the timeline."""
        from sentinel_core.ruletest.report import failure
        from sentinel_core.ruletest.run import run_case

        result = run_case(self.case, _rules(self.config))
        if not result.ok:
            raise RuleTestFailedError(failure(result))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The failure alone: a traceback of Sentinel helps nobody who writes rules."""
        if isinstance(excinfo.value, RuleTestFailedError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Its place in the file."""
        line = self.case.line()
        return self.path, line - 1 if line else None, self.name
