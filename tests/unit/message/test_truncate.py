"""Markup that is cut stays whole: no half entity or link, no formatting left open."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sentinel_core.message.content import Content, Medium
from sentinel_core.message.escaping import ESCAPES
from sentinel_core.message.render import render
from sentinel_core.message.truncate import truncate
from tests.unit.message.given import LINKS, hostile, item
from tests.unit.message.test_injection import slack_acts_on

SLACK = "*bold & <https://a.example/x_y|label>* ~`code`~ _soft_ end"
MARKDOWN = "**bold & [label](https://a.example/x_y)** ~~`code`~~ _soft_ \\* end"


@pytest.mark.parametrize(
    ("medium", "text", "limit", "expected"),
    [
        (Medium.SLACK, "short", 5, "short"),
        (Medium.SLACK, "a &amp; b", 6, "a…"),
        (Medium.SLACK, "a &amp; b", 8, "a &amp;…"),
        (Medium.SLACK, "a <https://a.example|label> b", 20, "a…"),
        (Medium.SLACK, "<https://a.example|x_y*z> more", 27, "<https://a.example|x_y*z>…"),
        (Medium.SLACK, "*bold text*", 8, "*bold…*"),
        (Medium.SLACK, "*bold _and soft_*", 12, "*bold _an…_*"),
        (Medium.SLACK, "*closed* and more", 12, "*closed* an…"),
        (Medium.SLACK, "`a * b` and more", 6, "`a…`"),
        (Medium.SLACK, "```\na * b\n``` and more", 12, "```\na…\n```"),
        (Medium.SLACK, "*a _b c* and more", 14, "*a _b c* and…"),  # its end closes all within
        (Medium.SLACK, "`a *b and c` more", 9, "`a *b a…`"),  # code has no marks
        (Medium.SLACK, "*a\nb and more", 8, "*a\nb an…"),  # a mark does not span lines
        (Medium.SLACK, "2 * 3 is not bold", 10, "2 * 3 is…"),
        (Medium.SLACK, "cache_hit_rate falls", 12, "cache_hit_r…"),
        (Medium.MARKDOWN, "**bold text**", 9, "**bold…**"),
        (Medium.MARKDOWN, "a [label](https://a.example) b", 6, "a…"),
        (Medium.MARKDOWN, "a [label](https://a.example) b", 10, "a…"),
        (Medium.MARKDOWN, "a [label](https://a.example) b", 20, "a…"),
        (Medium.MARKDOWN, r"a \[label\] b and more", 8, r"a \[lab…"),
        (Medium.MARKDOWN, r"a \* b and more", 4, "a…"),
        (Medium.MARKDOWN, r"\*not bold\* and more", 10, r"\*not bol…"),
        (Medium.MARKDOWN, "~~struck text~~", 9, "~~stru…~~"),
        (Medium.PLAIN, "a < b & c *and* more", 9, "a < b & …"),
        (Medium.SHORT, "R&D and more", 5, "R&D …"),
    ],
)
def test_a_cut_leaves_whole_markup(medium: Medium, text: str, limit: int, expected: str) -> None:
    assert truncate(medium, text, limit) == expected


@pytest.mark.parametrize("limit", range(6, len(SLACK) + 1))
def test_slack_has_no_open_mark_wherever_a_text_is_cut(limit: int) -> None:
    text = truncate(Medium.SLACK, SLACK.replace("&", "&amp;"), limit)
    assert len(text) <= limit
    rest = re.sub(r"<[^<>]*>", "", text)
    assert not re.search(r"&(?!amp;)|[<>]", rest)
    assert [mark for mark in "*~`_" if rest.count(mark) % 2] == []


@pytest.mark.parametrize("limit", range(8, len(MARKDOWN) + 1))
def test_markdown_has_no_open_mark_wherever_a_text_is_cut(limit: int) -> None:
    text = truncate(Medium.MARKDOWN, MARKDOWN, limit)
    assert len(text) <= limit
    parser = MarkdownIt("commonmark").enable(["strikethrough"])
    shown = "".join(part.content for part in parser.parse(text)[1].children or [])
    assert not re.search(r"[`~_\[\]()]|\*\*", shown), "shown as text, so it formats nothing"


@settings(max_examples=100, deadline=None)
@given(text=hostile, repeat=st.integers(1, 300), limit=st.integers(10, 200))
def test_escaped_text_stays_escaped_when_it_is_cut(text: str, repeat: int, limit: int) -> None:
    cut = truncate(Medium.SLACK, ESCAPES[Medium.SLACK].inline(text * repeat, 5_000), limit)
    assert len(cut) <= limit
    assert slack_acts_on(cut) == []
    cut = truncate(Medium.MARKDOWN, ESCAPES[Medium.MARKDOWN].inline(text * repeat, 5_000), limit)
    tokens = MarkdownIt("commonmark").parse(f"x {cut}")
    assert {part.type for part in tokens[1].children or []} <= {"text", "text_special"}


@pytest.mark.parametrize("length", range(2_810, 2_900))
def test_a_rules_own_text_is_cut_between_its_marks(length: int) -> None:
    source = "*{{ event.message }}* <https://a.example/?a=1&amp;b=2|*label*> *more*"
    long = item(message="5 < 6 & 7", metadata={})
    padded = f"{'x' * length} {source}"
    message = render(
        Medium.SLACK, Content(items=(long,), templates={"slack": {"body": padded}}), LINKS
    )
    said = message.payload["attachments"][0]["blocks"][0]["text"]["text"]
    assert len(said) <= 2_900
    rest = re.sub(r"<[^<>]*>", "", said)
    assert not re.search(r"[<>]", rest)
    assert rest.count("*") % 2 == 0
