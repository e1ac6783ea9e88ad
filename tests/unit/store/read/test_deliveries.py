"""What is said of messages: lost ones, storms, and those nobody sends, on both databases."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy import event as sqlalchemy_event

from sentinel_core.model.alert import AlertOutput
from sentinel_core.store.db.engine import writing
from sentinel_core.store.outbox.settle import retry_failed
from sentinel_core.store.outbox.storm_upkeep import end_storms
from sentinel_core.store.read import event_list
from sentinel_core.store.read.deliveries import Deliveries, deliveries
from sentinel_core.store.read.event_detail import EventDetail, event_detail
from sentinel_core.store.read.filters import EventFilter
from tests.support.delivered import EVERYONE, GONE, OPS, attempt, refuse, telling
from tests.support.recorded import NOON, a_run, fire, observe

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SOON = timedelta(seconds=2)  # when what a run found is on record
STORMY = {"high": [{"channel": OPS, "storm": {"events": 3, "window_seconds": 60}}]}


def undelivered(engine: Engine) -> dict[int, bool]:
    rows = event_list.page(engine, EventFilter(), now=NOON, size=100).rows
    return {row["id"]: row["undelivered"] for row in rows}


def whole(engine: Engine, key: int) -> EventDetail:
    found = event_detail(engine, key)
    assert found is not None
    return found


def storm(engine: Engine, count: int = 5, at: Any = NOON, **status: Any) -> list[int]:
    """Events that one storm tells of, and what became of the storm's message."""
    outputs = [
        AlertOutput(triggered=True, ticker=f"T{n}", message="moved", timestamp=at)
        for n in range(count)
    ]
    keys = observe(engine, telling(notify=STORMY), a_run(at, name="Triggered"), outputs).opened
    for _ in range(2):  # the first finds that this is a storm, whose message is due by then
        attempt(engine, at + SOON, **status)
    return sorted(keys)


def test_an_event_whose_message_failed_for_good_is_marked(engine: Engine) -> None:
    lost = fire(engine, telling("lost"), NOON)
    refuse(engine, NOON + SOON)
    heard = fire(engine, telling("heard"), NOON)
    attempt(engine, NOON + SOON)
    owed = fire(engine, telling("owed"), NOON)
    assert undelivered(engine) == {lost: True, heard: False, owed: False}
    assert whole(engine, lost).event["undelivered"] is True
    assert whole(engine, heard).event["undelivered"] is False


def test_one_channel_that_failed_is_enough_to_be_marked(engine: Engine) -> None:
    key = fire(engine, telling(notify={"high": [OPS, EVERYONE]}), NOON)
    attempt(engine, NOON + SOON, channel=OPS)
    refuse(engine, NOON + SOON, channel=EVERYONE)
    assert undelivered(engine) == {key: True}


def test_a_later_message_in_the_same_channel_and_a_retry_take_the_mark_away(
    engine: Engine,
) -> None:
    rule = telling(policy={"repeat_seconds": 300})
    key = fire(engine, rule, NOON)
    refuse(engine, NOON + SOON)
    observe(
        engine,
        rule,
        a_run(NOON + 10 * MINUTE, name="Triggered"),
        [AlertOutput(triggered=True, message="still", timestamp=NOON + 10 * MINUTE)],
    )
    assert undelivered(engine) == {key: True}
    attempt(engine, NOON + 11 * MINUTE)
    assert undelivered(engine) == {key: False}
    other = fire(engine, telling("other"), NOON + 20 * MINUTE)
    refuse(engine, NOON + 21 * MINUTE)
    assert undelivered(engine)[other]
    retry_failed(engine, OPS, NOON + 20 * MINUTE, NOON + 22 * MINUTE)
    assert not undelivered(engine)[other]


def test_failed_messages_of_the_last_day_are_counted_by_channel(engine: Engine) -> None:
    for n in range(3):
        fire(engine, telling(f"ops-{n}"), NOON + n * MINUTE)
    refuse(engine, NOON + 3 * MINUTE)
    fire(engine, telling("everyone", notify={"high": [EVERYONE]}), NOON + HOUR)
    refuse(engine, NOON + HOUR + SOON, channel=EVERYONE, error="410 Gone")
    found = deliveries(engine, now=NOON + 2 * HOUR).failing
    assert [(one.channel, one.failed, one.error, one.recovered) for one in found] == [
        (EVERYONE, 1, "410 Gone", False),
        (OPS, 3, GONE, False),
    ]
    assert found[1].latest == NOON + 3 * MINUTE
    [left] = deliveries(engine, now=NOON + DAY + 4 * MINUTE).failing
    assert left.channel == EVERYONE
    assert deliveries(engine, now=NOON + 2 * DAY) == Deliveries((), (), 0)


def test_a_channel_that_has_taken_something_since_is_said_to_work(engine: Engine) -> None:
    fire(engine, telling("one"), NOON)
    refuse(engine, NOON + SOON)
    fire(engine, telling("two"), NOON + MINUTE)
    attempt(engine, NOON + 2 * MINUTE)
    [one] = deliveries(engine, now=NOON + HOUR).failing
    assert (one.channel, one.failed, one.recovered) == (OPS, 1, True)


