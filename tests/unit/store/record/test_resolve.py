"""What people do with events by hand, on both databases: exactly what they name, each on record."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from sentinel_core.base.errors import StoreUnavailableError
from sentinel_core.model.alert import AlertOutput
from sentinel_core.store.db.engine import open_engine, reading
from sentinel_core.store.db.schema import ensure_schema
from sentinel_core.store.db.tables import AUDIT, EVENT
from sentinel_core.store.db.tables import RULE as RULES
from sentinel_core.store.outbox.claim import claim, due
from sentinel_core.store.outbox.settle import settle
from sentinel_core.store.read.event_detail import event_detail
from sentinel_core.store.record.acknowledge import acknowledge, unacknowledge
from sentinel_core.store.record.annotate import Disposition, assign, comment, disposition
from sentinel_core.store.record.change import BY_LIMIT, COMMENT_LIMIT, Changed
from sentinel_core.store.record.resolve import resolve
from tests.support.behind import behind
from tests.support.runs import NOW, a_rule, a_run, at, fired, quiet, rows, told
from tests.support.swarm import own_engine

RULE = a_rule()
HOUR = timedelta(hours=1)
Act = Callable[..., Changed]


def a_comment(engine: Engine, ids: list[Any], **given: Any) -> Changed:
    return comment(engine, ids, **{"comment": "moving logs", **given})


def an_assignment(engine: Engine, ids: list[Any], **given: Any) -> Changed:
    return assign(engine, ids, to="bo", **given)


def a_disposition(engine: Engine, ids: list[Any], **given: Any) -> Changed:
    return disposition(engine, ids, disposition="noise", **given)


EVERY: dict[str, Act] = {
    "resolve": resolve,
    "comment": a_comment,
    "assign": an_assignment,
    "disposition": a_disposition,
    "unacknowledge": unacknowledge,
}


def events(engine: Engine, *tickers: str) -> list[int]:
    """Ids of events that one run opened."""
    return told(engine, RULE, a_run(0), [fired(ticker) for ticker in tickers]).opened


def one(engine: Engine, key: int) -> dict[str, Any]:
    """An event's row."""
    [row] = rows(engine, "alert_event", id=key)
    return row


def audited(engine: Engine) -> list[tuple[str, str, int | None, dict[str, Any]]]:
    """Who did what to which event, oldest first."""
    a = AUDIT.c
    with reading(engine) as connection:
        found = connection.execute(select(a.actor, a.action, a.event_id, a.detail).order_by(a.id))
        return [(row.actor, row.action, row.event_id, row.detail) for row in found]


# -- what all of them have in common -------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_it_touches_exactly_the_events_it_was_given_and_each_is_on_record(
    engine: Engine, name: str
) -> None:
    first, second, third = events(engine, "A", "B", "C")
    acknowledge(engine, [first, second, third], by="cy", now=NOW)
    before = one(engine, second)
    done = EVERY[name](engine, [third, first, first, 999], by=" ana\n", now=NOW)
    assert (done.done, done.already, done.missing) == ((first, third), (), (999,))
    assert one(engine, second) == before
    entries = [(who, key) for who, action, key, _ in audited(engine) if action != "acknowledged"]
    assert entries == [("ana", first), ("ana", third)]


@pytest.mark.parametrize("name", sorted(EVERY.keys() - {"comment"}))
def test_doing_it_again_changes_nothing_and_says_so(engine: Engine, name: str) -> None:
    [key] = events(engine, "A")
    acknowledge(engine, [key], by="cy", now=NOW)
    EVERY[name](engine, [key], by="ana", now=NOW)
    once, entries = one(engine, key), audited(engine)
    again = EVERY[name](engine, [key], by="bo", now=NOW + HOUR)
    assert (again.done, again.already) == ((), (key,))
    assert one(engine, key) == once
    assert audited(engine) == entries


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("nobody", ["", "  ", "\n\t"])
def test_nobody_can_do_it_anonymously(engine: Engine, name: str, nobody: str) -> None:
    [key] = events(engine, "A")
    before = one(engine, key)
    with pytest.raises(ValueError, match="the name is part of the record"):
        EVERY[name](engine, [key], by=nobody, now=NOW)
    assert one(engine, key) == before


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("wrong", ["7", 1.5, True, None])
def test_what_is_no_number_is_refused_in_a_sentence(
    engine: Engine, name: str, wrong: object
) -> None:
    with pytest.raises(ValueError, match="an id is a whole number"):
        EVERY[name](engine, [wrong], by="ana", now=NOW)


