"""Acknowledging, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select

from sentinel_core.model.alert import AlertOutput
from sentinel_core.store.db.bulk import CHUNK, MANY
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import AUDIT, EVENT
from sentinel_core.store.read.event_detail import event_detail
from sentinel_core.store.read.filters import Status
from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.record.change import BY_LIMIT, COMMENT_LIMIT
from tests.support.recorded import NOON, a_rule, a_run, event_ids, fire, observe

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def audited(engine: Engine) -> list[tuple[str, int]]:
    with reading(engine) as connection:
        rows = connection.execute(select(AUDIT.c.actor, AUDIT.c.event_id).order_by(AUDIT.c.id))
        return [(actor, key) for actor, key in rows]


def test_an_acknowledgement_names_exactly_the_events_it_was_given(engine: Engine) -> None:
    first, second, third = (fire(engine, a_rule(f"r{n}"), NOON) for n in range(3))
    done = acknowledge(engine, [third, first, first], by=" ana\n", comment=" ok \x00", now=NOON)
    assert done.done == (first, third)
    assert event_ids(engine, status={Status.OPEN}) == [second]
    whole = event_detail(engine, first)
    assert whole is not None
    assert (whole.event["acknowledged_by"], whole.event["comment"]) == ("ana", "ok \ufffd")
    assert whole.event["acknowledged_at"] == NOON
    assert audited(engine) == [("ana", first), ("ana", third)]


def test_many_at_once_have_an_audit_entry_each_in_their_order(engine: Engine) -> None:
    rule, run = a_rule("many"), a_run(NOON)
    outputs = [
        AlertOutput(triggered=True, ticker=f"T{n:03}", message="up", timestamp=NOON)
        for n in range(CHUNK + MANY)
    ]
    observe(engine, rule, run, outputs)
    with reading(engine) as connection:
        keys = list(connection.scalars(select(EVENT.c.id).order_by(EVENT.c.id)))
    assert len(keys) == len(outputs)
    done = acknowledge(engine, keys[::-1], by="ana", comment="seen", now=NOON)
    assert list(done.done) == keys
    assert audited(engine) == [("ana", key) for key in keys]
    with reading(engine) as connection:
        entries = connection.execute(select(AUDIT.c.action, AUDIT.c.at, AUDIT.c.detail))
        assert all(entry == ("acknowledged", NOON, {"comment": "seen"}) for entry in entries)


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
    assert event_ids(engine, status={Status.OPEN}) == [key]


def test_a_comment_without_end_is_cut(engine: Engine) -> None:
    key = fire(engine, a_rule(), NOON)
    acknowledge(engine, [key], by="a" * 999, comment="c" * 99_999, now=NOON)
    whole = event_detail(engine, key)
    assert whole is not None
    assert len(whole.event["comment"]) == COMMENT_LIMIT
    assert len(whole.event["acknowledged_by"]) == BY_LIMIT


def test_more_events_than_one_statement_takes_are_acknowledged_together(engine: Engine) -> None:
    keys = [fire(engine, a_rule(f"r{n}"), NOON) for n in range(3)]
    many = [*keys, *range(10_000, 11_700)]
    result = acknowledge(engine, many, by="ana", now=NOON)
    assert result.done == tuple(keys)
    assert len(result.missing) == 1_700


def test_an_acknowledgement_until_a_value_is_on_record_with_its_limit(engine: Engine) -> None:
    key = fire(engine, a_rule(), NOON, metrics={"value": 91.0})
    acknowledge(engine, [key], by="ana", until=NOON + HOUR, above=95, below=10.5, now=NOON)
    whole = event_detail(engine, key)
    assert whole is not None
    assert (whole.event["acknowledged_above"], whole.event["acknowledged_below"]) == (95, 10.5)
    [entry] = whole.audit
    until = (NOON + HOUR).isoformat()
    assert entry["detail"] == {"until": until, "above": 95, "below": 10.5}


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ({"above": float("nan")}, "above nan is not a number"),
        ({"below": float("inf")}, "below inf is not a number"),
        ({"above": "95"}, "above '95' is not a number"),
        ({"above": 90}, "of event 1, the value 91 is above 90 already"),
        ({"below": 95}, "of event 1, the value 91 is below 95 already"),
        ({"above": 95}, "event 2 has no value"),
    ],
)
def test_a_limit_that_makes_no_sense_changes_nothing(
    engine: Engine, limits: dict[str, float], why: str
) -> None:
    rule = a_rule()
    assert fire(engine, rule, NOON, ticker="a", metrics={"value": 91.0}) == 1
    assert fire(engine, a_rule("logs"), NOON) == 2
    with pytest.raises(ValueError, match=why):
        acknowledge(engine, [1, 2], by="ana", now=NOON, **limits)
    assert event_ids(engine, status={Status.OPEN}) == [2, 1]
    assert audited(engine) == []


def test_what_somebody_else_acknowledged_needs_no_value(engine: Engine) -> None:
    one = fire(engine, a_rule("a"), NOON, metrics={"value": 91.0})
    two = fire(engine, a_rule("b"), NOON)
    acknowledge(engine, [two], by="bo", now=NOON)
    assert acknowledge(engine, [one, two], by="ana", above=95, now=NOON).done == (one,)
