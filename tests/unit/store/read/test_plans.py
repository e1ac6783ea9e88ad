"""Reading is fast (through indexes) and takes no write lock."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, select, text, update
from sqlalchemy import event as sqlalchemy_event

from benchmarks import queries
from sentinel_core.store.db.engine import open_engine, writing
from sentinel_core.store.db.schema import ensure_schema
from sentinel_core.store.db.tables import AUDIT, EVENT
from sentinel_core.store.read import event_list, overview, periods
from sentinel_core.store.read.event_detail import event_detail
from sentinel_core.store.read.filters import EventFilter, Sort
from tests.support.recorded import NOON, a_rule, event_ids, fire

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def plans(engine: Engine, read: Any) -> list[str]:
    """How SQLite means to find the rows of every statement `read` runs."""
    seen: list[tuple[str, Any]] = []

    def note(_c: Connection, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        asked = statement.lstrip().startswith(("SELECT", "WITH"))
        if asked and "sentinel_version" not in statement:  # which each transaction begins with
            seen.append((statement, parameters))

    sqlalchemy_event.listen(engine, "before_cursor_execute", note)
    read()
    sqlalchemy_event.remove(engine, "before_cursor_execute", note)
    assert seen
    with engine.connect() as connection:
        return [
            " | ".join(
                row[3]
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            )
            for statement, parameters in seen
        ]


@pytest.fixture
def sqlite(tmp_path: Path) -> Engine:
    engine = open_engine(f"sqlite:///{tmp_path / 'plans.db'}")
    ensure_schema(engine)
    return engine


def test_the_default_pages_are_read_through_an_index(sqlite: Engine) -> None:
    live = EventFilter(live=True)
    day = EventFilter(since=NOON - timedelta(days=1))
    [listed, newest, *_] = plans(sqlite, lambda: event_list.page(sqlite, live, now=NOON, size=20))
    assert "SCAN alert_event" not in listed
    for search in (
        "importance=?)",
        "importance=? AND resolved_at=? AND display_until>?)",
        "importance=? AND resolved_at>?)",
    ):
        assert f"SEARCH alert_event USING INDEX ix_event_live ({search}" in listed
    assert "SCAN alert_event USING COVERING" in newest or "SEARCH alert_event" in newest
    [listed, *_] = plans(sqlite, lambda: event_list.page(sqlite, day, now=NOON, size=20))
    assert "INDEX ix_event_time (timestamp>?)" in listed
    after = event_list.Cursor(NOON, 5)
    [listed, *_] = plans(
        sqlite, lambda: event_list.page(sqlite, day, now=NOON, size=20, after=after)
    )
    assert "INDEX ix_event_time" in listed


@pytest.mark.parametrize("sort", list(Sort))
def test_no_order_reads_more_events_than_the_filter_leaves(sqlite: Engine, sort: Sort) -> None:
    live, day = EventFilter(live=True), EventFilter(since=NOON - timedelta(days=1))
    for wanted, index in ((live, "ix_event_live"), (day, "ix_event_time")):
        [listed, *_] = plans(
            sqlite, lambda f=wanted: event_list.page(sqlite, f, now=NOON, size=20, sort=sort)
        )
        assert f"INDEX {index} (" in listed
        assert "SCAN alert_event" not in listed


def test_counting_and_the_histogram_read_indexes(sqlite: Engine) -> None:
    for plan in plans(sqlite, lambda: overview.overview(sqlite, now=NOON))[:4]:
        assert "ix_event_live (importance=?" in plan
        assert "SCAN alert_event" not in plan
    [plan] = plans(
        sqlite,
        lambda: overview.histogram(sqlite, EventFilter(), start=NOON, end=NOON + HOUR, step=HOUR),
    )
    assert plan.count("(importance=? AND timestamp>? AND timestamp<?)") == 4


def test_sqlite_is_told_how_large_each_index_of_events_gets(sqlite: Engine) -> None:
    with sqlite.connect() as connection:
        told = connection.exec_driver_sql("SELECT idx FROM sqlite_stat1 WHERE tbl = 'alert_event'")
        assert set(told.scalars()) == {index.name for index in EVENT.indexes}


@pytest.mark.parametrize(
    ("chosen", "index"),
    [
        ({"importance": frozenset({"critical", "high"})}, "ix_event_rule (rule_id=?"),
        ({"mine": "ann"}, "ix_event_rule (rule_id=?"),
        ({"state": frozenset({"FAILED"})}, "ix_event_rule (rule_id=?"),
    ],
)
def test_events_of_a_rule_are_found_by_its_index_whatever_else_is_asked(
    sqlite: Engine, chosen: dict[str, Any], index: str
) -> None:
    rule = a_rule()
    fire(sqlite, rule, NOON)
    wanted = EventFilter(rules=frozenset({rule.name}), **chosen)
    [_, listed, *_] = plans(sqlite, lambda: event_list.page(sqlite, wanted, now=NOON, size=20))
    [_, counted] = plans(sqlite, lambda: event_list.count(sqlite, wanted, now=NOON))
    assert index in listed
    assert index in counted


def test_postgresql_finds_what_waits_by_the_index_of_the_few_that_wait(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(postgres_url)
    ensure_schema(engine)
    monkeypatch.setattr(queries, "RULES", 3)
    queries.fill(engine, 50_000, NOON)
    seen: list[str] = []

    def explain(_c: Connection, cursor: Any, statement: str, given: Any, *_rest: Any) -> None:
        if "count(*)" in statement:
            own = cursor.connection.cursor()
            own.execute(f"EXPLAIN {statement}", given)
            seen.append("\n".join(row[0] for row in own.fetchall()))

    sqlalchemy_event.listen(engine, "before_cursor_execute", explain)
    periods.periods(engine, now=NOON)
    [_, _, *waiting] = seen
    assert len(waiting) == 2
    for plan in waiting:
        assert plan.count("using ix_event_live") == 2, plan
    engine.dispose()


def test_the_trends_of_the_cards_read_indexes(sqlite: Engine) -> None:
    hours, waiting = plans(sqlite, lambda: periods.trends(sqlite, now=NOON))
    assert "COVERING INDEX ix_event_time (timestamp>? AND timestamp<?)" in hours
    assert "ix_event_live (importance=? AND resolved_at=?)" in waiting
    assert "SCAN alert_event" not in hours + waiting


def test_an_event_is_read_through_indexes(sqlite: Engine) -> None:
    key = fire(sqlite, a_rule(), NOON)
    for plan in plans(sqlite, lambda: event_detail(sqlite, key)):
        assert "SEARCH" in plan
        assert "SCAN" not in plan


def test_reading_takes_no_write_lock(sqlite: Engine) -> None:
    key = fire(sqlite, a_rule(), NOON)
    with writing(sqlite) as connection:
        connection.execute(insert(AUDIT), [{"at": NOON, "actor": "a", "action": "b", "detail": {}}])
        assert event_ids(sqlite) == [key]
        assert connection.scalar(select(EVENT.c.id)) == key
        connection.execute(text("SELECT 1"))


@pytest.mark.parametrize(
    ("wanted", "indexes"),
    [
        (EventFilter(mine="Ann"), ("ix_event_assigned (assigned_to=?", "ix_event_acknowledged_by")),
        (
            EventFilter(mine="Ann", kind=frozenset({"failure"})),
            ("ix_event_assigned (assigned_to=?",),
        ),
        (EventFilter(kind=frozenset({"failure"})), ("ix_event_not_alert (kind=?",)),
        (EventFilter(state=frozenset({"FAILED"})), ("ix_event_state (prefect_state=?",)),
    ],
)
def test_each_filter_finds_its_events_through_an_index(
    sqlite: Engine, wanted: EventFilter, indexes: tuple[str, ...]
) -> None:
    [listed, *_] = plans(sqlite, lambda: event_list.page(sqlite, wanted, now=NOON, size=20))
    counted = plans(sqlite, lambda: event_list.count(sqlite, wanted, now=NOON))[0]
    for plan in (listed, counted):
        assert "SCAN alert_event" not in plan
        assert all(index in plan for index in indexes)


@pytest.mark.parametrize("descending", [True, False])
def test_what_concerns_a_person_is_listed_once_and_in_order(
    sqlite: Engine, descending: bool
) -> None:
    rule = a_rule()
    keys = [fire(sqlite, rule, NOON + n * MINUTE, ticker=f"T{n}") for n in range(6)]
    mine = {"acknowledged_by": "Ann"}, {"assigned_to": "Ann"}, {"assigned_to": "Bob"}
    values = [mine[0], mine[1], {**mine[0], **mine[1]}, {**mine[0], **mine[2]}, mine[2], {}]
    with writing(sqlite) as connection:
        for key, given in zip(keys, values, strict=True):
            if given:
                connection.execute(update(EVENT).where(EVENT.c.id == key).values(**given))
    wanted, listed, after = EventFilter(mine="Ann"), [], None
    while True:
        page = event_list.page(sqlite, wanted, now=NOON, size=1, descending=descending, after=after)
        listed += [row["id"] for row in page.rows]
        if (after := page.following) is None:
            break
    assert listed == (keys[3::-1] if descending else keys[:4])
    assert event_list.count(sqlite, wanted, now=NOON) == 4
    assert event_list.count(sqlite, wanted, now=NOON, cap=2) == 3
