"""A store written by the release before codes reads the same after its upgrade, on both databases.

`store_0003.json` has every row of a store that the release with schema 0003 wrote: rules that
fired, failed and inhibited each other, silences, a storm, a failed message, people's acts. Beside
the rows it has what that release's own reading functions returned.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, Uuid
from sqlmodel import SQLModel

from sentinel_core.model.silence import SilenceState
from sentinel_core.model.system_actions import SystemAction
from sentinel_core.store.db.schema import SCHEMA_HEAD, schema_revision, upgrade
from sentinel_core.store.db.tables import UtcDateTime
from sentinel_core.store.read import event_list, overview, silences
from sentinel_core.store.read.deliveries import deliveries
from sentinel_core.store.read.event_detail import event_detail
from sentinel_core.store.read.filters import EventFilter, Sort
from sentinel_core.store.state import rules
from tests.support.migrated import everything, old_store
from tests.support.runs import a_rule, at
from tests.support.swarm import own_engine

STORE = json.loads(Path(__file__).with_name("store_0003.json").read_text())
NOW = at(40)


def stored_rows() -> dict[str, list[dict[str, Any]]]:
    """The rows of the file with the types of their columns."""

    def typed(table: str, column: str, value: Any) -> Any:
        kind = SQLModel.metadata.tables[table].c[column].type
        if value is not None and isinstance(kind, UtcDateTime):
            return datetime.fromisoformat(value)
        return UUID(value) if value is not None and isinstance(kind, Uuid) else value

    return {
        table: [{name: typed(table, name, value) for name, value in row.items()} for row in rows]
        for table, rows in STORE["tables"].items()
    }


@pytest.fixture(scope="module")
def recorded() -> dict[str, list[dict[str, Any]]]:
    return stored_rows()


@pytest.fixture
def upgraded(database_url: str, recorded: dict[str, list[dict[str, Any]]]) -> Iterator[Engine]:
    """A database of schema 0003 with these rows, brought to the newest schema."""
    with own_engine(database_url) as engine:
        old_store(engine, "0003", recorded)
        assert schema_revision(engine) == "0003"
        upgrade(engine)
        assert schema_revision(engine) == SCHEMA_HEAD
        yield engine


def plain(value: Any) -> Any:
    """As JSON has it: times in UTC as text, tuples as lists."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def listed(engine: Engine, **wanted: Any) -> list[int]:
    page = event_list.page(engine, EventFilter(**wanted), now=NOW, size=100)
    return [row["id"] for row in page.rows]


def detail(engine: Engine, event_id: int) -> dict[str, Any]:
    found = event_detail(engine, event_id)
    assert found is not None and found.rule is not None
    return {
        "rule": found.rule["name"],
        "undelivered": found.event["undelivered"],
        "evaluations": [row["id"] for row in found.evaluations],
        "earlier": [row["id"] for row in found.earlier],
        "notifications": [
            [row["id"], row["together"], row["storm_message"]] for row in found.notifications
        ],
        "audit": [row["id"] for row in found.audit],
    }


def read_events(engine: Engine) -> dict[str, Any]:
    """Lists, counts and details of events."""
    any_event = EventFilter()
    page = event_list.page(engine, any_event, now=NOW, size=5)
    assert page.following is not None
    by_importance = event_list.page(engine, any_event, now=NOW, size=100, sort=Sort.IMPORTANCE)
    [exported] = event_list.export(engine, any_event, now=NOW)
    return {
        "page": {
            "rows": [
                [row["id"], row["message"], row["undelivered"], row["suppressed"]]
                for row in page.rows
            ],
            "next": [page.following.value, page.following.id],
            "newest": page.newest_id,
        },
        "by importance": [row["id"] for row in by_importance.rows],
        "live": listed(engine, live=True),
        "failures": listed(engine, kind=frozenset({"failure"})),
        "storm": listed(engine, storm=1),
        "text": listed(engine, text="FULL"),
        "count": event_list.count(engine, any_event, now=NOW),
        "exported": [row["id"] for row in exported],
        "details": {str(key): detail(engine, key) for key in sorted(listed(engine))},
    }


def read_overview(engine: Engine) -> dict[str, Any]:
    """What the blotter shows beside its list."""
    seen, names, health = (
        overview.overview(engine, now=NOW),
        overview.facets(engine),
        deliveries(engine, now=NOW),
    )
    bars = overview.histogram(
        engine, EventFilter(), start=at(0), end=at(60), step=timedelta(minutes=20)
    )
    return {
        "overview": [seen.unacknowledged, seen.any_event, seen.any_notification],
        "facets": [names.rules, names.categories, names.tickers],
        "histogram": [[bar.start, bar.counts] for bar in bars],
        "failing": [
            [channel.channel, channel.failed, channel.latest, channel.error, channel.recovered]
            for channel in health.failing
        ],
        "storms": [
            [
                storm.id,
                storm.channel,
                storm.recipient,
                storm.started_at,
                storm.events,
                storm.message_status,
            ]
            for storm in health.storms
        ],
        "late": health.late,
    }


def read_silences_and_rules(engine: Engine) -> dict[str, Any]:
    """Silences, and the rules with what they measured last."""
    first, ended = silences.get(engine, 1), silences.ending(engine, 2)
    assert first is not None and ended is not None
    preview = silences.preview(engine, first, now=NOW)
    active = silences.all_silences(engine, now=NOW, state=SilenceState.ACTIVE)
    return {
        "silences": [
            [
                silence.id,
                silence.matchers.words(),
                silence.recurrence.words() if silence.recurrence else None,
                silence.starts_at,
                silence.ends_at,
                silence.author,
                silence.comment,
                silence.state(NOW).value,
            ]
            for silence in silences.all_silences(engine, now=NOW)
        ],
        "active silences": [silence.id for silence in active],
        "ending": [ended.by, ended.at, ended.comment],
        "preview": [
            preview.rules,
            preview.series,
            [event["id"] for event in preview.open_events],
            preview.open_count,
            [event["id"] for event in preview.past_events],
            preview.past_count,
        ],
        "rules": [rule["name"] for rule in rules.all_rules(engine)],
        "checkpoint": rules.checkpoint(engine, rules.RECONCILE),
        "latest": [
            [row["id"], row["ticker"], row["triggered"], row["metrics"]]
            for row in rules.latest_evaluations(engine, a_rule("disk-full").deployment_id, 3)
        ],
    }


def test_the_old_store_has_rows_in_every_table_and_keeps_them(
    upgraded: Engine, recorded: dict[str, list[dict[str, Any]]]
) -> None:
    found = everything(upgraded)
    assert found.keys() == recorded.keys()
    for table, rows in recorded.items():
        assert rows, table
        kept = [{name: row[name] for name in rows[0]} for row in found[table]]
        if table == "audit_entry":
            assert kept.pop()["action"] == SystemAction.STORE_UPGRADED
        assert kept == rows, table


def test_the_old_store_reads_as_it_did(upgraded: Engine) -> None:
    read = {
        **read_events(upgraded),
        **read_overview(upgraded),
        **read_silences_and_rules(upgraded),
    }
    expected = STORE["read"]
    assert read.keys() == expected.keys()
    for name, value in read.items():
        assert plain(value) == expected[name], name
