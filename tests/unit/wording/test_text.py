"""Numbers, times and lengths as people read them, for whatever shows an event."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_core.message.escaping import slack_escape
from sentinel_core.model.times import span
from sentinel_core.wording.sparkline import BARS, sparkline
from sentinel_core.wording.text import (
    fitting,
    flat,
    is_address,
    shorten,
    value_against_threshold,
    without_userinfo,
)
from sentinel_core.wording.times import moment


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://ana:geheim@host/api", "http://***@host/api"),
        (
            "no answer for url 'http://u:ge/heim@x@host:1/api'",
            "no answer for url 'http://***@host:1/api'",
        ),
        ("http://host/api", "http://host/api"),
    ],
)
def test_user_names_and_passwords_of_addresses_are_hidden(text: str, shown: str) -> None:
    assert without_userinfo(text) == shown


def test_slacks_control_characters_are_escaped() -> None:
    assert slack_escape("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"


@pytest.mark.parametrize(
    ("metrics", "unit", "text"),
    [
        ({"value": 97.25, "threshold": 90}, "%", "97.25% against threshold 90%"),
        ({"value": 512, "threshold": 256}, "MB", "512 MB against threshold 256 MB"),
        ({"value": -1e308, "threshold": 10**308}, None, "-1e+308 against threshold 1e+308"),
        ({"value": 1_234_567.8, "threshold": 1e6}, "", "1,234,568 against threshold 1,000,000"),
        ({"value": 0.12345678, "threshold": 0}, "", "0.123457 against threshold 0"),
        ({"value": 1}, "%", None),
        ({"threshold": 1}, "%", None),
        ({}, "%", None),
    ],
)
def test_the_value_stands_against_its_threshold(
    metrics: dict[str, float], unit: str | None, text: str | None
) -> None:
    assert value_against_threshold(metrics, {"unit": unit}) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "0.2 s"),
        (45, "45 s"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (1_200, "20 min"),
        (7_500, "2 h 5 min"),
        (3_600, "1 h"),
        (100_000, "1 d 3 h"),
    ],
)
def test_a_span_of_time_is_told_in_its_two_largest_parts(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_times_are_told_in_utc() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert moment(datetime(2026, 11, 2, 18, tzinfo=tokyo)) == "2026-11-02 09:00:00 UTC"


def test_a_text_that_is_cut_says_so() -> None:
    assert shorten("abcdef", 4) == "abc…"
    assert shorten("abcd", 4) == "abcd"


@given(st.text())
def test_flat_text_has_one_line(text: str) -> None:
    assert len(flat(text).splitlines()) <= 1
    assert len(flat(text)) <= 200


@given(st.text(alphabet="<&a", max_size=200), st.integers(10, 300))
def test_text_is_cut_where_its_escaped_form_still_fits(text: str, limit: int) -> None:
    cut = fitting(text, limit, slack_escape)
    assert len(cut) <= limit
    if cut != slack_escape(text):
        assert cut.endswith("…")
        longer = text[: text_length(cut) + 1]
        assert len(slack_escape(longer + "…")) > limit, "one more would have fitted"


def text_length(cut: str) -> int:
    """How many characters of the original stand in an escaped text that was cut."""
    return len(cut.removesuffix("…").replace("&lt;", "<").replace("&amp;", "&"))


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("https://wiki.example.org/runbooks/a_b?x=1&y=2#z", True),
        ("http://127.0.0.1:8501", True),
        ("docs/runbooks/price_surge.md", False),
        ("javascript:alert(1)", False),
        ("https://a.example/ https://b.example", False),
        ('https://a.example/" onclick="x', False),
        ("https://a.example/|label", False),
        ("https://a.example/)[x](y", False),
        ("https://a.example/\n", False),
        ("", False),
    ],
)
def test_only_a_plain_web_address_becomes_a_link(text: str, is_one: bool) -> None:
    assert is_address(text) is is_one


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([1.0], "▁"),
        ([2.0, 2.0, 2.0], "▁▁▁"),
        ([0.0, 1.0], "▁█"),
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([-1.7e308, 1.7e308], "▁█"),
    ],
)
def test_values_become_bars(values: list[float], line: str) -> None:
    assert sparkline(values) == line


def test_of_many_values_each_bar_is_the_highest_of_its_stretch() -> None:
    values = [0.0] * 300
    values[150] = 1.0
    line = sparkline(values, width=30)
    assert line == "▁" * 15 + "█" + "▁" * 14


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=200))
def test_a_line_of_bars_has_as_many_as_fit(values: list[float]) -> None:
    line = sparkline(values)
    assert len(line) == min(len(values), 30)
    assert set(line) <= set(BARS)
