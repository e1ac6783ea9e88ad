"""The lifecycle pages can't lie: their examples are run, their tables compared with the code."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic_core import to_jsonable_python

from sentinel_core.model.rule import Policy, RuleSettings
from tests.support.pages import DOCS, FENCE, anchor, cells, sections
from tests.support.timeline import Play

PARAMETERS = set(RuleSettings.model_fields)
PAGE = (DOCS / "lifecycle.md").read_text("utf-8")
COMPARISON = sections((DOCS / "lifecycle-comparison.md").read_text("utf-8"), "##")
EXAMPLES = sections(COMPARISON["Examples"], "###")
TABLE = cells(COMPARISON["How others do it, and where we differ"])


def examples() -> Iterator[Any]:
    """Every timeline on both pages."""
    for heading, text in {**sections(PAGE, "##"), **EXAMPLES}.items():
        blocks = [block for block in FENCE.findall(text) if "timeline" in yaml.safe_load(block)]
        for number, block in enumerate(blocks, start=1):
            yield pytest.param(block, id=f"{heading} {number}")


@pytest.mark.parametrize("block", list(examples()))
def test_an_example_comes_out_as_the_page_says(block: str) -> None:
    example = yaml.safe_load(block)
    assert example.keys() <= {"policy", "conditions", "schedule", "timeline", "events"}
    assert Play(example).run() == []


def test_an_example_that_is_not_true_is_reported_line_by_line() -> None:
    wrong = {"timeline": "09:00 breach | ok: not triggered | opened\n09:01 ok |* |", "events": []}
    assert Play(wrong).run() == [
        "09:00 breach: 'opened: the series started to fire', written: 'ok: not triggered'",
        "events: ['09:00-09:01 recovered'], written: []",
    ]


def test_every_behaviour_has_a_line_about_each_of_the_others_and_an_example() -> None:
    named = [re.fullmatch(r"\[(.+)\]\((#.+)\)", row[0]) for row in TABLE]
    assert [match and match.groups() for match in named] == [
        (heading, anchor(heading)) for heading in EXAMPLES
    ]
    for row in TABLE:
        assert len(row) == 5
        assert all(row), row[0]
    for heading, text in EXAMPLES.items():
        blocks = FENCE.findall(text)
        assert blocks, heading
        assert all("timeline" in yaml.safe_load(block) for block in blocks), heading


def test_every_behaviour_is_linked_from_the_page_about_the_settings() -> None:
    linked = set(re.findall(r"\(lifecycle-comparison\.md(#[\w-]+)\)", PAGE))
    assert linked == {anchor(heading) for heading in EXAMPLES}


def test_every_field_of_the_policy_is_on_the_page_with_its_default() -> None:
    rows = cells(sections(PAGE, "##")["Policy"])
    assert {
        row[0].strip("`"): yaml.safe_load(row[1].strip("`")) for row in rows
    } == to_jsonable_python(Policy())


def test_every_field_of_the_policy_has_an_example() -> None:
    shown: set[str] = set()
    for block in FENCE.findall(PAGE):
        shown |= yaml.safe_load(block).get("policy", {}).keys()
    assert shown == Policy.model_fields.keys()


@pytest.mark.parametrize(("page", "least"), [("rules.md", 8), ("lifecycle.md", 15)])
def test_every_parameter_written_on_a_page_is_one_that_a_rule_takes(page: str, least: int) -> None:
    checked = 0
    for block in FENCE.findall((DOCS / page).read_text("utf-8")):
        written = yaml.safe_load(block)
        if isinstance(written, dict) and written.keys() <= PARAMETERS:
            RuleSettings.model_validate(written)
            checked += 1
    assert checked >= least