@pytest.mark.parametrize("name", EVERY)
def test_an_id_that_no_database_can_hold_is_missing(engine: Engine, name: str) -> None:
    [key] = events(engine, "A")
    acknowledge(engine, [key], by="cy", now=NOW)
    done = EVERY[name](engine, [-1, 0, key, 2**63, 10**30], by="ana", now=NOW)
    assert (done.done, done.missing) == ((key,), (-1, 0, 2**63, 10**30))


@pytest.mark.parametrize("name", EVERY)
def test_nothing_named_is_nothing_done(engine: Engine, name: str) -> None:
    assert EVERY[name](engine, [], by="ana", now=NOW) == Changed()
    assert audited(engine) == []


@pytest.mark.parametrize("name", EVERY)
def test_hostile_text_is_made_harmless_and_cut(engine: Engine, name: str) -> None:
    [key] = events(engine, "A")
    acknowledge(engine, [key], by="cy", now=NOW)
    text = "\x00\u202e<!channel>' OR 1=1 --\ud800" + "x" * 99_999
    EVERY[name](engine, [key], by=text, comment=text, now=NOW)
    who, _, _, detail = audited(engine)[-1]
    assert len(who) == BY_LIMIT
    assert len(detail["comment"]) == COMMENT_LIMIT
    assert who.startswith("\ufffd\ufffd<!channel>' OR 1=1 --\ufffd")
    assert one(engine, key)["comment"] == detail["comment"]


@pytest.mark.parametrize("name", EVERY)
def test_a_store_that_is_away_is_an_error_that_says_what_to_do(name: str) -> None:
    away = open_engine("postgresql+psycopg://me:secret@127.0.0.1:1/db", connect_timeout_seconds=1)
    with pytest.raises(StoreUnavailableError, match="SENTINEL_DATABASE_URL"):
        EVERY[name](away, [1], by="ana", now=NOW)


@pytest.mark.parametrize("name", sorted(EVERY.keys() - {"comment"}))
def test_two_people_at_once_do_it_once(engine: Engine, name: str) -> None:
    keys = events(engine, *(f"T{n}" for n in range(20)))
    acknowledge(engine, keys, by="cy", now=NOW)
    with ThreadPoolExecutor(4) as pool:
        results = list(
            pool.map(lambda who: EVERY[name](engine, keys, by=who, now=NOW), ["a", "b", "c", "d"])
        )
    assert sorted(key for result in results for key in result.done) == keys
    assert all(len(result.done) + len(result.already) == len(keys) for result in results)


def test_an_event_that_another_transaction_is_resolving_is_resolved_once(postgres_url: str) -> None:
    with own_engine(postgres_url) as engine:
        ensure_schema(engine)
        [key] = events(engine, "A")
        ended = update(EVENT).where(EVENT.c.id == key).values(resolved_at=NOW, resolution="by-hand")
        done = behind(engine, ended, lambda: resolve(engine, [key], by="bo", now=NOW + HOUR))
        assert (done.done, done.already) == ((), (key,))
        assert one(engine, key)["resolved_at"] == NOW
        assert audited(engine) == []


@pytest.mark.parametrize("name", EVERY)
def test_a_change_waits_for_a_run_of_the_rule_that_is_being_recorded(
    postgres_url: str, name: str
) -> None:
    with own_engine(postgres_url) as engine:
        ensure_schema(engine)
        [key] = events(engine, "A")
        acknowledge(engine, [key], by="cy", now=NOW)
        recording = select(RULES.c.id).with_for_update()
        done = behind(engine, recording, lambda: EVERY[name](engine, [key], by="bo", now=NOW))
        assert done.done == (key,)


