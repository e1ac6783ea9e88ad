"""Activity: three tables as one list, page by page, by level, time and text."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sentinel_core.model.system_actions import SystemAction
from sentinel_core.store.read import activity as module
from sentinel_core.store.read.activity import Place, activity
from sentinel_core.store.read.activity_sources import ActivityFilter, Level, Source
from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.record.removed import resolve_removed
from sentinel_core.store.record.resolve import resolve
from sentinel_core.store.record.rules import audit_rules
from sentinel_core.store.state.audit import audit_system
from tests.support.delivered import refuse, telling
from tests.support.recorded import NOON, a_rule, a_run, calm, fire, observe

MINUTE = timedelta(minutes=1)


def story(engine: Engine) -> None:
    """An event that is acknowledged and resolved, a failed check, a rule that is paused."""
    rule = a_rule("disk")
    event = fire(engine, rule, NOON, ticker="/var", message="Disk is full.")
    acknowledge(engine, [event], by="ana", comment="on it", now=NOON + MINUTE)
    calm(engine, rule, NOON + 2 * MINUTE, ticker="/var")
    calm(engine, rule, NOON + 3 * MINUTE, ticker="/var")
    observe(engine, a_rule("feed"), a_run(NOON + 4 * MINUTE, "FAILED"))
    audit_rules(engine, ["feed"], "rule-paused", by="bo", now=NOON + 5 * MINUTE)


def types(engine: Engine, size: int = 50, **wanted: object) -> list[str]:
    found = activity(engine, ActivityFilter(**wanted), size=size)  # type: ignore[arg-type]
    return [entry["type"] for entry in found.entries]


def test_what_changed_something_is_listed_newest_first(engine: Engine) -> None:
    story(engine)
    assert types(engine) == ["rule-paused", "open", "resolve", "acknowledged", "open"]


def test_an_entry_says_who_and_what_it_is_about(engine: Engine) -> None:
    story(engine)
    entries = activity(engine, ActivityFilter(), size=50).entries
    [_, failed, _, acknowledged, opened] = entries
    assert (opened["rule_name"], opened["ticker"], opened["importance"]) == ("disk", "/var", "high")
    assert (opened["message"], opened["level"]) == ("Disk is full.", Level.WARNING)
    assert (failed["rule_name"], failed["level"]) == ("feed", Level.ERROR)
    assert (acknowledged["user"], acknowledged["detail"]) == ("ana", {"comment": "on it"})
    assert acknowledged["event_id"] == opened["event_id"]


def test_filters_hold_together(engine: Engine) -> None:
    story(engine)
    assert types(engine, levels=frozenset({Level.ERROR})) == ["open"]
    assert types(engine, sources=frozenset({Source.PERSON})) == ["rule-paused", "acknowledged"]
    assert types(engine, text="ANA") == ["acknowledged"]
    assert types(engine, text="on it") == ["acknowledged"]
    assert types(engine, text="100%") == []
    assert types(engine, since=NOON + 4 * MINUTE) == ["rule-paused", "open"]
    assert types(engine, until=NOON + MINUTE) == ["open"]
    assert types(engine, since=NOON + MINUTE, until=NOON + 2 * MINUTE) == ["acknowledged"]


def test_what_sentinel_did_is_not_listed_with_what_people_did(engine: Engine) -> None:
    rule = a_rule("disk")
    by_hand, removed = fire(engine, rule, NOON, ticker="/a"), fire(engine, rule, NOON, ticker="/b")
    # A person of the same name as the system is a person all the same.
    resolve(engine, [by_hand], by="sentinel", now=NOON + MINUTE)
    assert resolve_removed(engine, 1, rule.deployment_id, NOON + 2 * MINUTE) == [removed]
    detail = {"evaluation": 12}
    audit_system(engine, SystemAction.RETENTION, NOON + 3 * MINUTE, detail)

    def listed(source: Source) -> list[tuple[str, int | None]]:
        found = activity(engine, ActivityFilter(sources=frozenset({source})), size=50)
        assert {entry["source"] for entry in found.entries} == {source}
        return [(entry["type"], entry["event_id"]) for entry in found.entries]

    assert listed(Source.PERSON) == [("resolved", by_hand)]
    assert listed(Source.SYSTEM) == [("retention", None), ("resolved", removed)]
    assert types(engine)[:3] == ["retention", "resolved", "resolved"]
    [entry] = activity(engine, ActivityFilter(text="retention"), size=50).entries
    assert (entry["user"], entry["detail"], entry["level"]) == ("sentinel", detail, Level.INFO)


@pytest.mark.parametrize("action", list(SystemAction))
def test_every_action_of_the_system_is_listed_as_its_own(
    engine: Engine, action: SystemAction
) -> None:
    audit_system(engine, action, NOON, {})
    [entry] = activity(engine, ActivityFilter(), size=50).entries
    failed = action in (SystemAction.REACTION_FAILED, SystemAction.REACTION_NOT_STARTED)
    assert (entry["source"], entry["level"]) == (
        Source.SYSTEM,
        Level.WARNING if failed else Level.INFO,
    )


@pytest.mark.parametrize(("size", "scanned"), [(1, 1), (3, 2), (2, 200_000)])
def test_pages_are_parts_of_the_whole_list_however_little_is_looked_at(
    engine: Engine, size: int, scanned: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    story(engine)
    audit_system(engine, SystemAction.RETENTION, NOON + 6 * MINUTE, {"evaluation": 12})
    whole = activity(engine, ActivityFilter(), size=50).entries
    monkeypatch.setattr(module, "SCANNED", scanned)
    read, after, pages = [], None, 0
    while pages == 0 or after is not None:
        page = activity(engine, ActivityFilter(), size=size, after=after)
        read += page.entries
        after, pages = page.following, pages + 1
        assert len(page.entries) <= size
        assert pages < 50
    assert [(e["source"], e["id"]) for e in read] == [(e["source"], e["id"]) for e in whole]
    assert isinstance(after, Place | None)


def test_deliveries_are_listed_once_their_outcome_is_known(engine: Engine) -> None:
    rule = telling("disk", "high", notify={"high": ["slack-incoming-webhook/ops"]})
    fire(engine, rule, NOON)
    assert types(engine, sources=frozenset({Source.DELIVERY})) == []
    refuse(engine, NOON + MINUTE)
    [entry] = activity(
        engine, ActivityFilter(sources=frozenset({Source.DELIVERY})), size=50
    ).entries
    assert (entry["type"], entry["level"]) == ("failed", Level.ERROR)
    assert entry["message"] == "slack-incoming-webhook/ops"
