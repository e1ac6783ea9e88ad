"""docs/lifecycle.md can't lie: its examples are run, its tables compared with the code."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_core import to_jsonable_python

from sentinel_core.model.rule import Policy, RuleSettings
from tests.support.timeline import Play

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "lifecycle.md").read_text()
FENCE = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PARAMETERS = set(RuleSettings.model_fields)


def sections(text: str, mark: str) -> dict[str, str]:
    """The parts of a page under headings of one level, by heading."""
    parts = re.split(rf"^{mark} (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def cells(text: str) -> list[list[str]]:
    """The rows of the first table, without its head."""
    rows = [row for row in text.splitlines() if row.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def anchor(heading: str) -> str:
    """The link to a heading."""
    return "#" + re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


CHAPTERS = sections(PAGE, "##")
EXAMPLES = sections(CHAPTERS["Examples"], "###")
TABLE = cells(CHAPTERS["How others do it, and where we differ"])


def examples() -> Iterator[Any]:
    for behaviour, text in EXAMPLES.items():
        for number, block in enumerate(FENCE.findall(text), start=1):
            yield pytest.param(block, id=f"{behaviour} {number}")


@pytest.mark.parametrize("block", list(examples()))
def test_an_example_comes_out_as_the_page_says(block: str) -> None:
    example = yaml.safe_load(block)
    assert example.keys() <= {"policy", "conditions", "schedule", "timeline", "events"}
    assert Play(example).run() == []


def test_an_example_that_is_not_true_is_told_line_by_line() -> None:
    wrong = {"timeline": "09:00 breach | ok: not triggered | opened\n09:01 ok |* |", "events": []}
    assert Play(wrong).run() == [
        "09:00 breach: 'opened: the series started to fire', written: 'ok: not triggered'",
        "events: ['09:00-09:01 recovered'], written: []",
    ]


def test_every_behaviour_has_a_line_about_each_of_the_others_and_an_example() -> None:
    named = [re.fullmatch(r"\[(.+)\]\((#.+)\)", row[0]) for row in TABLE]
    assert [found and found.groups() for found in named] == [
        (heading, anchor(heading)) for heading in EXAMPLES
    ]
    for row in TABLE:
        assert len(row) == 5
        assert all(row), row[0]
    for heading, text in EXAMPLES.items():
        assert FENCE.findall(text), heading


def test_every_field_of_the_policy_is_on_the_page_with_its_default() -> None:
    said = {
        row[0].strip("`"): yaml.safe_load(row[1].strip("`")) for row in cells(CHAPTERS["Policy"])
    }
    assert said == to_jsonable_python(Policy())


def test_every_parameter_written_in_the_rules_page_is_one_that_a_rule_takes() -> None:
    found = 0
    for block in FENCE.findall((DOCS / "rules.md").read_text()):
        written = yaml.safe_load(block)
        if isinstance(written, dict) and written.keys() <= PARAMETERS:
            RuleSettings.model_validate(written)
            found += 1
    assert found >= 8


@pytest.mark.parametrize("page", ["lifecycle.md", "rules.md", "record.md"])
def test_links_lead_somewhere(page: str) -> None:
    text = (DOCS / page).read_text()
    headings = {anchor(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target in headings
        elif "://" not in target:
            assert (DOCS / target.partition("#")[0]).exists(), target
