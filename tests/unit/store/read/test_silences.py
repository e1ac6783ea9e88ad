"""Silences as they are read back and listed, and the preview of one, on both databases."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from sentinel_core.model.silence import Days, Matchers, Recurrence, SilenceState
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import AUDIT
from sentinel_core.store.read import silences as stored
from sentinel_core.store.record import silences
from sentinel_core.store.state import rules
from tests.support.runs import a_rule, a_run, a_silence, at, fired, quiet, told

HOUR = timedelta(hours=1)


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
    assert stored.get(engine, made.id) == made


def test_silences_are_listed_by_where_they_stand(engine: Engine) -> None:
    made = {
        state: silences.create(engine, a_silence(start, end), now=at(0)).id
        for state, start, end in (
            (SilenceState.EXPIRED, 0, 10),
            (SilenceState.ACTIVE, 0, 60),
            (SilenceState.UPCOMING, 30, 60),
        )
    }
    now = at(10)  # an end is the first moment after
    for state in SilenceState:
        found = stored.all_silences(engine, now=now, state=state)
        assert [silence.id for silence in found] == [made[state]]
        assert found[0].state(now) is state
    assert len(stored.all_silences(engine, now=now)) == 3


@pytest.mark.parametrize("unknown", [0, -1, 999, 2**63, 10**30])
def test_an_id_nobody_has_is_no_silence(engine: Engine, unknown: int) -> None:
    assert stored.get(engine, unknown) is None
    assert silences.expire(engine, [unknown], by="ana", now=at(0)).missing == (unknown,)


def test_who_ended_a_silence_is_known_and_nobody_did_when_its_time_was_up(engine: Engine) -> None:
    first, other, last = (silences.create(engine, a_silence(), now=at(0)) for _ in range(3))
    for key in (first.id, other.id, last.id, 999):
        assert key is not None
        assert stored.ending(engine, key) is None
    silences.expire(engine, [first.id or 0], by="bo", comment="done early", now=at(10))
    silences.expire(engine, [last.id or 0], by="cy", now=at(20))
    assert stored.ending(engine, first.id or 0) == stored.Ending("bo", at(10), "done early")
    assert stored.ending(engine, last.id or 0) == stored.Ending("cy", at(20), "")
    assert stored.ending(engine, other.id or 0) is None


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


def previewed(engine: Engine, days: float = 7, **given: Any) -> stored.Preview:
    return stored.preview(engine, a_silence(**given), now=at(1), days=days)


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
    assert stored.all_silences(known, now=at(0)) == []
    with reading(known) as connection:
        assert connection.execute(select(AUDIT)).all() == []


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
    assert (len(seen.open_events), seen.open_count) == (stored.PREVIEWED_EVENTS, 130)
    assert (len(seen.past_events), seen.past_count) == (stored.PREVIEWED_EVENTS, 130)


def test_times_come_back_aware_whatever_zone_they_were_given_in(engine: Engine) -> None:
    berlin = timedelta(hours=1)
    start = datetime.fromisoformat("2026-11-02T10:00:00+01:00")
    made = silences.create(engine, a_silence(starts_at=start), now=at(0) - HOUR)
    found = stored.get(engine, made.id)
    assert found is not None
    assert found.starts_at == at(0)
    assert found.starts_at.astimezone(UTC).hour + berlin.seconds // 3600 == 10
