"""Silences are made and ended, each on record, on both databases."""

from datetime import time
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from sentinel_core.model.silence import Recurrence, SilenceState
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.schema import ensure_schema
from sentinel_core.store.db.tables import AUDIT, SILENCE
from sentinel_core.store.read import silences as stored
from sentinel_core.store.record import silences
from tests.support.behind import behind
from tests.support.runs import a_rule, a_run, a_silence, at, fired, told
from tests.support.swarm import own_engine


def audited(engine: Engine) -> list[tuple[str, str, dict[str, Any]]]:
    """Who did what, oldest first; none of it concerns an event."""
    a = AUDIT.c
    with reading(engine) as connection:
        found = connection.execute(select(a.actor, a.action, a.detail, a.event_id).order_by(a.id))
        entries = [tuple(row) for row in found]
    assert all(entry[3] is None for entry in entries)
    return [entry[:3] for entry in entries]


NIGHTS = Recurrence(
    start=time(22), end=time(6, 30), weekdays=("sat", "sun"), timezone="Europe/Berlin"
)


def test_making_one_is_on_record(engine: Engine) -> None:
    made = silences.create(engine, a_silence(recurrence=NIGHTS), now=at(0))
    [(who, action, detail)] = audited(engine)
    assert (who, action) == ("ana", "silence-created")
    assert detail == {
        "silence": made.id,
        "mutes": "rule disk-*",
        "from": at(0).isoformat(),
        "until": at(60).isoformat(),
        "comment": "new disks",
        "window": NIGHTS.words(),
    }


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"author": "  "}, "say who silences"),
        ({"comment": "\n "}, "say why"),
        ({"start": -90, "end": 0}, "over already"),
    ],
)
def test_a_silence_nobody_signs_or_that_is_over_is_refused(
    engine: Engine, given: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        silences.create(engine, a_silence(**given), now=at(0))
    assert stored.all_silences(engine, now=at(0)) == []


def test_a_silence_that_is_ended_mutes_nobody_any_more(engine: Engine) -> None:
    disk = a_rule("disk-full")
    made = silences.create(engine, a_silence(), now=at(0))
    assert told(engine, disk, a_run(1), [fired("A")], now=at(1)).notifications == []
    ended = silences.expire(engine, [made.id, 999], by="bo", comment="done early", now=at(10))
    assert (ended.done, ended.missing) == ((made.id,), (999,))
    assert len(told(engine, disk, a_run(11), [fired("A")], now=at(11)).notifications) == 1
    [silence] = stored.all_silences(engine, now=at(10), state=SilenceState.EXPIRED)
    assert (silence.starts_at, silence.ends_at) == (at(0), at(10))
    again = silences.expire(engine, [made.id], by="cy", now=at(12))
    assert (again.done, again.already) == ((), (made.id,))
    assert audited(engine)[1:] == [
        (
            "bo",
            "silence-expired",
            {"silence": made.id, "was_until": at(60).isoformat(), "comment": "done early"},
        )
    ]


def test_a_silence_that_has_not_begun_never_will_once_it_is_ended(engine: Engine) -> None:
    made = silences.create(engine, a_silence(30, 60), now=at(0))
    silences.expire(engine, [made.id], by="bo", now=at(10))
    found = stored.get(engine, made.id)
    assert found is not None
    assert found.state(at(10)) is SilenceState.EXPIRED
    assert not any(found.active(at(minute)) for minute in (10, 30, 45))
    assert told(engine, a_rule("disk-full"), a_run(31), [fired()], now=at(31)).notifications


def test_nobody_can_end_a_silence_anonymously(engine: Engine) -> None:
    made = silences.create(engine, a_silence(), now=at(0))
    with pytest.raises(ValueError, match="ends the silence"):
        silences.expire(engine, [made.id], by=" ", now=at(1))
    with pytest.raises(ValueError, match="whole number"):
        silences.expire(engine, ["1"], by="ana", now=at(1))  # type: ignore[list-item]
    assert stored.all_silences(engine, now=at(1), state=SilenceState.ACTIVE) == [made]


def test_a_silence_that_another_transaction_is_ending_is_ended_once(postgres_url: str) -> None:
    with own_engine(postgres_url) as engine:
        ensure_schema(engine)
        key = silences.create(engine, a_silence(), now=at(0)).id
        assert key is not None
        ended = update(SILENCE).where(SILENCE.c.id == key).values(ends_at=at(5))
        done = behind(engine, ended, lambda: silences.expire(engine, [key], by="bo", now=at(6)))
        assert (done.done, done.already) == ((), (key,))
        assert [action for _, action, _ in audited(engine)] == ["silence-created"]
        [silence] = stored.all_silences(engine, now=at(6))
        assert silence.ends_at == at(5)
