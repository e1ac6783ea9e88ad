"""Silences in the store: made, ended, listed, and tried out before they are made."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from sentinel_core.model.silence import Days, Matchers, Recurrence, Silence
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import AUDIT
from sentinel_core.store.record import silences
from sentinel_core.store.record.silences import State
from sentinel_core.store.state import rules
from tests.support.runs import a_rule, a_run, at, fired, quiet, told

HOUR = timedelta(hours=1)


def a_silence(start: float = 0, end: float = 60, **given: Any) -> Silence:
    """From one minute after nine to another."""
    return Silence(
        **{
            "matchers": Matchers(rule="disk-*"),
            "starts_at": at(start),
            "ends_at": at(end),
            "author": "ana",
            "comment": "new disks",
            **given,
        }
    )


def audited(engine: Engine) -> list[tuple[str, str, dict[str, Any]]]:
    """Who did what, oldest first; none of it concerns an event."""
    a = AUDIT.c
    with reading(engine) as connection:
        found = connection.execute(select(a.actor, a.action, a.detail, a.event_id).order_by(a.id))
        entries = [tuple(row) for row in found]
    assert all(entry[3] is None for entry in entries)
    return [entry[:3] for entry in entries]


EVERYTHING = Matchers(
    rule="disk-*",
    ticker="[A?*]",
    category="System",
    tag="team:*",
    importance=("low", "medium"),
    kind="alert",
)
NIGHTS = Recurrence(
    start=time(22), end=time(6, 30), weekdays=("sat", "sun"), timezone="Europe/Berlin"
)
SHUT = Recurrence(
    start=time(9, 30),
    end=time(16),
    timezone="America/New_York",
    calendar="NYSE",
    days=Days.TRADING,
    outside=True,
)


@pytest.mark.parametrize("recurrence", [None, NIGHTS, SHUT])
@pytest.mark.parametrize("matchers", [Matchers(rule="*"), EVERYTHING])
def test_a_silence_comes_back_as_it_was_made(
    engine: Engine, matchers: Matchers, recurrence: Recurrence | None
) -> None:
    wanted = a_silence(matchers=matchers, recurrence=recurrence)
    made = silences.create(engine, wanted, now=at(0))
    assert made == wanted.model_copy(update={"id": made.id})
    assert silences.get(engine, made.id) == made


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
    assert silences.all_silences(engine, now=at(0)) == []


def test_silences_are_listed_by_where_they_stand(engine: Engine) -> None:
    made = {
        state: silences.create(engine, a_silence(start, end), now=at(0)).id
        for state, start, end in (
            (State.EXPIRED, 0, 10),
            (State.ACTIVE, 0, 60),
            (State.UPCOMING, 30, 60),
        )
    }
    now = at(10)  # an end is the first moment after
    for state in State:
        found = silences.all_silences(engine, now=now, state=state)
        assert [silence.id for silence in found] == [made[state]]
        assert silences.state_of(found[0], now) is state
    assert len(silences.all_silences(engine, now=now)) == 3


@pytest.mark.parametrize("unknown", [0, -1, 999, 2**63, 10**30])
def test_an_id_nobody_has_is_no_silence(engine: Engine, unknown: int) -> None:
    assert silences.get(engine, unknown) is None
    assert silences.expire(engine, [unknown], by="ana", now=at(0)).missing == (unknown,)


def test_a_silence_that_is_ended_mutes_nobody_any_more(engine: Engine) -> None:
    disk = a_rule("disk-full")
    made = silences.create(engine, a_silence(), now=at(0))
    assert told(engine, disk, a_run(1), [fired("A")], now=at(1)).notifications == []
    ended = silences.expire(engine, [made.id, 999], by="bo", comment="done early", now=at(10))
    assert (ended.done, ended.missing) == ((made.id,), (999,))
    assert len(told(engine, disk, a_run(11), [fired("A")], now=at(11)).notifications) == 1
    [silence] = silences.all_silences(engine, now=at(10), state=State.EXPIRED)
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


def test_who_ended_a_silence_is_known_and_nobody_did_when_its_time_was_up(engine: Engine) -> None:
    first, other, last = (silences.create(engine, a_silence(), now=at(0)) for _ in range(3))
    for key in (first.id, other.id, last.id, 999):
        assert key is not None
        assert silences.ending(engine, key) is None
    silences.expire(engine, [first.id or 0], by="bo", comment="done early", now=at(10))
    silences.expire(engine, [last.id or 0], by="cy", now=at(20))
    assert silences.ending(engine, first.id or 0) == silences.Ending("bo", at(10), "done early")
    assert silences.ending(engine, last.id or 0) == silences.Ending("cy", at(20), "")
    assert silences.ending(engine, other.id or 0) is None


def test_a_silence_that_has_not_begun_never_will_once_it_is_ended(engine: Engine) -> None:
    made = silences.create(engine, a_silence(30, 60), now=at(0))
    silences.expire(engine, [made.id], by="bo", now=at(10))
    found = silences.get(engine, made.id)
    assert found is not None
    assert silences.state_of(found, at(10)) is State.EXPIRED
    assert not any(found.active(at(minute)) for minute in (10, 30, 45))
    assert told(engine, a_rule("disk-full"), a_run(31), [fired()], now=at(31)).notifications


def test_nobody_can_end_a_silence_anonymously(engine: Engine) -> None:
    made = silences.create(engine, a_silence(), now=at(0))
    with pytest.raises(ValueError, match="ends the silence"):
        silences.expire(engine, [made.id], by=" ", now=at(1))
    with pytest.raises(ValueError, match="whole number"):
        silences.expire(engine, ["1"], by="ana", now=at(1))  # type: ignore[list-item]
    assert silences.all_silences(engine, now=at(1), state=State.ACTIVE) == [made]


# -- before it is made ---------------------------------------------------------------------


@pytest.fixture
def known(engine: Engine) -> Engine:
    """Three rules: one fires on two of its tickers, one did two hours ago, one never ran."""
    disk, price, new = (
        a_rule("disk-full", importance="low", category="System"),
        a_rule("price-surge"),
        a_rule("disk-new", importance="low"),
    )
    rules.sync(engine, [disk, price, new], at(0))
    told(engine, price, a_run(-120), [fired("AAPL")], now=at(-120))
    told(engine, price, a_run(-110), [quiet("AAPL")], now=at(-110))
    told(engine, disk, a_run(0), [fired("/"), fired("/var"), quiet("/tmp")], now=at(0))
    return engine


def previewed(engine: Engine, days: float = 7, **given: Any) -> silences.Preview:
    return silences.preview(engine, a_silence(**given), now=at(1), days=days)


def test_a_preview_says_which_rules_series_and_open_events_it_is_about(known: Engine) -> None:
    seen = previewed(known)
    assert seen.rules == ("disk-full", "disk-new")
    assert seen.series == (
        ("disk-full", "/"),
        ("disk-full", "/tmp"),
        ("disk-full", "/var"),
        ("disk-new", ""),
    )
    assert seen.open_count == 2
    assert sorted(event["ticker"] for event in seen.open_events) == ["/", "/var"]
    assert silences.all_silences(known, now=at(0)) == []
    assert audited(known) == []


@pytest.mark.parametrize(
    ("matchers", "rule_names", "tickers"),
    [
        ({"ticker": "/v*"}, ("disk-full",), {"/var"}),
        ({"category": "System"}, ("disk-full",), {"/", "/var"}),
        ({"importance": ("low",)}, ("disk-full", "disk-new"), {"/", "/var"}),
        ({"importance": ("high",)}, ("price-surge",), set()),
        ({"kind": "failure"}, (), set()),
        ({"tag": "team:a"}, (), set()),
    ],
)
def test_a_preview_matches_as_the_silence_will(
    known: Engine, matchers: dict[str, Any], rule_names: tuple[str, ...], tickers: set[str]
) -> None:
    seen = previewed(known, matchers=Matchers(**matchers))
    assert seen.rules == rule_names
    assert {event["ticker"] for event in seen.open_events} == tickers


def test_a_preview_says_what_it_would_have_muted_in_the_last_days(known: Engine) -> None:
    everything = Matchers(rule="*")
    week = previewed(known, matchers=everything)
    assert [event["rule_name"] for event in week.past_events][2:] == ["price-surge"]
    assert (week.past_count, week.open_count) == (3, 2)
    assert previewed(known, days=1 / 24, matchers=everything).past_count == 2


def test_a_preview_of_a_window_counts_what_opened_inside_it(known: Engine) -> None:
    morning = Recurrence(start=time(6), end=time(8))
    seen = previewed(known, matchers=Matchers(rule="*"), recurrence=morning)
    assert [event["rule_name"] for event in seen.past_events] == ["price-surge"]


def test_a_rule_that_is_no_longer_active_is_not_previewed(known: Engine) -> None:
    rules.deactivate_missing(known, [])
    assert previewed(known).rules == ()


@pytest.mark.parametrize("days", [0, -1, 367, float("nan"), float("inf")])
def test_a_preview_looks_back_a_time_that_makes_sense(engine: Engine, days: float) -> None:
    with pytest.raises(ValueError, match="at most 366 days"):
        previewed(engine, days=days)


def test_a_preview_names_a_hundred_events_and_counts_the_others(engine: Engine) -> None:
    told(engine, a_rule("disk-full"), a_run(0), [fired(f"T{n}") for n in range(130)], now=at(0))
    seen = previewed(engine)
    assert (len(seen.open_events), seen.open_count) == (silences.SHOWN, 130)
    assert (len(seen.past_events), seen.past_count) == (silences.SHOWN, 130)


def test_times_come_back_aware_whatever_zone_they_were_given_in(engine: Engine) -> None:
    berlin = timedelta(hours=1)
    start = datetime.fromisoformat("2026-11-02T10:00:00+01:00")
    made = silences.create(engine, a_silence(starts_at=start), now=at(0) - HOUR)
    found = silences.get(engine, made.id)
    assert found is not None
    assert found.starts_at == at(0)
    assert found.starts_at.astimezone(UTC).hour + berlin.seconds // 3600 == 10
