"""Silences and inhibition: who is not told of what, and why."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import Suppression, SuppressionCode
from sentinel_core.model.rule import Inhibition
from sentinel_core.model.silence import (
    Inhibitor,
    Matchers,
    Recurrence,
    Silence,
    SilenceState,
    Subject,
    muted,
)
from tests.support.runs import at

AAPL = Subject("price-surge", "AAPL", "Market", Importance.HIGH, ("desk-a", "us"), "alert")

# -- matchers ------------------------------------------------------------------------------

MATCHES: dict[str, tuple[dict[str, Any], bool]] = {
    "a rule by its name": ({"rule": "price-surge"}, True),
    "another rule": ({"rule": "price-drop"}, False),
    "rules by a pattern": ({"rule": "price-*"}, True),
    "every rule": ({"rule": "*"}, True),
    "a part of a name is not the name": ({"rule": "price"}, False),
    "an end of a name is not the name": ({"rule": "surge"}, False),
    "a letter for a letter": ({"ticker": "A?PL"}, True),
    "a letter for no letter": ({"ticker": "AAPL?"}, False),
    "any text for no text": ({"ticker": "AAPL*"}, True),
    "upper and lower case are not the same": ({"ticker": "aapl"}, False),
    "a category": ({"category": "Market"}, True),
    "another category": ({"category": "System"}, False),
    "one of the tags": ({"tag": "us"}, True),
    "a pattern for one of the tags": ({"tag": "desk-*"}, True),
    "a tag it does not have": ({"tag": "eu"}, False),
    "the importance": ({"importance": ["high"]}, True),
    "one of two importances": ({"importance": ["low", "high"]}, True),
    "another importance": ({"importance": ["low"]}, False),
    "the kind": ({"kind": "alert"}, True),
    "another kind": ({"kind": "failure"}, False),
    "all that is given": (
        {"rule": "price-*", "ticker": "AAPL", "category": "M*", "tag": "us", "kind": "*"},
        True,
    ),
    "all but the ticker": ({"rule": "price-*", "ticker": "NVDA"}, False),
    "all but the rule": ({"rule": "disk", "ticker": "AAPL"}, False),
    "all but the category": ({"rule": "*", "category": "System"}, False),
    "all but the kind": ({"rule": "*", "kind": "silent"}, False),
    "all but the tag": ({"rule": "*", "tag": "eu"}, False),
    "all but the importance": ({"rule": "*", "importance": ["low"]}, False),
}


@pytest.mark.parametrize("case", MATCHES)
def test_matching(case: str) -> None:
    said, matches = MATCHES[case]
    assert Matchers.model_validate(said).matches(AAPL) is matches


def test_a_subject_without_tags_has_none_that_matches() -> None:
    assert not Matchers(tag="*").matches(Subject("r", "", "General", Importance.LOW))


LITERAL = ["BRK[B]", "[!A]", "[", "]", "a.b", "a+b", "(a)", "a\\", "^a$", "a|b", "{3}"]


@pytest.mark.parametrize("ticker", LITERAL)
def test_only_stars_and_question_marks_stand_for_something_else(ticker: str) -> None:
    subject = Subject("r", ticker, "General", Importance.LOW)
    assert Matchers(ticker=ticker).matches(subject)
    assert Matchers(ticker=f"*{ticker}?").matches(
        Subject("r", f"x{ticker}y", "General", Importance.LOW)
    )
    other = Subject("r", "BRKB", "General", Importance.LOW)
    assert not Matchers(ticker=ticker).matches(other)


@given(st.text(st.characters(exclude_characters="*?", codec="utf-8"), min_size=1, max_size=30))
def test_a_pattern_without_signs_matches_itself_alone(text: str) -> None:
    pattern = Matchers(ticker=text).ticker
    assert pattern is not None
    assert Matchers(ticker=text).matches(Subject("r", pattern, "", Importance.LOW))
    assert not Matchers(ticker=text).matches(Subject("r", pattern + "x", "", Importance.LOW))


# trying every way to match would take longer than the universe is old
def test_a_hostile_pattern_is_answered_at_all() -> None:
    hostile = Matchers(ticker="*a" * 99 + "b")
    for n in range(20):
        assert not hostile.matches(Subject("r", "a" * (200 - n), "General", Importance.LOW))


REFUSED: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no importance": {"importance": []},
    "only nulls": {"rule": None, "ticker": None},
    "an empty pattern": {"rule": ""},
    "a pattern of 201 letters": {"rule": "a" * 201},
    "an importance nobody knows": {"importance": ["urgent"]},
    "more importances than there are": {"importance": ["low"] * 5},
    "a matcher nobody knows": {"host": "db1"},
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_matcher_is_refused(case: str) -> None:
    with pytest.raises(ValidationError):
        Matchers.model_validate(REFUSED[case])


def test_a_silence_of_everything_has_to_say_so() -> None:
    with pytest.raises(ValidationError, match=r'a silence needs a matcher; rule: "\*"'):
        Matchers()


def test_matchers_in_words() -> None:
    said = Matchers.model_validate({"rule": "disk-*", "tag": "eu", "importance": ["low", "medium"]})
    assert said.words() == "rule disk-*, tag eu, importance low or medium"
    assert Matchers(kind="silent").words() == "kind silent"
    assert Matchers(importance=(Importance.LOW,)).words() == "importance low"


# -- recurring windows ---------------------------------------------------------------------


def window(**said: Any) -> Recurrence:
    return Recurrence.model_validate(said)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NIGHT = {"start": "22:00", "end": "06:00"}
FRIDAY_NIGHT = {**NIGHT, "weekdays": ["fri"]}
BERLIN = {"start": "09:00", "end": "17:00", "timezone": "Europe/Berlin"}
BERLIN_NIGHT = {"start": "02:00", "end": "03:00", "timezone": "Europe/Berlin"}
NYSE = {
    "start": "09:30",
    "end": "16:00",
    "timezone": "America/New_York",
    "calendar": "NYSE",
    "days": "trading",
}

# 2026-11-20 is a Friday; clocks go back on 2026-10-25 and forward on 2026-03-29 in Berlin.
COVERED: dict[str, tuple[dict[str, Any], str, bool]] = {
    "all day, every day": ({}, "2026-11-20T12:00", True),
    "before it starts": ({"start": "10:00", "end": "11:00"}, "2026-11-20T09:59:59", False),
    "as it starts": ({"start": "10:00", "end": "11:00"}, "2026-11-20T10:00", True),
    "just before its end": ({"start": "10:00", "end": "11:00"}, "2026-11-20T10:59:59", True),
    "at its end": ({"start": "10:00", "end": "11:00"}, "2026-11-20T11:00", False),
    "until midnight": ({"start": "22:00"}, "2026-11-20T23:59:59", True),
    "and not beyond": ({"start": "22:00"}, "2026-11-20T00:00", False),
    "over midnight, before it": (NIGHT, "2026-11-20T23:00", True),
    "over midnight, after it": (NIGHT, "2026-11-20T05:59:59", True),
    "over midnight, at its end": (NIGHT, "2026-11-20T06:00", False),
    "over midnight, at noon": (NIGHT, "2026-11-20T12:00", False),
    "over midnight, as it starts": (NIGHT, "2026-11-20T22:00", True),
    "Friday's night begins on Friday": (FRIDAY_NIGHT, "2026-11-20T23:00", True),
    "and belongs to Friday on Saturday morning": (FRIDAY_NIGHT, "2026-11-21T05:00", True),
    "Saturday's night is not Friday's": (FRIDAY_NIGHT, "2026-11-21T23:00", False),
    "nor is the night that ends on Friday": (FRIDAY_NIGHT, "2026-11-20T05:00", False),
    "a day that is not among the weekdays": (
        {"weekdays": ["sat", "sun"]},
        "2026-11-20T12:00",
        False,
    ),
    "a day that is": ({"weekdays": ["sat", "sun"]}, "2026-11-22T12:00", True),
    "a day from nine to nine ends on the next": (
        {"start": "09:00", "end": "09:00", "weekdays": ["fri"]},
        "2026-11-21T08:59",
        True,
    ),
    "and is over then": (
        {"start": "09:00", "end": "09:00", "weekdays": ["fri"]},
        "2026-11-21T09:00",
        False,
    ),
    "and has not begun before": (
        {"start": "09:00", "end": "09:00", "weekdays": ["fri"]},
        "2026-11-20T08:59",
        False,
    ),
    "nine in Berlin is eight in winter": (BERLIN, "2026-11-20T08:00", True),
    "and not before": (BERLIN, "2026-11-20T07:59:59", False),
    "it is seven in summer": (BERLIN, "2026-07-20T07:00", True),
    "and five in the afternoon is three": (BERLIN, "2026-07-20T15:00", False),
    "the weekday is the zone's": (
        {"weekdays": ["sat"], "timezone": "Asia/Tokyo"},
        "2026-11-20T15:00",
        True,
    ),
    "the hour that comes twice is covered the first time": (
        BERLIN_NIGHT,
        "2026-10-25T00:30",
        True,
    ),
    "and the second": (BERLIN_NIGHT, "2026-10-25T01:30", True),
    "and over after it": (BERLIN_NIGHT, "2026-10-25T02:00", False),
    "and has not begun before it": (BERLIN_NIGHT, "2026-10-24T23:59", False),
    "the hour that is left out is never covered: before": (
        BERLIN_NIGHT,
        "2026-03-29T00:59:59",
        False,
    ),
    "the hour that is left out is never covered: after": (BERLIN_NIGHT, "2026-03-29T01:00", False),
    "the exchange trades on a Friday": (NYSE, "2026-11-20T15:00", True),
    "not before it opens": (NYSE, "2026-11-20T14:29:59", False),
    "nor after it closes": (NYSE, "2026-11-20T21:00", False),
    "nor on Thanksgiving": (NYSE, "2026-11-26T15:00", False),
    "nor on a Saturday": (NYSE, "2026-11-21T15:00", False),
    "nor on a Sunday": (NYSE, "2026-11-22T15:00", False),
    "outside its hours while it trades": ({**NYSE, "outside": True}, "2026-11-20T15:00", False),
    "outside its hours at night": ({**NYSE, "outside": True}, "2026-11-20T23:00", True),
    "outside its hours on Thanksgiving": ({**NYSE, "outside": True}, "2026-11-26T15:00", True),
    "outside its hours on a Sunday": ({**NYSE, "outside": True}, "2026-11-22T15:00", True),
    "an exchange's holiday": (
        {"calendar": "NYSE", "days": "holidays", "timezone": "America/New_York"},
        "2026-11-26T15:00",
        True,
    ),
    "an exchange's working day": (
        {"calendar": "NYSE", "days": "holidays", "timezone": "America/New_York"},
        "2026-11-20T15:00",
        False,
    ),
    "a holiday only on the weekdays named": (
        {"calendar": "NYSE", "days": "holidays", "weekdays": ["mon"]},
        "2026-11-26T15:00",
        False,
    ),
    "the night after a holiday belongs to it": (
        {**NIGHT, "calendar": "NYSE", "days": "holidays"},
        "2026-11-27T05:00",
        True,
    ),
    "a country's holiday": ({"calendar": "DE", "days": "holidays"}, "2026-10-03T12:00", True),
    "a part of a country has its own": (
        {"calendar": "DE-BY", "days": "holidays"},
        "2026-11-01T12:00",
        True,
    ),
    "which the others have not": (
        {"calendar": "DE", "days": "holidays"},
        "2026-11-01T12:00",
        False,
    ),
    "a calendar means nothing for all days": ({"calendar": "NYSE"}, "2026-11-26T12:00", True),
    "a calendar in small letters": (
        {"calendar": "nyse", "days": "trading"},
        "2026-11-26T12:00",
        False,
    ),
}


@pytest.mark.parametrize("case", COVERED)
def test_covered(case: str) -> None:
    said, moment, covered = COVERED[case]
    assert window(**said).covers(utc(moment)) is covered


@pytest.mark.parametrize("case", COVERED)
def test_outside_is_the_opposite_at_every_moment(case: str) -> None:
    said, moment, _ = COVERED[case]
    turned = {**said, "outside": not said.get("outside", False)}
    assert window(**turned).covers(utc(moment)) is not window(**said).covers(utc(moment))


def test_the_moment_may_come_in_any_zone() -> None:
    there = utc("2026-11-20T23:30").astimezone().astimezone(tz=None)
    assert window(start="23:00", end="23:59").covers(there)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a zone there is not": ({"timezone": "Mars/Olympus"}, "there is no time zone 'Mars/Olympus'"),
    "a zone that is a path": ({"timezone": "../etc/passwd"}, "there is no time zone"),
    "a time with an offset": ({"start": "09:00+01:00"}, "a time of day without an offset"),
    "an end with an offset": ({"end": "09:00Z"}, "a time of day without an offset"),
    "no weekday": ({"weekdays": []}, "weekdays"),
    "a weekday nobody knows": ({"weekdays": ["caturday"]}, "weekdays"),
    "trading days of nowhere": ({"days": "trading"}, "`days: trading` needs a `calendar`"),
    "holidays of nowhere": ({"days": "holidays"}, "`days: holidays` needs a `calendar`"),
    "a calendar nobody knows": ({"calendar": "XXXX"}, "there is no calendar 'XXXX'"),
    "a part of a country it has not": ({"calendar": "DE-XX"}, "there is no calendar 'DE-XX'"),
    "a calendar without a name": ({"calendar": ""}, "there is no calendar"),
    "a calendar of 21 letters": ({"calendar": "N" * 21}, "calendar"),
    "a setting nobody knows": ({"until": "12:00"}, "until"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_window_is_refused(case: str) -> None:
    said, message = WRONG[case]
    with pytest.raises(ValidationError, match=message):
        window(**said)


WORDS: dict[str, dict[str, Any]] = {
    "all day UTC": {},
    "22:00-06:00 UTC": NIGHT,
    "fri 22:00-06:00 UTC": FRIDAY_NIGHT,
    "sat, sun Europe/Berlin": {"weekdays": ["sat", "sun"], "timezone": "Europe/Berlin"},
    "outside 09:30-16:00 trading days of NYSE America/New_York": {**NYSE, "outside": True},
    "holidays of DE UTC": {"calendar": "DE", "days": "holidays"},
    "mon holidays of DE UTC": {"calendar": "DE", "days": "holidays", "weekdays": ["mon"]},
}


@pytest.mark.parametrize("words", WORDS)
def test_a_window_in_words(words: str) -> None:
    assert window(**WORDS[words]).words() == words


# -- silences ------------------------------------------------------------------------------


def silence(rule: str = "*", start: float = 0, end: float = 60, **more: Any) -> Silence:
    return Silence.model_validate(
        {
            "matchers": {"rule": rule},
            "starts_at": at(start),
            "ends_at": at(end),
            "author": "ann",
            "comment": "moving the database",
            **more,
        }
    )


@pytest.mark.parametrize(
    ("minute", "active"), [(-0.1, False), (0, True), (59.9, True), (60, False)]
)
def test_a_silence_lasts_from_its_start_until_its_end(minute: float, active: bool) -> None:
    assert silence().active(at(minute)) is active


def test_a_recurring_silence_needs_both_its_window_and_its_time() -> None:
    nightly = silence(start=0, end=2880, recurrence=NIGHT)
    hours = [h for h in range(0, 60) if nightly.active(at(60 * h))]
    assert hours == [13, 14, 15, 16, 17, 18, 19, 20, 37, 38, 39, 40, 41, 42, 43, 44]


def test_a_silence_says_who_until_when_and_why() -> None:
    assert silence().sentence() == "silenced by ann until 2026-11-02 10:00 UTC: moving the database"
    elsewhere = silence(ends_at="2026-11-02T12:00:00+01:00")
    assert elsewhere.sentence().startswith("silenced by ann until 2026-11-02 11:00 UTC")
    assert silence(recurrence=NIGHT).sentence() == "silenced by ann: moving the database"


def test_the_end_of_a_silence_is_told_in_utc_wherever_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as there:
        there.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        told = silence().sentence()
    time.tzset()
    assert told.startswith("silenced by ann until 2026-11-02 10:00 UTC")


@pytest.mark.parametrize(
    "wrong",
    [
        {"ends_at": at(0)},
        {"ends_at": at(-1)},
        {"starts_at": datetime(2026, 11, 2)},  # noqa: DTZ001
        {"ends_at": datetime(2027, 11, 2)},  # noqa: DTZ001
        {"author": ""},
        {"author": "a" * 201},
        {"comment": ""},
        {"comment": "c" * 2001},
        {"reason": "?"},
    ],
)
def test_a_silence_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        silence(**wrong)


def test_what_people_write_into_a_silence_is_clean() -> None:
    found = silence(author="a\0", comment="b\0")
    assert (found.author, found.comment) == ("a\ufffd", "b\ufffd")
    assert Matchers(rule="a\0b").rule == "a\ufffdb"


# -- inhibition ----------------------------------------------------------------------------


def inhibitor(
    rule: str = "exchange-down", ticker: str = "AAPL", *inhibits: Inhibition
) -> Inhibitor:
    return Inhibitor(rule, ticker, inhibits or (Inhibition(rule="price-*"),))


INHIBITED: dict[str, tuple[Inhibitor, bool]] = {
    "a rule that fires mutes those it names, for its ticker": (inhibitor(), True),
    "and not for another ticker": (inhibitor(ticker="NVDA"), False),
    "unless it says for all": (
        inhibitor("exchange-down", "NVDA", Inhibition(rule="price-*", same_ticker=False)),
        True,
    ),
    "nor a rule it does not name": (
        inhibitor("exchange-down", "AAPL", Inhibition(rule="disk-*")),
        False,
    ),
    "a rule never mutes itself": (inhibitor("price-surge"), False),
    "one of several is enough": (
        inhibitor(
            "exchange-down", "AAPL", Inhibition(rule="disk-*"), Inhibition(rule="price-surge")
        ),
        True,
    ),
    "one for the rule and another for the ticker are not": (
        inhibitor(
            "exchange-down",
            "NVDA",
            Inhibition(rule="disk-*", same_ticker=False),
            Inhibition(rule="price-surge"),
        ),
        False,
    ),
    "a bracket stands for itself": (
        inhibitor("exchange-down", "AAPL", Inhibition(rule="price-[s]urge")),
        False,
    ),
}


@pytest.mark.parametrize("case", INHIBITED)
def test_inhibited(case: str) -> None:
    by, mutes = INHIBITED[case]
    assert by.mutes(AAPL) is mutes


def silenced(by: Silence) -> Suppression:
    return Suppression(SuppressionCode.SILENCED, by.sentence())


def test_why_nobody_is_told() -> None:
    quiet = silence("price-*")
    later = silence(start=60, end=120)
    other = silence("disk-*")
    assert muted(AAPL, at(5), []) is None
    assert muted(AAPL, at(5), [other, later]) is None
    assert muted(AAPL, at(5), [later, other, quiet]) == silenced(quiet)
    assert muted(AAPL, at(5), [quiet], [inhibitor()]) == silenced(quiet)
    assert muted(AAPL, at(5), [other], [inhibitor()]) == (
        SuppressionCode.INHIBITED,
        "inhibited: exchange-down fires on AAPL",
    )
    everywhere = Inhibition(rule="*", same_ticker=False)
    whole = inhibitor("exchange-down", "", everywhere)
    assert muted(AAPL, at(5), [], [inhibitor(ticker="NVDA"), whole]) == (
        SuppressionCode.INHIBITED,
        "inhibited: exchange-down fires",
    )


def test_a_silence_is_upcoming_then_active_until_it_ends() -> None:
    mute = silence()
    start, end = mute.starts_at, mute.ends_at
    instant = timedelta(microseconds=1)
    assert mute.state(start - instant) is SilenceState.UPCOMING
    assert mute.state(start) is mute.state(end - instant) is SilenceState.ACTIVE
    assert mute.state(end) is SilenceState.EXPIRED


def test_the_first_silence_that_mutes_is_the_reason() -> None:
    first, second = silence(comment="first"), silence(comment="second")
    assert muted(AAPL, at(5), [first, second]) == silenced(first)
    assert muted(AAPL, at(5), iter([second, first])) == silenced(second)


def test_a_silence_matches_what_the_event_matters_now() -> None:
    low = Silence(
        matchers=Matchers(importance=(Importance.LOW,)),
        starts_at=at(0),
        ends_at=at(0) + timedelta(hours=1),
        author="ann",
        comment="noise",
    )
    assert muted(AAPL, at(5), [low]) is None
    assert muted(Subject("r", "", "General", Importance.LOW), at(5), [low]) is not None
