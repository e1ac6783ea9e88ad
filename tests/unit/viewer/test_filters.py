"""From the address bar to what the store is asked."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from sentinel_core.store.read.filters import Sort, Status
from sentinel_core.store.read.overview import Facets
from tests.support.recorded import NOON
from viewer import filters
from viewer.filters import Choice

KNOWN = Facets(rules=("cpu", "price"), categories=("Crypto", "Market"), tickers=("AAPL",))
DAY = timedelta(days=1)


def test_the_first_view_is_what_still_asks_for_attention_of_any_age() -> None:
    wanted = filters.to_filter(Choice(), NOON)
    assert wanted.live
    assert (wanted.since, wanted.until) == (None, None)


def test_everything_is_shown_for_a_day_unless_another_window_is_chosen() -> None:
    assert filters.to_filter(Choice(view="all"), NOON).since == NOON - DAY
    assert filters.to_filter(Choice(view="all", range="7d"), NOON).since == NOON - 7 * DAY
    assert filters.to_filter(Choice(view="all", range="any"), NOON).since is None


def test_a_window_of_ones_own_goes_before_the_usual_ones() -> None:
    wanted = filters.to_filter(Choice(view="all", since=NOON - DAY, until=NOON), NOON)
    assert (wanted.since, wanted.until) == (NOON - DAY, NOON)
    assert filters.to_filter(Choice(until=NOON), NOON).since is None


@pytest.mark.parametrize(
    ("choice", "importance", "category"),
    [
        (Choice(quick="critical"), {"critical", "high"}, set()),
        (Choice(quick="market"), set(), {"Market"}),
        (Choice(quick="system"), set(), {"System"}),
        (Choice(quick="critical", importance=("high", "low")), {"high"}, set()),
        (Choice(quick="market", importance=("low",)), {"low"}, {"Market"}),
    ],
)
def test_a_quick_filter_narrows_what_the_others_leave(
    choice: Choice, importance: set[str], category: set[str]
) -> None:
    wanted = filters.to_filter(choice, NOON)
    assert (wanted.importance, wanted.category) == (importance, category)


def test_mine_are_the_events_of_whoever_looks() -> None:
    assert filters.to_filter(Choice(quick="mine", me="ana"), NOON).mine == "ana"
    assert filters.to_filter(Choice(quick="critical", me="ana"), NOON).mine == ""


def test_filters_that_exclude_each_other_show_nothing_rather_than_everything() -> None:
    wanted = filters.to_filter(Choice(quick="critical", importance=("low",)), NOON)
    assert wanted.importance
    assert not wanted.importance & {"critical", "high", "medium", "low"}


def test_every_filter_reaches_the_store() -> None:
    wanted = filters.to_filter(
        Choice(
            status=("open",),
            kind=("failure",),
            state=("CRASHED",),
            rule=("cpu",),
            environment=("production",),
            ticker=" AAPL ",
            q=" 50% ",
        ),
        NOON,
    )
    assert wanted.status == {Status.OPEN}
    assert (wanted.kind, wanted.state, wanted.rules) == ({"failure"}, {"CRASHED"}, {"cpu"})
    assert wanted.environment == {"production"}
    assert (wanted.ticker, wanted.text) == ("AAPL", "50%")


@pytest.mark.parametrize("text", filters.SORTS)
def test_every_offered_order_is_one_the_store_knows(text: str) -> None:
    sort, descending = filters.sorting(Choice(sort=text))
    assert sort in Sort
    assert descending is text.endswith("↓")


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"importance": ["urgent"]}, ["importance", "urgent", "critical"]),
        ({"importance": ["high", "urgent"]}, ["urgent"]),
        ({"importance": ["Critical"]}, ["Critical"]),
        ({"view": ["everything"]}, ["everything", "live"]),
        ({"rule": ["gpu"]}, ["gpu", "cpu, price"]),
        ({"environment": ["x' OR 1=1"]}, ["environment", "nothing yet"]),
        ({"sort": ["rule; DROP TABLE alert_event ↓"]}, ["sort", "DROP TABLE"]),
        ({"size": ["1000000"]}, ["1000000"]),
        ({"since": ["yesterday"]}, ["yesterday", "date and time"]),
        ({"since": ["2030-01-01T00:00:00Z"]}, ["2030", "2026-11-20T10:00"]),
        ({"until": ["2030-01-01T00:00:00"]}, ["until", "2026-11-20T10:00"]),
        ({"severity": ["high"]}, ["no filter called", "severity"]),
        ({"kind": ["skipped"]}, ["skipped", "no_data"]),
        ({"kind": ["'; DROP TABLE alert_event; --"]}, ["DROP TABLE"]),
    ],
)
def test_a_value_nobody_understands_is_named(params: dict[str, Any], words: list[str]) -> None:
    [sentence] = filters.problems(params, KNOWN)
    for word in words:
        assert word in sentence.replace("\\", "")


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"importance": ["critcal"]}, ["critcal", "critical"]),
        ({"since": ["soon"]}, ["soon", "date and time"]),
        ({"until": ["later"]}, ["no filter called", "until"]),
        ({"storm": ["7"]}, ["no filter called", "storm"]),
        ({"q": ["anything"], "embed": ["true"]}, None),
    ],
)
def test_a_page_names_what_its_own_controls_do_not_understand(
    params: dict[str, list[str]], words: list[str] | None
) -> None:
    offered = {"importance": filters.IMPORTANCES}
    sentences = filters.not_among(params, offered, ("q", "since"))
    assert len(sentences) == (words is not None)
    for word in words or ():
        assert word in sentences[0].replace("\\", "")


def test_each_of_several_values_is_named_and_at_most_three_of_one_filter() -> None:
    given = {
        "severity": ["high"],
        "storm": ["a", "b", "c", "d"],
        "status": ["closed"],
        "importance": ["w", "x", "y", "z"],
    }
    sentences = filters.problems(given, KNOWN)
    named = ["severity", "a", "b", "c", "closed", "w", "x", "y"]
    assert len(sentences) == len(named)
    for sentence, name in zip(sentences, named, strict=True):
        assert f"“{name}”" in sentence


def test_hostile_values_are_shown_as_text_and_not_at_length() -> None:
    sentences = filters.problems(
        {"importance": ["<img src=x> **a** :red[b] \x00\n" + "x" * 9_999] * 50}, KNOWN
    )
    assert len(sentences) <= 10
    for sentence in sentences:
        assert r"\<img" in sentence
        assert r"\*\*a\*\*" in sentence
        assert ":red[" not in sentence
        assert len(sentence) < 400


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"importance": ["high", "low"], "view": ["all"], "range": ["7d"], "size": ["20"]},
        {"category": ["Crypto"], "rule": ["cpu"], "sort": ["last seen ↑"], "state": ["FAILED"]},
        {"ticker": ["anything"], "q": ["<b>"], "since": ["2026-11-20T10:00"], "event": ["7"]},
        {"embed": ["true"]},
    ],
)
def test_what_is_understood_is_not_complained_about(params: dict[str, list[str]]) -> None:
    assert filters.problems(params, KNOWN) == []


@pytest.mark.parametrize(
    ("choice", "length", "step"),
    [
        (Choice(), DAY, timedelta(hours=1)),
        (Choice(view="all", range="1h"), timedelta(hours=1), timedelta(minutes=5)),
        (Choice(view="all", range="7d"), 7 * DAY, timedelta(hours=1)),
        (Choice(view="all", range="30d"), 30 * DAY, timedelta(hours=4)),
        (Choice(view="all", range="any"), 30 * DAY, timedelta(hours=4)),
    ],
)
def test_the_histogram_has_bars_of_a_readable_width(
    choice: Choice, length: timedelta, step: timedelta
) -> None:
    start, end, width = filters.bars(choice, NOON)
    assert (end - start, width) == (length, step)


def test_a_window_of_years_or_none_at_all_still_has_few_bars() -> None:
    for since in (datetime(1970, 1, 1, tzinfo=UTC), NOON + DAY):
        start, end, width = filters.bars(Choice(view="all", since=since), NOON)
        assert 1 <= (end - start) / width + 1 <= 202


def test_the_page_always_says_which_time_it_shows() -> None:
    assert filters.shown_window(Choice(), NOON, UTC) == "unacknowledged"
    assert filters.shown_window(Choice(view="all"), NOON, UTC) == "of the last 24 hours"
    for span, said in (
        ("1h", "the last hour"),
        ("4h", "the last 4 hours"),
        ("7d", "the last 7 days"),
    ):
        words = filters.shown_window(Choice(view="all", range=span), NOON, UTC)
        assert words == f"of {said}"
    words = filters.shown_window(Choice(since=NOON), NOON, UTC)
    assert words == "2026-11-20 12:00 to now"
    early = Choice(since=NOON, until=NOON + DAY)
    words = filters.shown_window(early, NOON, timezone(timedelta(hours=-5)))
    assert words.startswith("2026-11-20 07:00")
    assert " to 2026-11-21 07:00" in words
    words = filters.shown_window(Choice(view="all", range="2h"), NOON, UTC)
    assert words == "of any age"  # no such range: nothing is cut off


@pytest.mark.parametrize(
    ("typed", "number"),
    [("7", 7), (" 12 ", 12), ("", None), ("x", None), ("²", None), ("-1", None), ("9" * 19, None)],
)
def test_a_storm_is_asked_for_by_its_number(typed: str, number: int | None) -> None:
    choice = Choice(view="all", range="any", storm=typed)
    assert filters.to_filter(choice, NOON).storm == number
    said = ", of storm" in filters.shown_window(choice, NOON, UTC)
    assert said is (number is not None)


def test_a_storm_that_is_no_number_is_named() -> None:
    assert filters.problems({"storm": ["7"]}, KNOWN) == []
    [problem] = filters.problems({"storm": ["seven"]}, KNOWN)
    assert "“seven” is not understood" in problem


def test_the_address_of_a_storm_is_understood() -> None:
    assert filters.storm_address(7) == "./?view=all&range=any&storm=7"
    given = {"view": ["all"], "range": ["any"], "storm": ["7"]}
    assert filters.problems(given, KNOWN) == []
