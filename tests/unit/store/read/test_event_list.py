"""What people read and acknowledge, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, select, text
from sqlalchemy import event as sqlalchemy_event

from sentinel_core.base.errors import StoreUnavailableError
from sentinel_core.store.db.engine import open_engine, reading, writing
from sentinel_core.store.db.schema import ensure_schema
from sentinel_core.store.db.tables import AUDIT, EVENT
from sentinel_core.store.read import event_list as events
from sentinel_core.store.read.filters import EventFilter, Sort, Status
from sentinel_core.store.record.acknowledge import BY_LIMIT, COMMENT_LIMIT, acknowledge
from tests.support.recorded import NOON, a_rule, a_run, calm, fire, observe

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def ids(engine: Engine, now: Any = NOON, **wanted: Any) -> list[int]:
    chosen = {k: frozenset(v) if isinstance(v, set) else v for k, v in wanted.items()}
    return [row["id"] for row in events.page(engine, EventFilter(**chosen), now=now, size=100).rows]


def test_the_newest_event_comes_first(engine: Engine) -> None:
    old = fire(engine, a_rule("old"), NOON - HOUR)
    new = fire(engine, a_rule("new"), NOON)
    assert ids(engine) == [new, old]


def test_each_filter_keeps_exactly_what_it_names(engine: Engine) -> None:
    quote = fire(
        engine,
        a_rule("price", "critical", "Market"),
        NOON - 3 * MINUTE,
        ticker="AAPL",
        message="100% up_to\\now",
    )
    disk = fire(engine, a_rule("disk", "low", "System"), NOON - 2 * MINUTE, ticker="host")
    [failed] = observe(
        engine, a_rule("cpu", "medium"), a_run(NOON - MINUTE, "CRASHED", message="killed")
    ).opened
    assert ids(engine, importance={"critical", "low"}) == [disk, quote]
    assert ids(engine, category={"Market"}) == [quote]
    assert ids(engine, kind={"failure"}) == [failed]
    assert ids(engine, state={"CRASHED", "FAILED"}) == [failed]
    assert ids(engine, rules={"cpu", "price"}) == [failed, quote]
    assert ids(engine, ticker="AAPL") == [quote]
    assert ids(engine, since=NOON - 2 * MINUTE) == [failed, disk]
    assert ids(engine, until=NOON - 2 * MINUTE) == [quote]
    assert ids(engine, text="aap") == [quote]
    assert ids(engine, text="DISK") == [disk]
    assert ids(engine, importance={"critical"}, category={"System"}) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [("100%", 1), ("%", 1), ("_", 1), ("\\", 1), ("up_to\\now", 1), ("1_0", 0), ("'--", 0)],
)
def test_search_takes_every_character_literally(engine: Engine, text: str, found: int) -> None:
    fire(engine, a_rule("one"), NOON, message="100% up_to\\now")
    fire(engine, a_rule("two"), NOON, message="plain words")
    assert len(ids(engine, text=text)) == found


def test_status_follows_from_what_happened_to_the_event(engine: Engine) -> None:
    still = fire(engine, a_rule("a"), NOON)
    taken = fire(engine, a_rule("b"), NOON)
    gone = a_rule("c")
    over = fire(engine, gone, NOON)
    calm(engine, gone, NOON + MINUTE)
    acknowledge(engine, [taken], by="ana", now=NOON)
    assert ids(engine, status={Status.OPEN}) == [still]
    assert ids(engine, status={Status.ACKNOWLEDGED}) == [taken]
    assert ids(engine, status={Status.RESOLVED}) == [over]
    assert set(ids(engine, status={Status.OPEN, Status.RESOLVED})) == {still, over}


@pytest.mark.parametrize("importance", ["critical", "high"])
def test_critical_and_high_stay_live_until_acknowledged(engine: Engine, importance: str) -> None:
    rule = a_rule("a", importance, display_minutes=10)
    key = fire(engine, rule, NOON)
    calm(engine, rule, NOON + MINUTE)
    much_later = NOON + timedelta(days=90)
    assert ids(engine, live=True, now=much_later) == [key]
    acknowledge(engine, [key], by="ana", now=much_later)
    assert ids(engine, live=True, now=much_later) == []


@pytest.mark.parametrize("importance", ["medium", "low"])
def test_medium_and_low_are_live_for_as_long_as_their_rule_says(
    engine: Engine, importance: str
) -> None:
    key = fire(engine, a_rule("a", importance, display_minutes=10), NOON)
    assert ids(engine, live=True, now=NOON + 9 * MINUTE) == [key]
    assert ids(engine, live=True, now=NOON + 10 * MINUTE) == []
    acknowledge(engine, [key], by="ana", now=NOON)
    assert ids(engine, live=True, now=NOON + MINUTE) == []


def test_a_failed_check_is_live_like_an_alert_of_its_importance(engine: Engine) -> None:
    [key] = observe(engine, a_rule("a", "high", display_minutes=1), a_run(NOON, "FAILED")).opened
    assert ids(engine, live=True, now=NOON + HOUR) == [key]


@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("descending", [True, False])
def test_paging_shows_every_event_once_in_order(
    engine: Engine, sort: Sort, descending: bool
) -> None:
    importances = ["low", "critical", "medium", "high", "medium"]
    for n in range(23):  # several share a time, a ticker and an importance: the id breaks ties
        at = NOON + MINUTE * (n // 4)
        fire(engine, a_rule(f"rule-{n}", importances[n % 5]), at, ticker=f"T{n % 3}")
    whole = events.page(engine, EventFilter(), now=NOON, size=100, sort=sort, descending=descending)
    assert whole.following is None
    seen: list[int] = []
    after = None
    while True:
        part = events.page(
            engine, EventFilter(), now=NOON, size=5, sort=sort, descending=descending, after=after
        )
        seen += [row["id"] for row in part.rows]
        after = part.following
        if after is None:
            break
        assert len(part.rows) == 5
    assert seen == [row["id"] for row in whole.rows]
    assert sorted(seen) == sorted(set(seen))
    assert len(seen) == 23


def test_sorting_by_importance_means_by_how_much_it_matters(engine: Engine) -> None:
    for name in ("low", "critical", "medium", "high"):
        fire(engine, a_rule(name, name), NOON)
    rows = events.page(engine, EventFilter(), now=NOON, size=9, sort=Sort.IMPORTANCE).rows
    assert [row["importance"] for row in rows] == ["critical", "high", "medium", "low"]


def test_an_event_that_arrives_does_not_shift_the_next_page(engine: Engine) -> None:
    first = [fire(engine, a_rule(f"r{n}"), NOON + n * MINUTE) for n in range(6)]
    top = events.page(engine, EventFilter(), now=NOON, size=3)
    new = fire(engine, a_rule("new"), NOON + HOUR)
    rest = events.page(engine, EventFilter(), now=NOON, size=3, after=top.following)
    assert [row["id"] for row in rest.rows] == first[2::-1]
    assert events.count(engine, EventFilter(), now=NOON, newer_than_id=top.newest_id) == 1
    assert new > top.newest_id


def test_counting_stops_at_the_cap(engine: Engine) -> None:
    for n in range(5):
        fire(engine, a_rule(f"r{n}"), NOON)
    assert events.count(engine, EventFilter(), now=NOON) == 5
    assert events.count(engine, EventFilter(), now=NOON, cap=3) == 4


def test_a_list_carries_the_start_of_a_message_and_the_event_all_of_it(engine: Engine) -> None:
    key = fire(engine, a_rule(), NOON, message="x" * 20_000)
    [row] = events.page(engine, EventFilter(), now=NOON, size=20).rows
    assert len(row["message"]) < 1_000
    whole = events.event(engine, key)
    assert whole is not None
    assert len(whole.event["message"]) == 20_000


def test_the_overview_counts_what_asks_for_attention(engine: Engine) -> None:
    assert not events.overview(engine, now=NOON).any_event
    fire(engine, a_rule("a", "critical"), NOON)
    taken = fire(engine, a_rule("b", "critical"), NOON)
    fire(engine, a_rule("c", "low", display_minutes=5), NOON)
    acknowledge(engine, [taken], by="ana", now=NOON)
    seen = events.overview(engine, now=NOON + MINUTE)
    assert seen.unacknowledged == {"low": 1, "medium": 0, "high": 0, "critical": 1}
    assert (seen.any_event, seen.any_notification) == (True, False)
    assert events.overview(engine, now=NOON + HOUR).unacknowledged["low"] == 0


def test_the_overview_knows_whether_any_message_was_ever_owed(engine: Engine) -> None:
    fire(engine, a_rule(notify={"high": ["slack-incoming-webhook/ops"]}), NOON)
    assert events.overview(engine, now=NOON).any_notification


def test_filters_offer_the_names_the_store_knows(engine: Engine) -> None:
    fire(engine, a_rule("b", category="Market"), NOON, ticker="MSFT")
    fire(engine, a_rule("a", category="System"), NOON, ticker="AAPL")
    fire(engine, a_rule("c", category="System"), NOON)
    known = events.facets(engine)
    assert known.rules == ("a", "b", "c")
    assert known.categories == ("Market", "System")
    assert known.tickers == ("AAPL", "MSFT")


def test_the_histogram_counts_each_event_in_the_hour_it_opened(engine: Engine) -> None:
    fire(engine, a_rule("a", "critical"), NOON)
    fire(engine, a_rule("b", "low"), NOON + 59 * MINUTE)
    fire(engine, a_rule("c", "low"), NOON + HOUR)
    fire(engine, a_rule("d", "low"), NOON + 2 * HOUR)  # the end is not part of the range
    bars = events.histogram(
        engine, EventFilter(), start=NOON, end=NOON + 2 * HOUR, step=HOUR, now=NOON
    )
    assert [(bar.start, bar.counts["critical"], bar.counts["low"]) for bar in bars] == [
        (NOON, 1, 1),
        (NOON + HOUR, 0, 1),
    ]


def test_the_histogram_follows_the_filter(engine: Engine) -> None:
    fire(engine, a_rule("a", "critical"), NOON, message="needle")
    fire(engine, a_rule("b", "low"), NOON)
    taken = fire(engine, a_rule("c", "critical"), NOON, message="needle")
    acknowledge(engine, [taken], by="ana", now=NOON)

    def counted(wanted: EventFilter) -> dict[str, int]:
        [bar] = events.histogram(engine, wanted, start=NOON, end=NOON + HOUR, step=HOUR, now=NOON)
        return bar.counts

    assert counted(EventFilter(text="needle"))["critical"] == 2
    assert counted(EventFilter(importance=frozenset({"low"}))) == {"low": 1}
    assert counted(EventFilter(live=True))["critical"] == 1


def test_an_event_comes_with_everything_known_about_it(engine: Engine) -> None:
    rule = a_rule("disk", notify={"high": ["slack-incoming-webhook/ops"]}, runbook="docs/disk.md")
    calm(engine, rule, NOON - MINUTE, metrics={"value": 80})
    key = fire(engine, rule, NOON, metrics={"value": 95, "threshold": 90}, metadata={"p": "/"})
    observe(
        engine, a_rule("other"), a_run(NOON), None
    )  # another rule's evaluation is not this event's
    calm(engine, rule, NOON + MINUTE, metrics={"value": 70})
    acknowledge(engine, [key], by="ana", comment="cleaning", now=NOON + HOUR)
    whole = events.event(engine, key)
    assert whole is not None
    assert whole.event["metadata"] == {"p": "/"}
    assert whole.rule is not None
    assert whole.rule["name"] == "disk"
    assert [row["decision_code"] for row in whole.evaluations] == ["recovered", "started"]
    assert [row["metrics"] for row in whole.earlier] == [{"value": 80}]
    assert [row["channel"] for row in whole.notifications] == ["slack-incoming-webhook/ops"]
    assert [(row["actor"], row["detail"]) for row in whole.audit] == [
        ("ana", {"comment": "cleaning"})
    ]


@pytest.mark.parametrize("unknown", [0, -1, 999, 2**63, 10**30])
def test_an_id_nobody_has_is_no_event(engine: Engine, unknown: int) -> None:
    assert events.event(engine, unknown) is None


# -- acknowledging -------------------------------------------------------------------------


def audited(engine: Engine) -> list[tuple[str, int]]:
    with reading(engine) as connection:
        rows = connection.execute(select(AUDIT.c.actor, AUDIT.c.event_id).order_by(AUDIT.c.id))
        return [(actor, key) for actor, key in rows]


def test_an_acknowledgement_names_exactly_the_events_it_was_given(engine: Engine) -> None:
    first, second, third = (fire(engine, a_rule(f"r{n}"), NOON) for n in range(3))
    done = acknowledge(engine, [third, first, first], by=" ana\n", comment=" ok \x00", now=NOON)
    assert done.done == (first, third)
    assert ids(engine, status={Status.OPEN}) == [second]
    whole = events.event(engine, first)
    assert whole is not None
    assert (whole.event["acknowledged_by"], whole.event["comment"]) == ("ana", "ok \ufffd")
    assert whole.event["acknowledged_at"] == NOON
    assert audited(engine) == [("ana", first), ("ana", third)]


def test_what_somebody_else_acknowledged_first_stays_theirs(engine: Engine) -> None:
    one, two = fire(engine, a_rule("a"), NOON), fire(engine, a_rule("b"), NOON)
    acknowledge(engine, [one], by="ana", comment="mine", now=NOON)
    again = acknowledge(engine, [one, two, 999], by="bo", comment="late", now=NOON + MINUTE)
    assert again.done == (two,)
    assert [(row.id, row.by, row.at) for row in again.handled] == [(one, "ana", NOON)]
    assert again.missing == (999,)
    assert audited(engine) == [("ana", one), ("bo", two)]


def test_two_people_at_once_acknowledge_each_event_once(engine: Engine) -> None:
    keys = [fire(engine, a_rule(f"r{n}"), NOON) for n in range(40)]
    with ThreadPoolExecutor(4) as pool:
        results = list(
            pool.map(lambda who: acknowledge(engine, keys, by=who, now=NOON), ["a", "b", "c", "d"])
        )
    done = [key for result in results for key in result.done]
    assert sorted(done) == keys
    assert all(len(result.done) + len(result.handled) == 40 for result in results)
    assert sorted(key for _, key in audited(engine)) == keys


@pytest.mark.parametrize("nobody", ["", "  ", "\n\t"])
def test_nobody_can_acknowledge_anonymously(engine: Engine, nobody: str) -> None:
    key = fire(engine, a_rule(), NOON)
    with pytest.raises(ValueError, match="who acknowledges"):
        acknowledge(engine, [key], by=nobody, now=NOON)
    assert ids(engine, status={Status.OPEN}) == [key]


def test_a_comment_without_end_is_cut(engine: Engine) -> None:
    key = fire(engine, a_rule(), NOON)
    acknowledge(engine, [key], by="a" * 999, comment="c" * 99_999, now=NOON)
    whole = events.event(engine, key)
    assert whole is not None
    assert len(whole.event["comment"]) == COMMENT_LIMIT
    assert len(whole.event["acknowledged_by"]) == BY_LIMIT


def test_more_events_than_one_statement_takes_are_acknowledged_together(engine: Engine) -> None:
    keys = [fire(engine, a_rule(f"r{n}"), NOON) for n in range(3)]
    many = [*keys, *range(10_000, 11_700)]
    result = acknowledge(engine, many, by="ana", now=NOON)
    assert result.done == tuple(keys)
    assert len(result.missing) == 1_700


def test_an_export_says_when_it_left_something_out(engine: Engine) -> None:
    for n in range(4):
        fire(engine, a_rule(f"r{n}"), NOON)
    assert events.export(engine, EventFilter(), now=NOON)[1] is False
    rows, cut = events.export(engine, EventFilter(), now=NOON, limit=3)
    assert (len(rows), cut) == (3, True)


# -- being fast, and being away ------------------------------------------------------------


def plans(engine: Engine, read: Any) -> list[str]:
    """How SQLite means to find the rows of every statement `read` runs."""
    seen: list[tuple[str, Any]] = []

    def note(_c: Connection, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")):
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
    [listed, newest, *_] = plans(sqlite, lambda: events.page(sqlite, live, now=NOON, size=20))
    assert "SEARCH alert_event USING INDEX ix_event_unacknowledged (importance=?)" in listed
    assert "SCAN alert_event USING COVERING" in newest or "SEARCH alert_event" in newest
    [listed, *_] = plans(sqlite, lambda: events.page(sqlite, day, now=NOON, size=20))
    assert "SEARCH alert_event USING INDEX ix_event_time (timestamp>?)" in listed
    after = events.Cursor(NOON, 5)
    [listed, *_] = plans(sqlite, lambda: events.page(sqlite, day, now=NOON, size=20, after=after))
    assert "SEARCH alert_event USING INDEX ix_event_time" in listed


def test_counting_and_the_histogram_read_indexes(sqlite: Engine) -> None:
    for plan in plans(sqlite, lambda: events.overview(sqlite, now=NOON))[:4]:
        assert "ix_event_unacknowledged (importance=?" in plan
    [plan] = plans(
        sqlite,
        lambda: events.histogram(
            sqlite, EventFilter(), start=NOON, end=NOON + HOUR, step=HOUR, now=NOON
        ),
    )
    assert plan.count("(importance=? AND timestamp>? AND timestamp<?)") == 4


def test_an_event_is_read_through_indexes(sqlite: Engine) -> None:
    key = fire(sqlite, a_rule(), NOON)
    for plan in plans(sqlite, lambda: events.event(sqlite, key)):
        assert "SEARCH" in plan
        assert "SCAN" not in plan


def test_a_store_that_does_not_answer_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a database, though long enough to be read as one")
    engine = open_engine(f"sqlite:///{tmp_path}")  # a folder
    with pytest.raises(StoreUnavailableError, match="SENTINEL_DATABASE_URL"):
        events.page(engine, EventFilter(), now=NOON, size=20)
    away = open_engine("postgresql+psycopg://me:secret@127.0.0.1:1/db", connect_timeout_seconds=1)
    with pytest.raises(StoreUnavailableError) as caught:
        events.overview(away, now=NOON)
    assert "secret" not in str(caught.value)


def test_reading_takes_no_write_lock(sqlite: Engine) -> None:
    key = fire(sqlite, a_rule(), NOON)
    with writing(sqlite) as connection:
        connection.execute(insert(AUDIT), [{"at": NOON, "actor": "a", "action": "b", "detail": {}}])
        assert ids(sqlite) == [key]
        assert connection.scalar(select(EVENT.c.id)) == key
        connection.execute(text("SELECT 1"))