def test_more_events_than_one_statement_takes_are_one_transaction(engine: Engine) -> None:
    keys = events(engine, *(f"T{n}" for n in range(1_200)))
    assert len(resolve(engine, keys, by="ana", now=NOW).done) == 1_200
    assert rows(engine, "alert_event", resolved_at=None) == []
    assert len(audited(engine)) == 1_200


# -- comment, assign, disposition ----------------------------------------------------------


def test_an_event_shows_its_latest_comment_and_the_audit_has_all_of_them(engine: Engine) -> None:
    [key] = events(engine, "A")
    comment(engine, [key], by="ana", comment="first", now=NOW)
    comment(engine, [key], by="bo", comment="second", now=NOW + HOUR)
    acknowledge(engine, [key], by="cy", now=NOW + 2 * HOUR)
    whole = event_detail(engine, key)
    assert whole is not None
    assert whole.event["comment"] == "second", "an acknowledgement without words erases none"
    said = [(row["actor"], row["action"], row["detail"]) for row in whole.audit]
    assert said == [
        ("ana", "commented", {"comment": "first"}),
        ("bo", "commented", {"comment": "second"}),
        ("cy", "acknowledged", {}),
    ]


@pytest.mark.parametrize("nothing", ["", " \n"])
def test_a_comment_without_words_is_refused(engine: Engine, nothing: str) -> None:
    [key] = events(engine, "A")
    with pytest.raises(ValueError, match="comment is empty"):
        comment(engine, [key], by="ana", comment=nothing, now=NOW)


def test_an_event_is_assigned_and_given_back(engine: Engine) -> None:
    [key] = events(engine, "A")
    assign(engine, [key], by="ana", to="bo", now=NOW)
    assert one(engine, key)["assigned_to"] == "bo"
    assign(engine, [key], by="bo", to=" ", comment="on holiday", now=NOW)
    assert one(engine, key)["assigned_to"] is None
    assert audited(engine) == [
        ("ana", "assigned", key, {"to": "bo"}),
        ("bo", "unassigned", key, {"comment": "on holiday"}),
    ]


@pytest.mark.parametrize("what", list(Disposition))
def test_a_disposition_is_given_and_taken_back(engine: Engine, what: Disposition) -> None:
    [key] = events(engine, "A")
    disposition(engine, [key], by="ana", disposition=what, now=NOW)
    assert one(engine, key)["disposition"] == what.value
    disposition(engine, [key], by="ana", disposition=None, now=NOW)
    assert one(engine, key)["disposition"] is None
    assert [detail for *_, detail in audited(engine)] == [
        {"disposition": what.value},
        {"disposition": None},
    ]


@pytest.mark.parametrize("wrong", ["", "Noise", "useless", "noise'--"])
def test_another_word_for_a_disposition_is_refused(engine: Engine, wrong: str) -> None:
    with pytest.raises(ValueError, match="actionable, noise, duplicate, not"):
        disposition(engine, [1], by="ana", disposition=wrong, now=NOW)


# -- acknowledging for a time --------------------------------------------------------------


def test_an_acknowledgement_may_hold_until_a_time(engine: Engine) -> None:
    [key] = events(engine, "A")
    acknowledge(engine, [key], by="ana", until=NOW + HOUR, now=NOW)
    assert one(engine, key)["acknowledged_until"] == NOW + HOUR
    assert audited(engine)[0][3] == {"until": (NOW + HOUR).isoformat()}
    early = acknowledge(engine, [key], by="bo", now=NOW + HOUR / 2)
    assert [row.by for row in early.handled] == ["ana"]
    renewed = acknowledge(engine, [key], by="bo", now=NOW + HOUR)
    assert renewed.done == (key,)
    event_row = one(engine, key)
    assert (event_row["acknowledged_by"], event_row["acknowledged_until"]) == ("bo", None)


