"""The page Activity: who did what, in words."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from sentinel_core.model.system_actions import SystemAction
from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.record.rules import audit_rules
from sentinel_core.store.state.audit import audit_system
from tests.support.app_pages import RunPage, source, words
from tests.support.recorded import a_rule, calm, fire

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def story(store: Engine) -> int:
    """An event that is acknowledged and resolves, and a rule that is paused; the event's id."""
    rule = a_rule("disk", "critical")
    event = fire(store, rule, NOW - timedelta(minutes=9), ticker="/var", message="Disk is full.")
    acknowledge(store, [event], by="ana", comment="on it", now=NOW - timedelta(minutes=8))
    calm(store, rule, NOW - timedelta(minutes=7), ticker="/var")
    audit_rules(store, ["disk"], "rule-paused", by="bo", comment="moving", now=NOW)
    return event


def test_each_entry_has_its_type_its_user_and_what_it_is_about(page: RunPage, story: int) -> None:
    shown = page("activity").dataframe[0].value
    assert [*shown["Type"]] == ["rule paused", "event resolved", "acknowledged", "event opened"]
    assert [*shown["User"]] == ["bo", "", "ana", ""]
    assert [*shown["Rule"]] == ["disk", "disk", "disk", "disk"]
    assert shown["Message"][2] == "on it"
    assert shown["Message"][3].startswith("Disk is full")
    assert shown["Event"][3] == f"./event?event={story}"


@pytest.mark.usefixtures("story")
def test_no_order_over_all_pages_is_promised(page: RunPage) -> None:
    assert "sorts this page only" in words(page("activity"))
    assert "all pages" not in words(page("activity"))
    assert "the menu above the table sorts all pages" in words(page("history"))


@pytest.mark.usefixtures("story")
def test_level_source_and_text_narrow_it(page: RunPage) -> None:
    assert [*page("activity", level="warning").dataframe[0].value["Type"]] == ["event opened"]
    assert len(page("activity", by=["person"]).dataframe[0].value) == 2
    assert [*page("activity", q="moving").dataframe[0].value["User"]] == ["bo"]
    assert "Nothing happened that matches" in words(page("activity", q="nowhere"))


@pytest.mark.usefixtures("story")
def test_what_the_system_did_is_said_in_words_under_its_own_choice(
    page: RunPage, store: Engine
) -> None:
    audit_system(store, SystemAction.RETENTION, NOW, {"evaluation": 12, "alert_event": 1})
    shown = page("activity", by=["system"]).dataframe[0].value
    assert [*shown["Type"]] == ["retention"]
    assert [*shown["Message"]] == ["deleted 12 evaluations, 1 event"]
    assert [*shown["User"]] == ["sentinel"]
    assert "retention" not in [*page("activity", by=["person"]).dataframe[0].value["Type"]]


def test_an_empty_store_has_no_activity(page: RunPage) -> None:
    assert "Nothing happened" in words(page("activity"))


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize("name", ["q", "range", "level", "by", "since", "size"])
def test_hostile_parameters_are_harmless(page: RunPage, name: str) -> None:
    shown = page("activity", **{name: "<script>'\x00%"})
    assert "<script>" not in source(shown)
