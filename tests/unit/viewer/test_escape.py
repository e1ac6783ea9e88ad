"""Text from outside is text, whatever it looks like."""

from datetime import UTC

import pytest

from sentinel_core.wording.text import counted
from sentinel_core.wording.times import clock, stamp
from tests.support.recorded import NOON
from viewer import escape


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words, 5", "plain words, 5"),
        ("**a** _b_ `c`", r"\*\*a\*\* \_b\_ \`c\`"),
        ("[x](http://y)", "\\[x\\]\\(http:\u2060//y\\)"),
        ("<b>&amp;", r"\<b\>\&amp;"),
        ("$x$ # h | t", r"\$x\$ \# h \| t"),
        (":red[x] :material/bolt:", ":\u2060red\\[x\\] :\u2060material/bolt:\u2060"),
        ("a\n\nb\x00", "a b\ufffd"),
        ("a@b.com www.x.y WwW.z", "a@\u2060b\\.com www\u2060\\.x\\.y WwW\u2060\\.z"),
    ],
)
def test_markup_is_shown_as_it_was_written(text: str, shown: str) -> None:
    assert escape.plain(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("run `sentinel up`.", r"run `sentinel up`\."),
        ("`a` or `b`", "`a` or `b`"),
        ("one ` alone, *b*", r"one \` alone, \*b\*"),
        ("``", r"\`\`"),
        ("`a\nb:red[c]`", "`a b:red[c]`"),
        ("`a|b`", r"\`a\|b\`"),
    ],
)
def test_a_command_in_a_sentence_is_code(text: str, shown: str) -> None:
    assert escape.sentence(text) == shown


def test_long_text_is_cut_before_it_is_escaped() -> None:
    assert escape.plain("*" * 9, limit=3) == r"\*\*…"


@pytest.mark.parametrize("name", [None, "", "Nowhere/Town", "../../etc/passwd", "\x00", "a" * 999])
def test_a_browser_in_an_unknown_zone_sees_utc(name: str | None) -> None:
    assert escape.zone(name) is UTC


def test_times_are_shown_in_the_zone_of_whoever_looks() -> None:
    where = escape.zone("America/New_York")
    assert clock(NOON, where) == "07:00:00"
    assert stamp(NOON, where) == "2026-11-20 07:00:00"
    assert stamp(None, where) == ""


def test_a_count_that_stopped_says_so() -> None:
    assert escape.number(10_000, 10_000) == "10,000"
    assert escape.number(10_001, 10_000) == "10,000+"
    assert counted(1, "event") == "1 event"
    assert counted(2_000, "event") == "2,000 events"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("sentinel up", "`sentinel up`"), ("a`b`\nc", "`a'b' c`"), ("x" * 9, "`xx…`")],
)
def test_what_is_to_be_copied_stays_in_its_quotes(text: str, shown: str) -> None:
    assert escape.code(text, limit=3 if text.startswith("x") else 99) == shown


def test_a_time_in_a_table_is_not_broken_in_two() -> None:
    assert escape.short_time(NOON, UTC) == "11\u201120\u00a012:00:00"