@pytest.mark.parametrize(
    ("until", "why"),
    [
        (NOW, "over already"),
        (NOW - HOUR, "over already"),
        (datetime(2030, 1, 1), "time zone"),  # noqa: DTZ001 (naive on purpose)
    ],
)
def test_an_acknowledgement_until_no_such_time_is_refused(
    engine: Engine, until: datetime, why: str
) -> None:
    [key] = events(engine, "A")
    with pytest.raises(ValueError, match=why):
        acknowledge(engine, [key], by="ana", until=until, now=NOW)
    assert not one(engine, key)["is_acknowledged"]


def test_what_is_unacknowledged_asks_for_attention_again(engine: Engine) -> None:
    [key] = events(engine, "A")
    acknowledge(engine, [key], by="ana", until=NOW + HOUR, now=NOW)
    unacknowledge(engine, [key], by="ana", comment="not mine", now=NOW)
    row = one(engine, key)
    names = ("is_acknowledged", "acknowledged_by", "acknowledged_at", "acknowledged_until")
    assert [row[name] for name in names] == [False, None, None, None]
    assert audited(engine)[1] == ("ana", "unacknowledged", key, {"comment": "not mine"})
    acknowledge(engine, [key], by="ana", now=NOW)
    unacknowledge(engine, [key], by="bo", now=NOW)
    assert audited(engine)[2:] == [
        ("ana", "acknowledged", key, {}),
        ("bo", "unacknowledged", key, {}),
    ]


# -- resolve -------------------------------------------------------------------------------


def test_an_event_resolved_by_hand_says_who_and_its_series_begins_anew(engine: Engine) -> None:
    [key] = events(engine, "A")
    resolve(engine, [key], by="ana", comment="was a test", now=NOW)
    row = one(engine, key)
    assert (row["resolved_at"], row["resolution"], row["comment"]) == (
        NOW,
        "by-hand",
        "was a test",
    )
    assert (row["is_acknowledged"], row["acknowledged_by"]) == (True, "ana")
    [series] = rows(engine, "alert_series")
    assert (series["status"], series["event_id"], series["breaches"]) == ("ok", None, 0)
    assert series["ended_at"] == NOW
    [again] = told(engine, RULE, a_run(5), [fired("A")]).opened
    assert again != key
    assert one(engine, key) == row


def test_resolving_keeps_the_name_of_who_acknowledged(engine: Engine) -> None:
    [key] = events(engine, "A")
    acknowledge(engine, [key], by="bo", now=NOW)
    resolve(engine, [key], by="ana", now=NOW + HOUR)
    assert one(engine, key)["acknowledged_by"] == "bo"
    assert audited(engine)[-1] == ("ana", "resolved", key, {})


def test_the_cooldown_counts_from_an_end_by_hand(engine: Engine) -> None:
    rule = a_rule(policy={"cooldown_seconds": 3600})
    [key] = told(engine, rule, a_run(0), [fired()]).opened
    resolve(engine, [key], by="ana", now=at(10))
    assert told(engine, rule, a_run(15), [fired()]).opened == []
    assert rows(engine, "evaluation")[-1]["decision_code"] == "cooldown"
    assert len(told(engine, rule, a_run(71), [fired()]).opened) == 1


def test_messages_still_owed_about_a_resolved_event_are_not_sent(engine: Engine) -> None:
    first, second = events(engine, "A", "B")
    [sent] = [n["id"] for n in rows(engine, "notification", event_id=second)]
    claim(engine, sent, NOW)
    settle(engine, sent, status="sent", error=None, now=NOW)
    resolve(engine, [first, second], by="ana", now=NOW)
    found = [(n["event_id"], n["status"], n["last_error"]) for n in rows(engine, "notification")]
    assert found == [(first, "suppressed", "resolved by ana"), (second, "sent", None)]
    assert due(engine, NOW + HOUR) == []


