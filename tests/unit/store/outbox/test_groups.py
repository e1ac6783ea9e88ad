"""What leaves together, in which order, and what waits for what."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.schema import ensure_schema
from sentinel_core.store.db.tables import NOTIFICATION
from sentinel_core.store.outbox.claim import LEASE, claim, due
from sentinel_core.store.outbox.settle import postpone_channel, retry_failed, settle
from sentinel_core.store.record.acknowledge import acknowledge
from tests.support.posted import deliver_at, posted
from tests.support.runs import NOW, a_rule, a_run, fired, quiet, rows, told
from tests.support.swarm import at_once, claim_all, own_engine

HOOK, CHAT, PAGE = "slack-incoming-webhook/ops", "slack-credentials/bot", "pager-duty-webhook/duty"
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def a_route(channel: str = HOOK, **how: Any) -> dict[str, Any]:
    return {"channel": channel, **how}


def tell(
    engine: Engine,
    outputs: Sequence[Any],
    *routes: Any,
    after: timedelta = timedelta(0),
    name: str = "surge",
    **settings: Any,
) -> list[int]:
    """A run of a rule with these routes, recorded that long after NOW."""
    notify = {importance: list(routes) for importance in ("high", "critical")}
    rule = a_rule(name, notify=notify, **settings)
    run = a_run(after.total_seconds() / 60)
    return told(engine, rule, run, outputs, now=NOW + after).notifications


def sizes(engine: Engine, after: timedelta = timedelta(0)) -> list[int]:
    """How many events each message has that is handed over now."""
    return sorted(len(message.events) for message in deliver_at(engine, NOW + after))


A, B, C = fired("A"), fired("B"), fired("C")

GROUPS: dict[str, tuple[dict[str, Any], list[tuple[str, Any]], list[int]]] = {
    "events of one rule are one message": ({}, [("surge", A), ("surge", B)], [2]),
    "those of another rule are another one": ({}, [("surge", A), ("fall", B)], [1, 1]),
    "by category, rules leave together": (
        {"group_by": ["category"]},
        [("surge", A), ("fall", B)],
        [2],
    ),
    "by ticker, those of one ticker do": (
        {"group_by": ["ticker"]},
        [("surge", A), ("surge", B), ("fall", A)],
        [1, 2],
    ),
    "by importance": (
        {"group_by": ["importance"]},
        [("surge", A), ("fall", B), ("drop", fired("A", importance="critical"))],
        [1, 2],
    ),
    "by channel, all that goes there": (
        {"group_by": ["channel"]},
        [("surge", A), ("fall", B), ("drop", fired("A", importance="critical"))],
        [3],
    ),
    "by nothing, each is told of alone": ({"group_by": []}, [("surge", A), ("surge", B)], [1, 1]),
    "each incident is told of alone": ({"channel": PAGE}, [("surge", A), ("surge", B)], [1, 1]),
}


@pytest.mark.parametrize("name", GROUPS)
def test_what_is_alike_leaves_together(engine: Engine, name: str) -> None:
    how, told_of, expected = GROUPS[name]
    outputs: dict[str, list[Any]] = {}
    for rule, output in told_of:
        outputs.setdefault(rule, []).append(output)
    for rule, found in outputs.items():
        tell(engine, found, a_route(**{"channel": HOOK, **how}), name=rule)
    assert sizes(engine) == expected


@pytest.mark.slow("postgres")
def test_a_message_carries_at_most_so_many_events_and_the_next_one_the_rest(
    engine: Engine,
) -> None:
    tell(engine, [fired(f"T{n}") for n in range(520)], a_route(storm=None))
    assert sizes(engine) == [20, 500]


def test_a_group_waits_for_company_and_leaves_when_the_first_has_waited(engine: Engine) -> None:
    route = a_route(group_wait_seconds=30)
    assert tell(engine, [A], route) == [], "nothing is to be sent at once"
    tell(engine, [B], route, after=20 * SECOND)
    assert sizes(engine, 29 * SECOND) == []
    assert sizes(engine, 30 * SECOND) == [2]
    assert sizes(engine, 10 * MINUTE) == []


def test_the_next_message_of_a_group_waits_for_the_interval_and_gathers(engine: Engine) -> None:
    route = a_route(group_interval_seconds=300)
    tell(engine, [A], route)
    assert sizes(engine) == [1]
    tell(engine, [B], route, after=60 * SECOND)
    assert sizes(engine, 60 * SECOND) == []
    [_, waiting] = rows(engine, "notification")
    assert waiting["next_attempt_at"] == NOW + 300 * SECOND
    assert waiting["last_error"].startswith("waits for its group")
    tell(engine, [C], route, after=120 * SECOND)
    assert sizes(engine, 299 * SECOND) == []
    assert sizes(engine, 300 * SECOND) == [2]


def test_another_group_does_not_wait_for_the_interval(engine: Engine) -> None:
    route = a_route(group_interval_seconds=300)
    tell(engine, [A], route)
    tell(engine, [B], route, name="fall", after=SECOND)
    assert sizes(engine, SECOND) == [1, 1]


def test_an_end_never_overtakes_its_beginning_that_is_being_retried(engine: Engine) -> None:
    settings = {"policy": {"notify_resolved": True}}
    tell(engine, [A], HOOK, **settings)
    assert len(deliver_at(engine, NOW, status="pending", error="500", again=10 * MINUTE)) == 1
    tell(engine, [quiet("A")], HOOK, after=MINUTE, **settings)
    assert deliver_at(engine, NOW + 9 * MINUTE) == []
    reasons = [message.reason for message in deliver_at(engine, NOW + 10 * MINUTE)]
    reasons += [message.reason for message in deliver_at(engine, NOW + 10 * MINUTE)]
    assert reasons == ["opened", "resolved"]


def test_a_channel_that_is_down_holds_up_no_other(engine: Engine) -> None:
    tell(engine, [A], HOOK, PAGE)
    ready = due(engine, NOW, without={HOOK})
    assert len(ready) == 1
    held = [key for key in due(engine, NOW) if key not in ready]
    assert claim(engine, held[0], NOW, without={HOOK}) is None
    owed = claim(engine, ready[0], NOW, without={HOOK})
    assert owed is not None
    assert owed.channel == PAGE


def test_a_channel_that_asks_for_patience_gets_nothing_before(engine: Engine) -> None:
    route = a_route(group_by=[])
    first, *_ = tell(engine, [A, B], route, PAGE)
    owed = claim(engine, first, NOW)
    assert owed is not None
    postpone_channel(engine, HOOK, NOW + 5 * MINUTE)
    [claimed] = [row for row in rows(engine, "notification") if row["id"] == first]
    assert claimed["next_attempt_at"] == NOW + LEASE, "what is being sent is left alone"
    assert {message.channel for message in deliver_at(engine, NOW + MINUTE)} == {"duty"}
    settle(engine, first, status="sent", error=None, now=NOW)
    assert [message.channel for message in deliver_at(engine, NOW + 5 * MINUTE)] == ["ops"]


def test_what_a_channel_failed_to_take_is_tried_once_more_when_somebody_says_so(
    engine: Engine,
) -> None:
    tell(engine, [A], HOOK, PAGE)
    deliver_at(engine, NOW, status="failed", error="no such block")
    tell(engine, [B], HOOK, after=MINUTE)
    deliver_at(engine, NOW + MINUTE, status="failed", error="no such block")
    later = NOW + 10 * MINUTE
    assert retry_failed(engine, HOOK, NOW + SECOND, later) == 1
    assert retry_failed(engine, HOOK, NOW, later) == 1
    assert retry_failed(engine, HOOK, NOW, later) == 0, "only what failed"
    assert [(m.channel, len(m.events)) for m in deliver_at(engine, later)] == [("ops", 2)]


def test_a_claim_that_is_never_settled_counts_as_an_attempt_nobody_knows_of(
    engine: Engine,
) -> None:
    [key] = tell(engine, [A], HOOK)
    for attempt in range(3):
        owed = claim(engine, key, NOW + attempt * LEASE)
        assert owed is not None
        assert (owed.attempt, owed.unknown) == (attempt + 1, attempt)
    [row] = rows(engine, "notification")
    assert (row["attempts"], row["unknown"]) == (3, 2)


def test_an_outcome_that_comes_after_the_lease_does_not_undo_another_ones_claim(
    engine: Engine,
) -> None:
    [key] = tell(engine, [A], HOOK)
    slow = claim(engine, key, NOW)
    later = NOW + LEASE
    other = claim(engine, key, later)
    assert slow is not None and other is not None
    settle(
        engine,
        key,
        status="pending",
        error="500",
        now=later,
        next_attempt_at=later,
        claimed_at=slow.claimed_at,
    )
    assert claim(engine, key, later + SECOND) is None, "the other one is sending it"
    settle(engine, key, status="sent", error=None, now=later, claimed_at=slow.claimed_at)
    [row] = rows(engine, "notification")
    assert row["status"] == "sent", "that it arrived is news whoever says so"


def test_what_follows_up_goes_into_the_thread_where_it_was_told(engine: Engine) -> None:
    to = a_route(CHAT, to="#alerts", group_by=["rule"])
    for n, (output, reference) in enumerate([(A, "1.1"), (B, "2.2")]):
        [key] = tell(engine, [output], to, after=n * MINUTE)
        owed = claim(engine, key, NOW + n * MINUTE)
        assert owed is not None and owed.thread is None
        settle(engine, key, status="sent", error=None, now=NOW + n * MINUTE, reference=reference)
    ids = [row["id"] for row in rows(engine, "alert_event")]
    acknowledge(engine, ids, by="ana", now=NOW + 2 * MINUTE)
    claimed = [claim(engine, key, NOW + 2 * MINUTE) for key in due(engine, NOW + 2 * MINUTE)]
    found = [(owed.thread, posted(owed).events) for owed in claimed if owed is not None]
    assert found == [("1.1", (ids[0],)), ("2.2", (ids[1],))]


def test_a_route_that_cannot_be_read_any_more_holds_up_nobody(engine: Engine) -> None:
    tell(engine, [A], HOOK)
    with writing(engine) as connection:
        broken = {"group_wait_seconds": "soon", "resolved": 7, "of_the_future": True}
        connection.execute(update(NOTIFICATION).values(route=broken))
    tell(engine, [B], PAGE)
    assert {message.channel for message in deliver_at(engine, NOW)} == {"ops", "duty"}


def test_a_message_whose_event_is_gone_is_dropped_and_says_so(engine: Engine) -> None:
    [key] = tell(engine, [A], HOOK)
    with writing(engine) as connection:
        connection.execute(update(NOTIFICATION).values(event_id=4_711))
    assert claim(engine, key, NOW) is None
    [row] = rows(engine, "notification")
    assert (row["status"], row["last_error"]) == (
        "suppressed",
        "its event is no longer on record",
    )


@pytest.mark.parametrize("group_by", [[], ["rule"], ["ticker"]], ids=str)
@pytest.mark.slow("[]", "['rule']")
def test_eight_deliverers_at_once_never_have_the_same_message(
    engine: Engine, database_url: str, group_by: list[str]
) -> None:
    outputs = [fired(f"T{n % 12}", importance=None) for n in range(12)]
    route = a_route(group_by=group_by, storm=None)
    keys = [key for name in "abcd" for key in tell(engine, outputs, route, name=name)]
    assert len(keys) == 48
    claimed = at_once(claim_all, [(database_url, keys[n:] + keys[:n], NOW) for n in range(8)])
    assert Counter(key for share in claimed for key in share) == Counter(keys)
    assert {row["attempts"] for row in rows(engine, "notification")} == {1}


def test_a_message_leaves_without_what_another_transaction_holds_and_waits_for_nothing(
    postgres_url: str,
) -> None:
    with own_engine(postgres_url) as engine:
        ensure_schema(engine)
        first, held, third = tell(engine, [A, B, C], a_route())
        later = NOW + MINUTE
        with engine.begin() as other:
            other.execute(
                select(NOTIFICATION.c.id).where(NOTIFICATION.c.id == held).with_for_update()
            )
            message = claim(engine, first, later)
            assert message is not None
            assert message.ids == (first, third)
            assert claim(engine, held, later) is None
        message = claim(engine, held, later)
        assert message is not None
        assert message.ids == (held,)


def test_what_is_tried_again_does_not_wait_for_the_interval_of_its_group(engine: Engine) -> None:
    route = a_route(group_interval_seconds=300)
    tell(engine, [A], route)
    assert len(deliver_at(engine, NOW, status="pending", error="500", again=MINUTE)) == 1
    tell(engine, [B], route, after=10 * SECOND)
    assert sizes(engine, 10 * SECOND) == [1]
    assert sizes(engine, 60 * SECOND) == [1]
