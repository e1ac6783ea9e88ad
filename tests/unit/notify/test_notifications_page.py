"""docs/notifications.md can't lie: what it names is in the code, what the code has it names."""

import importlib
import re
from typing import Any

import pytest
import yaml
from prefect.blocks.core import Block

from sentinel_core.base.settings import Settings
from sentinel_core.cli import app
from sentinel_core.cli.channels.setup import WANTED
from sentinel_core.decide.delivery import FIRST_PAUSE, LONGEST_PAUSE, MOST_ATTEMPTS
from sentinel_core.message.content import Medium
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason
from sentinel_core.model.routing import EscalationStep, GroupBy, Route, StormLimit
from sentinel_core.model.rule import RuleSettings
from sentinel_core.notify.channel.medium import _MEDIA, medium_of
from sentinel_core.notify.channel.send import _OWN
from sentinel_core.store.outbox.group import MOST_TOGETHER
from sentinel_core.store.state.system_rule import NAME
from tests.support.pages import DOCS, FENCE, cells, sections

PAGE = (DOCS / "notifications.md").read_text("utf-8")
CHAPTERS = sections(PAGE, "##")


def described(chapter: str) -> dict[str, list[str]]:
    """The first table of a chapter by what its first column names, each name by itself."""
    return {name: row for row in cells(CHAPTERS[chapter]) for name in re.findall("`(.+?)`", row[0])}


@pytest.mark.parametrize("block", FENCE.findall(PAGE))
def test_every_example_is_what_a_rule_may_say(block: str) -> None:
    example = yaml.safe_load(block)
    assert example.keys() <= RuleSettings.model_fields.keys()
    settings = RuleSettings.model_validate(example)
    assert settings != RuleSettings()


def test_every_option_of_a_route_is_described_with_its_default() -> None:
    table = described("Routes")
    assert table.keys() == Route.model_fields.keys()
    plain = Route(channel="slack-webhook/a").model_dump(mode="json")
    for name, row in table.items():
        if name in ("channel", "to"):
            continue
        assert yaml.safe_load(row[1].strip("`")) == plain[name], name


def test_every_field_of_a_storm_a_step_and_a_group_is_named() -> None:
    for name in StormLimit.model_fields:
        assert f"`{name}`" in CHAPTERS["Storms"]
    assert described("Escalation").keys() == EscalationStep.model_fields.keys()
    for by in GroupBy:
        assert re.search(rf"`\[?{by.value}\]?`", " ".join(described("Routes")["group_by"]))


def test_every_reason_is_in_the_table() -> None:
    with_data = {NotifyReason.ESCALATED: "escalated-<importance>", NotifyReason.STEP: "step-<n>"}
    of_no_event = {
        NotifyReason.STORM,
        NotifyReason.STORM_ENDED,
        NotifyReason.STORM_RESOLVED,
        NotifyReason.REPORT,
        NotifyReason.UNKNOWN,
    }
    reasons = {with_data.get(one, one.value) for one in {*NotifyReason} - of_no_event}
    assert described("What is sent, and when").keys() == reasons


def test_every_kind_of_channel_is_in_the_table_with_its_medium() -> None:
    table = described("Channels")
    assert {*_MEDIA, *_OWN} <= table.keys()
    types = {one.get_block_type_slug() for one in _blocks(Block)}
    for name, row in table.items():
        assert name in types, f"Prefect has no block type {name}"
        assert medium_of(f"{name}/x").value in re.findall(r"\w+", row[1])
    assert {medium_of(f"{name}/x") for name in table} == set(Medium)


def _blocks(base: Any) -> Any:
    for module in ("prefect.blocks.notifications", "prefect_email", "prefect_slack"):
        importlib.import_module(module)  # its blocks register themselves
    for one in base.__subclasses__():
        yield one
        yield from _blocks(one)


def test_every_variable_and_command_exists() -> None:
    known = {f"SENTINEL_{name.upper()}" for name in Settings.model_fields}
    source = (DOCS.parent / "sentinel_core" / "cli" / "channels" / "setup.py").read_text("utf-8")
    setup = {one.variable for one in WANTED} | set(re.findall(r'"(SENTINEL_\w+)"', source))
    named = set(re.findall(r"SENTINEL_\w+", PAGE))
    assert named <= known | setup
    assert setup <= named
    assert setup <= set(re.findall(r"SENTINEL_\w+", app["channels"]["setup"].help))
    commands = set(re.findall(r"sentinel channels (\w+)", PAGE))
    assert commands == {"setup", "list", "test", "preview", "retry"}
    assert all(app["channels"][name] for name in commands)


def test_numbers_and_names_are_those_of_the_code() -> None:
    assert FIRST_PAUSE.total_seconds() == 30
    assert LONGEST_PAUSE.total_seconds() == 3600
    assert MOST_ATTEMPTS == 30
    for text in ("half a minute", "up to an hour", "thirty times"):
        assert text in CHAPTERS["When sending fails"]
    assert f"{MOST_TOGETHER} at most" in CHAPTERS["Grouping"]
    assert f"`{NAME}`" in CHAPTERS["When sending fails"]


def test_what_the_rule_file_offers_to_share_is_valid_and_names_what_setup_makes() -> None:
    shared = yaml.safe_load((DOCS.parent / "prefect.yaml").read_text("utf-8"))["definitions"]
    settings = RuleSettings.model_validate(
        {
            "notify": shared["routes"],
            "escalation": shared["escalation"],
            "suggestions": shared["suggestions"],
        }
    )
    steps = [step for importance in Importance for step in settings.escalation.steps(importance)]
    routes = [*settings.notify.every(), *(route for step in steps for route in step.channels)]
    made = set(re.findall(r"`([a-z-]+/[a-z-]+)`", CHAPTERS["Making the channels"]))
    assert {route.channel for route in routes} <= made
    assert settings.suggestions
    assert steps


def test_links_and_pictures_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", PAGE)
    assert targets
    for target in targets:
        assert (DOCS / target).exists(), target