@pytest.mark.parametrize(
    ("outcome", "stands"), [("sent", "sent"), ("pending", "suppressed"), ("failed", "suppressed")]
)
def test_a_message_on_its_way_when_its_event_is_resolved_is_not_tried_again(
    engine: Engine, outcome: str, stands: str
) -> None:
    [key] = events(engine, "A")
    [message] = [n["id"] for n in rows(engine, "notification")]
    claim(engine, message, NOW)
    resolve(engine, [key], by="ana", now=NOW)
    settle(engine, message, status=outcome, error=None, now=NOW, next_attempt_at=NOW)
    assert rows(engine, "notification")[0]["status"] == stands
    assert due(engine, NOW + HOUR) == []


def test_a_rule_that_still_fails_opens_a_new_failure_after_one_was_resolved(
    engine: Engine,
) -> None:
    [key] = told(engine, RULE, a_run(0, "FAILED")).opened
    resolve(engine, [key], by="ana", now=NOW)
    assert len(told(engine, RULE, a_run(5, "FAILED")).opened) == 1


def test_an_end_by_hand_is_never_before_the_last_that_was_seen(engine: Engine) -> None:
    [key] = told(engine, RULE, a_run(10), [fired()]).opened
    resolve(engine, [key], by="ana", now=at(5))
    assert one(engine, key)["resolved_at"] == at(10)


# -- a ticker that is gone -----------------------------------------------------------------

LISTED = a_rule("listed", policy={"on_missing": "event"})


def open_of(engine: Engine) -> dict[str, int]:
    """Unresolved events: kind and ticker, and the id."""
    found = rows(engine, "alert_event", resolved_at=None)
    return {f"{row['kind']} {row['ticker']}": row["id"] for row in found}


def test_a_ticker_that_is_gone_for_good_is_not_missed_again_once_its_event_is_resolved(
    engine: Engine,
) -> None:
    told(engine, LISTED, a_run(0), [quiet("A"), quiet("B")])
    told(engine, LISTED, a_run(5), [quiet("A")])
    resolve(engine, [open_of(engine)["no_data B"]], by="ana", now=at(6))
    told(engine, LISTED, a_run(10), [quiet("A")])
    assert open_of(engine) == {}
    told(engine, LISTED, a_run(15), [quiet("A"), fired("B")])
    assert list(open_of(engine)) == ["alert B"]
    told(engine, LISTED, a_run(20), [quiet("A")])
    assert sorted(open_of(engine)) == ["alert B", "no_data B"], "known again, so missed again"


@pytest.mark.parametrize("order", [("no_data B", "alert B"), ("alert B", "no_data B")])
def test_a_ticker_that_fired_when_it_went_is_forgotten_when_both_events_are_resolved(
    engine: Engine, order: tuple[str, str]
) -> None:
    told(engine, LISTED, a_run(0), [quiet("A"), fired("B")])
    told(engine, LISTED, a_run(5), [quiet("A")])
    keys = open_of(engine)
    for name in order:
        resolve(engine, [keys[name]], by="ana", now=at(6))
    told(engine, LISTED, a_run(10), [quiet("A")])
    assert open_of(engine) == {}


def test_resolving_only_the_alert_of_a_missing_ticker_leaves_it_missing(engine: Engine) -> None:
    told(engine, LISTED, a_run(0), [quiet("A"), fired("B")])
    told(engine, LISTED, a_run(5), [quiet("A")])
    resolve(engine, [open_of(engine)["alert B"]], by="ana", now=at(6))
    told(engine, LISTED, a_run(10), [quiet("A")])
    assert list(open_of(engine)) == ["no_data B"]


def test_a_ticker_that_is_reported_without_a_value_is_not_forgotten(engine: Engine) -> None:
    nothing = AlertOutput(triggered=False, ticker="B", problem="no_data", timestamp=at(0))
    told(engine, LISTED, a_run(0), [quiet("A"), quiet("B")])
    told(engine, LISTED, a_run(5), [quiet("A"), nothing])
    resolve(engine, [open_of(engine)["no_data B"]], by="ana", now=at(6))
    assert [row["ticker"] for row in rows(engine, "alert_series", kind="alert")] == ["A", "B"]
    told(engine, LISTED, a_run(10), [quiet("A"), nothing])
    assert list(open_of(engine)) == ["no_data B"]
