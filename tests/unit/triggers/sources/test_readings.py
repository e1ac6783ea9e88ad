"""What counts as a number, and what the rest is."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_core.model.alert import AlertOutput
from triggers.sources.errors import SourceError
from triggers.sources.readings import MOST_SERIES, Reading, distinct, fitting_ticker, reading


@pytest.mark.parametrize(
    ("found", "value"),
    [
        (0, 0.0),
        (-3, -3.0),
        (2.5, 2.5),
        (Decimal("12.25"), 12.25),
        ("12.5", 12.5),
        (" 7 ", 7.0),
        ("-1e+06", -1e6),
        (".5", 0.5),
        ("1e-400", 0.0),
        (2**53, 2.0**53),
    ],
)
def test_a_number_is_a_number_however_it_is_written(found: object, value: float) -> None:
    assert reading(found) == Reading(value)


@pytest.mark.parametrize("found", [None, math.nan, "NaN", "nan", "-NaN", Decimal("NaN")])
def test_nothing_is_no_data(found: object) -> None:
    read = reading(found, "a")
    assert (read.problem, read.value, read.ticker) == ("no_data", None, "a")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (True, "is true, not a number"),
        (False, "is false"),
        ("", "is '', not a number"),
        ("up", "is 'up', not a number"),
        ("12,5", "not a number"),
        ("1_000", "not a number"),
        ("0x10", "not a number"),
        ("٣", "not a number"),
        ("12 %", "not a number"),
        ("x" * 10_000, "is 'xxxx"),
        ([], "is a list"),
        ({}, "is an object"),
        (b"1", "is bytes"),
        (math.inf, "is infinite"),
        ("+Inf", "is infinite"),
        ("-Infinity", "is infinite"),
        ("1e999", "is infinite"),
        (10**400, "no number"),
        (Decimal("1e999"), "is infinite"),
        (Decimal("sNaN"), "no number"),
    ],
)
def test_nonsense_is_an_error_and_told_in_few_words(found: object, said: str) -> None:
    read = reading(found)
    assert (read.problem, read.value) == ("error", None)
    assert said in read.note
    assert len(read.note) < 100


@given(st.one_of(st.text(), st.floats(), st.integers(), st.none(), st.booleans()))
def test_whatever_is_found_is_a_finite_number_or_a_problem(found: object) -> None:
    read = reading(found)
    assert (read.value is None) == (read.problem is not None)
    assert read.value is None or math.isfinite(read.value)


@given(st.text())
def test_every_text_becomes_a_ticker_that_an_output_takes_as_it_is(text: str) -> None:
    ticker = fitting_ticker(text)
    assert AlertOutput(triggered=False, ticker=ticker).ticker == ticker


def test_long_tickers_that_differ_at_their_ends_still_differ() -> None:
    one, other = fitting_ticker("x" * 300 + "a"), fitting_ticker("x" * 300 + "b")
    assert one != other
    assert len(one) == len(other) == 200


def test_series_that_nobody_can_tell_apart_are_in_error_and_the_others_are_not() -> None:
    found = distinct([Reading(1, "a\x01"), Reading(2, "b"), Reading(3, "a\x02")])
    assert [(one.ticker, one.value, one.problem) for one in found] == [
        ("a\N{REPLACEMENT CHARACTER}", None, "error"),
        ("b", 2, None),
    ]
    assert "2 series have this one ticker" in found[0].note


def test_too_many_series_are_an_error() -> None:
    series = [Reading(n, str(n)) for n in range(MOST_SERIES + 1)]
    assert len(distinct(series[:-1])) == MOST_SERIES
    with pytest.raises(SourceError, match="10,001 series, more than 10,000"):
        distinct(series)
