"""A channel with a long past: what is asked on each delivery is found by an index, and few rows are
looked at. Plans are those of the real statements, taken as they are executed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from sentinel_core.store.db.engine import writing
from sentinel_core.store.outbox.channels import failing_channels
from sentinel_core.store.outbox.claim import claim, due
from sentinel_core.store.outbox.settle import postpone_channel, retry_failed, settle
from sentinel_core.store.outbox.storm_upkeep import end_storms
from tests.support.runs import NOW, a_rule, a_run, fired, told

PAST = 100_000
HOOK = "slack-webhook/busy"
RULE = a_rule(
    notify={"high": [{"channel": HOOK, "group_interval_seconds": 60, "storm": {"events": 10}}]},
    policy={"notify_resolved": True},
)

FILL = """
INSERT INTO notification (event_id, about, channel, recipient, reason, sequence, route, group_key,
    content, status, attempts, unknown, settled_at, sent_at, created_at, next_attempt_at)
SELECT -n, '', :channel, '', 'opened', 0, '{}', '{"rule": 1}', '{}',
    CASE WHEN n % 1000 = 0 THEN 'failed' ELSE 'sent' END, 1, 0, :old,
    CASE WHEN n % 1000 = 0 THEN NULL ELSE :old END, :old, :old
FROM numbers
"""
SERIES = {
    "sqlite": "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers "
    "WHERE n < :count) SELECT n FROM numbers",
    "postgresql": "SELECT n FROM generate_series(1, :count) AS n",
}


@pytest.fixture
def busy(engine: Engine) -> Engine:
    """A channel with a hundred thousand messages of last month, some of which failed."""
    old: Any = NOW - timedelta(days=30)
    if engine.dialect.name == "sqlite":
        old = old.replace(tzinfo=None).isoformat(" ")
    with writing(engine) as connection:
        connection.execute(
            text(f"CREATE TEMPORARY TABLE numbers AS {SERIES[engine.dialect.name]}"),
            {"count": PAST},
        )
        fill = FILL
        if engine.dialect.name == "postgresql":
            fill = FILL.replace("'{}'", "CAST('{}' AS jsonb)").replace(
                ":old", "CAST(:old AS timestamptz)"
            )
        connection.execute(text(fill), {"channel": HOOK, "old": old})
        connection.execute(text("DROP TABLE numbers"))
        connection.execute(text("ANALYZE"))
    return engine


@contextmanager
def plans(engine: Engine) -> Iterator[list[str]]:
    """Plans of whatever reads or changes messages meanwhile; each starts with its statement."""
    found: list[str] = []
    sqlite = engine.dialect.name == "sqlite"
    explaining = False

    def explain(
        connection: Connection, cursor: Any, statement: str, parameters: Any, *_: Any
    ) -> None:
        nonlocal explaining
        is_query = statement.lstrip().startswith(("SELECT", "UPDATE"))
        if explaining or "notification" not in statement or not is_query:
            return
        explaining = True
        prefix = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
        own = connection.connection.cursor()
        own.execute(prefix + statement, parameters)
        plan = "\n".join(str(row[-1]) for row in own.fetchall())
        own.close()
        found.append(f"{' '.join(statement.split())[:2000]}\n{plan}")
        explaining = False

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", explain)


def reads_everything(plan: str) -> bool:
    """Does it look at each message there is?"""
    lines = plan.splitlines()[1:]
    aliases = ("notification", "earlier")
    for line in lines:
        words = line.split()
        if "Seq Scan on notification" in line:
            return True
        if words[:1] == ["SCAN"] and words[1] in aliases and "USING" not in words:
            return True
    return False


def deliver_one(engine: Engine, now: datetime) -> None:
    [key] = due(engine, now)
    owed = claim(engine, key, now)
    assert owed is not None
    settle(engine, owed.ids, status="sent", error=None, now=now, claimed_at=owed.claimed_at)


def deliver_a_storm(engine: Engine, now: datetime) -> None:
    outputs = [fired(f"T{n}") for n in range(20)]
    told(engine, RULE, a_run(1), outputs, now=now)
    key = due(engine, now)[0]
    owed = claim(engine, key, now)
    assert owed is not None and owed.reason == "storm"
    settle(engine, owed.ids, status="sent", error=None, now=now)
    assert end_storms(engine, now + timedelta(minutes=5)) == [1]


def none_fails(engine: Engine, now: datetime) -> None:
    assert failing_channels(engine, now - timedelta(days=7)) == []


def nothing_again(engine: Engine, now: datetime) -> None:
    assert retry_failed(engine, HOOK, now - timedelta(days=7), now) == 0


ASKED: dict[str, Callable[[Engine, datetime], None]] = {
    "what is due, claimed and settled": deliver_one,
    "a storm that begins and ends": deliver_a_storm,
    "patience": lambda engine, now: postpone_channel(engine, HOOK, now + timedelta(hours=1)),
    "which channels fail": none_fails,
    "what is tried again": nothing_again,
}


@pytest.mark.parametrize("name", ASKED)
def test_nothing_that_is_asked_reads_the_whole_past(busy: Engine, name: str) -> None:
    told(busy, RULE, a_run(0), [fired("A")], now=NOW)
    with plans(busy) as found:
        ASKED[name](busy, NOW)
    assert found, "nothing was asked"
    wrong = [plan for plan in found if reads_everything(plan)]
    assert not wrong, wrong[0]


def test_a_plan_that_reads_everything_is_recognised(busy: Engine) -> None:
    with plans(busy) as found, writing(busy) as connection:
        connection.execute(text("SELECT count(*) FROM notification WHERE last_error = 'x'"))
    assert [reads_everything(plan) for plan in found] == [True]
