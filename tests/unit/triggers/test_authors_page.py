"""docs/trigger-authors.md: its example is run, and its tables name every field."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sentinel_core import AlertOutput, Trigger
from tests.support.pages import DOCS, cells, sections

PAGE = (DOCS / "trigger-authors.md").read_text("utf-8")
PARTS = sections(PAGE, "##")
TRIGGER, TESTS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the two blocks of the page define, in files of the names that it gives them."""
    module = ModuleType("triggers.files.spool_depth")
    exec(compile(TRIGGER, "trigger-authors.md", "exec"), vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(TESTS, "trigger-authors.md", "exec"), names)
    return names


def first_column(part: str) -> list[str]:
    return [name for row in cells(PARTS[part]) for name in re.findall(r"`(\w+)`", row[0])]


def test_the_tests_of_the_example_pass(
    example: dict[str, Any],
    sentinel_rule: Callable[..., Any],
    sentinel_clock: Any,
    tmp_path: Path,
) -> None:
    example["test_each_queue_has_its_own_event"](sentinel_rule, sentinel_clock, tmp_path)


def test_the_failed_check_of_the_example_is_an_event(
    example: dict[str, Any], sentinel_rule: Callable[..., Any], tmp_path: Path
) -> None:
    example["test_a_spool_that_is_gone_is_a_failed_check_and_not_ok"](sentinel_rule, tmp_path)
    assert sum(name.startswith("test_") for name in example) == 2


def test_the_example_says_critical_and_measures_each_queue_alike(example: dict[str, Any]) -> None:
    trigger = example["SpoolDepth"](spool="/spool", threshold=1, critical_threshold=2)
    quiet, loud = trigger.evaluate("a", []), trigger.evaluate("b", [60, 120, 60])
    assert (quiet.triggered, quiet.importance) == (False, None)
    assert (loud.triggered, loud.importance, loud.metrics["oldest_minutes"]) == (
        True,
        "critical",
        2,
    )
    assert quiet.metrics.keys() == loud.metrics.keys()


def test_every_field_of_an_output_is_explained() -> None:
    assert set(first_column("Every field of `AlertOutput`")) == set(AlertOutput.model_fields)


def test_every_attribute_of_a_trigger_is_explained() -> None:
    attributes = {name for name in Trigger.__class_vars__ if name != "model_config"}
    assert set(first_column("The class")) == attributes