def test_messages_that_nobody_sends_are_counted_after_minutes_and_those_on_their_way_are_not(
    engine: Engine,
) -> None:
    fire(engine, telling("waits", policy={"notify_resolved": True}), NOON)
    escalates = telling("escalates", escalation=[{"after_seconds": 3600, "channels": [OPS]}])
    fire(engine, escalates, NOON)

    def late(after: timedelta) -> int:
        return deliveries(engine, now=NOON + SOON + after).late

    assert late(4 * MINUTE) == 0
    assert late(5 * MINUTE) == 2
    attempt(engine, NOON + SOON, status="pending", error="500", again=10 * MINUTE)
    assert late(6 * MINUTE) == 0
    assert late(15 * MINUTE) == 2


def test_an_open_storm_counts_its_events_and_lists_them(engine: Engine) -> None:
    keys = storm(engine)
    other = fire(engine, telling("other", notify={"high": [EVERYONE]}), NOON)
    [found] = deliveries(engine, now=NOON + MINUTE).storms
    assert (found.channel, found.recipient, found.events) == (OPS, "", 5)
    assert (found.started_at, found.message_status, found.waiting) == (NOON + SOON, "sent", 0)
    wanted = EventFilter(storm=found.id)
    listed = [row["id"] for row in event_list.page(engine, wanted, now=NOON, size=100).rows]
    assert sorted(listed) == keys
    assert other not in listed
    assert event_list.count(engine, wanted, now=NOON) == 5
    assert event_list.count(engine, EventFilter(storm=found.id + 1), now=NOON) == 0
    assert end_storms(engine, NOON + 10 * MINUTE) == [found.id]
    assert deliveries(engine, now=NOON + 10 * MINUTE).storms == ()
    assert event_list.count(engine, wanted, now=NOON) == 5


def test_the_events_of_a_storm_whose_message_failed_are_not_delivered(engine: Engine) -> None:
    keys = storm(engine, status="failed", error=GONE)
    assert undelivered(engine) == dict.fromkeys(keys, True)
    [found] = deliveries(engine, now=NOON + MINUTE).storms
    assert found.message_status == "failed"
    assert [row["storm_message"] for row in whole(engine, keys[0]).notifications] == ["failed"]


def test_a_message_says_how_many_events_were_told_with_it(engine: Engine) -> None:
    outputs = [
        AlertOutput(triggered=True, ticker=ticker, message="wide", timestamp=NOON)
        for ticker in ("AAPL", "IBM", "MSFT")
    ]
    grouped = observe(engine, telling(), a_run(NOON, name="Triggered"), outputs).opened
    alone = fire(engine, telling("alone"), NOON)
    attempt(engine, NOON + SOON)
    assert {whole(engine, key).notifications[0]["together"] for key in grouped} == {2}
    assert [row["together"] for row in whole(engine, alone).notifications] == [0]


@pytest.fixture
def many(engine: Engine) -> Engine:
    """As many messages as a year may leave behind, one in fifty of them failed long ago."""
    key = storm(engine)[0]
    with writing(engine) as connection:
        columns = "event_id, about, channel, recipient, reason, sequence, route, group_key, content"
        columns += ", status, attempts, unknown, created_at, next_attempt_at, settled_at, sent_at"
        if engine.dialect.name == "sqlite":
            numbers = (
                "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 60000)"
            )
            past = "strftime('%Y-%m-%d %H:%M:%S.000000', '2026-10-01', '+' || n || ' minutes')"
        else:
            numbers = "WITH g AS (SELECT generate_series(1, 60000) AS n)"
            past = "'2026-10-01'::timestamptz + n * interval '1 minute'"
        state = "CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'sent' END"
        values = f"n + 100000, '', '{OPS}', '', 'opened', 0, '{{}}', '', '{{}}', {state}, 1, 0"
        connection.execute(
            text(
                f"INSERT INTO notification ({columns}) {numbers} "
                f"SELECT {values}, {past}, {past}, {past}, {past} FROM g"
            )
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    assert whole(engine, key)
    return engine


def test_no_page_reads_all_messages(many: Engine) -> None:
    seen: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "notification" in statement and statement.lstrip().startswith("SELECT"):
            seen.append((statement, parameters))

    [found] = deliveries(many, now=NOON + MINUTE).storms
    sqlalchemy_event.listen(many, "before_cursor_execute", note)
    event_list.page(many, EventFilter(), now=NOON, size=100)
    event_list.page(many, EventFilter(storm=found.id), now=NOON, size=100)
    deliveries(many, now=NOON + MINUTE)
    [row] = event_list.page(many, EventFilter(), now=NOON, size=1).rows
    event_detail(many, row["id"])
    sqlalchemy_event.remove(many, "before_cursor_execute", note)
    assert len(seen) > 5
    explain = "EXPLAIN QUERY PLAN " if many.dialect.name == "sqlite" else "EXPLAIN "
    for statement, parameters in seen:
        with many.connect() as connection:
            plan = connection.exec_driver_sql(explain + statement, parameters).all()
        lines = "\n".join(str(line[-1]) for line in plan)
        walks = (
            "SCAN notification",
            "SCAN later",
            "SCAN other",
            "SCAN storm_message",
            "SCAN about_storm",
            "SCAN first_message",
            "Seq Scan on notification",
            "ix_notification_due (status=?)",  # all that ever failed, or was ever sent
        )
        assert not any(walk in lines for walk in walks), f"{statement}\n{lines}"
