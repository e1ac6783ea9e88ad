"""A store of the schema without codes, with rows in every table, reads the same after its upgrade.

Today's code records the life; the same rows without codes, as the older schema had them, are then
migrated: what the migration reads out of the sentences is what the code would have written.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from sentinel_core.decide.delivery import exhausted
from sentinel_core.model.reasons import SuppressionCode
from sentinel_core.model.silence import Matchers, Silence
from sentinel_core.replay import history
from sentinel_core.store.db.engine import reading, writing
from sentinel_core.store.db.schema import SCHEMA_HEAD, ensure_schema, schema_revision, upgrade
from sentinel_core.store.db.tables import NOTIFICATION
from sentinel_core.store.outbox import channels
from sentinel_core.store.outbox.enqueue import FAILED
from sentinel_core.store.outbox.settle import settle
from sentinel_core.store.outbox.storm_upkeep import end_storms
from sentinel_core.store.read.deliveries import deliveries
from sentinel_core.store.read.event_detail import event_detail
from sentinel_core.store.read.event_list import page
from sentinel_core.store.read.filters import EventFilter
from sentinel_core.store.read.overview import overview
from sentinel_core.store.read.silences import all_silences
from sentinel_core.store.record import silences
from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.record.resolve import resolve
from sentinel_core.store.state.mutes import inhibitors
from sentinel_core.store.state.rules import set_checkpoint
from tests.support.migrated import columns_of, everything, old_store
from tests.support.posted import deliver_until
from tests.support.runs import NOW, a_rule, a_run, at, fired, quiet, rows, told
from tests.support.swarm import own_engine

HOOK, PAGE = "slack-incoming-webhook/ops", "pager-duty-webhook/duty"
MINUTE = timedelta(minutes=1)
EACH = {importance: [HOOK] for importance in ("critical", "high", "medium")}
STEPS = [{"after_seconds": 120 * n, "channels": [PAGE]} for n in (1, 2, 3)]
DISK = a_rule("disk-full", notify=EACH)
MUTES_ALL = Silence(
    matchers=Matchers(ticker="HUSHED"),
    starts_at=at(0),
    ends_at=at(600),
    author="ana",
    comment="maintenance: inhibited: no",
)


def run(engine: Engine, rule: Any, minute: float, *outputs: Any) -> list[int]:
    """Record a run at the time it was due; the events it opened."""
    return told(engine, rule, a_run(minute), list(outputs), now=at(minute)).opened


def lived(engine: Engine) -> None:
    """A life in which each reason occurs for which a notification is not sent."""
    silences.create(engine, MUTES_ALL, now=at(0))
    paged = a_rule("paged", notify=EACH, escalation=STEPS)
    run(engine, paged, 0, fired("HUSHED"))
    [taken] = run(engine, paged, 1, fired("TAKEN"))
    acknowledge(engine, [taken], by="ana", comment="on it", now=at(1.1))
    run(engine, paged, 2, fired("RAISED"))
    run(engine, paged, 2.5, fired("RAISED", importance="critical"))
    [over] = run(engine, paged, 3, fired("BY HAND"))
    resolve(engine, [over], by="ana", now=at(3.1))
    run(engine, paged, 4, fired("RECOVERED"))
    run(engine, paged, 4.5, quiet("RECOVERED"))
    [anew] = run(engine, paged, 5, fired("ANEW"))
    acknowledge(engine, [anew], by="ana", until=at(6), now=at(5.1))
    run(engine, paged, 7, fired("ANEW"))

    run(engine, a_rule("switch-down", notify=EACH, inhibits=["disk-*"]), 8, fired("host"))
    run(engine, DISK, 9, fired("host"))
    limited = a_rule("limited", notify=EACH, policy={"max_notifications_per_hour": 1})
    run(engine, limited, 10, fired("A"), fired("B"))
    told(engine, DISK, a_run(11, "FAILED"), now=at(11))
    told(engine, a_rule("empty"), a_run(12), [], now=at(12))

    few = {"events": 2, "window_seconds": 60}
    stormy = {"channel": "slack-webhook/storm", "storm": few, "group_by": []}
    run(engine, a_rule("flood", notify={"high": [stormy]}), 13, *(fired(f"F{n}") for n in range(4)))
    often = {"channel": "slack-webhook/often", "repeat_seconds": 60}
    seldom = {"channel": "slack-webhook/seldom", "repeat_seconds": 7_200}
    policy = {"repeat_seconds": 600}
    reminded = a_rule("reminded", notify={"high": [often, seldom]}, policy=policy)
    run(engine, reminded, 14, fired("R"))
    [gone] = run(engine, a_rule("deleted", notify=EACH), 14, fired("GONE"))
    with writing(engine) as connection:
        statement = update(NOTIFICATION).where(NOTIFICATION.c.event_id == gone)
        connection.execute(statement.values(event_id=4_711))
    deliver_until(engine, at(14), at(20), MINUTE)
    run(engine, reminded, 26, fired("R"))
    deliver_until(engine, at(26), at(28), MINUTE)
    end_storms(engine, at(40))

    told(engine, a_rule("unlucky", notify={"high": [HOOK, PAGE]}), a_run(41), [fired()], now=at(41))
    last, other = (row["id"] for row in rows(engine, "notification")[-2:])
    settle(engine, last, status=FAILED, error=exhausted("500 it is down"), now=at(42))
    settle(engine, other, status=FAILED, error="404 no such hook", now=at(42))
    set_checkpoint(engine, "reconcile", at(42))


def read(engine: Engine) -> list[Any]:
    """What people and decisions read: lists, details, deliveries, silences, history, inhibitors."""
    keys = [row["id"] for row in rows(engine, "alert_event")]
    [rule] = history.rules_named(engine, DISK.name)
    over = history.Span(at(0), at(0), at(60), 0)
    with reading(engine) as connection:
        past = history.past(connection, rule["id"], DISK.name, over)
        inhibiting = inhibitors(connection)
    return [
        page(engine, EventFilter(), now=NOW, size=100),
        overview(engine, now=NOW),
        deliveries(engine, now=at(43)),
        [event_detail(engine, key) for key in keys],
        channels.states(engine),
        all_silences(engine, now=at(43)),
        past,
        inhibiting,
    ]


@pytest.fixture
def stores(database_url: str, tmp_path: Path) -> Iterator[tuple[Engine, Engine]]:
    """A store that lived with codes, and one of the schema before, with the same rows, upgraded."""
    with own_engine(f"sqlite:///{tmp_path / 'then.db'}") as then:
        ensure_schema(then)
        lived(then)
        recorded = everything(then)
        assert all(recorded.values()), recorded.keys()
        with own_engine(database_url) as engine:
            old_store(engine, "0003", recorded)
            assert "dropped_code" not in columns_of(engine, "notification")
            upgrade(engine)
            assert schema_revision(engine) == SCHEMA_HEAD
            yield then, engine


def test_an_upgraded_store_has_the_rows_and_the_codes_that_today_would_be_written(
    stores: tuple[Engine, Engine],
) -> None:
    then, now = (everything(engine) for engine in stores)
    assert now["audit_entry"].pop()["action"] == "store-upgraded"
    for name in then:
        assert now[name] == then[name], name
    codes = {row["dropped_code"] for row in now["notification"]}
    assert codes == {*SuppressionCode, None}
    for row in now["notification"]:
        assert (row["dropped_code"] is not None) == (
            row["status"] == "suppressed" or row["last_error"] == exhausted("500 it is down")[1]
        )
    codes = {row["suppressed_code"] for row in now["alert_event"]}
    assert codes == {"silenced", "inhibited", "rate-limited", None}


def test_an_upgraded_store_reads_as_it_did(stores: tuple[Engine, Engine]) -> None:
    then, now = (read(engine) for engine in stores)
    assert now == then
