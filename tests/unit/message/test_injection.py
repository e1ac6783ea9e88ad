"""Nothing from outside is interpreted: by Slack, a mail program, a header, Markdown or Jinja.

Each test compares what a medium would act on in a message about a hostile event with the same in
a message about a harmless one: it must be the same elements, links and marks, and none more.
"""

import re
from email.message import EmailMessage
from email.policy import SMTP
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sentinel_core.message.content import About, Content, Medium, Message
from sentinel_core.message.escaping import ESCAPES
from sentinel_core.message.render import render
from tests.support.search import examples
from tests.unit.message.given import (
    ATTACKS,
    BLOTTER,
    LINKS,
    PREFECT,
    STORM,
    hostile,
    hostile_columns,
    item,
    mrkdwn_of,
    reasons,
    told,
    told_of,
    without_fences,
)

UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
JOINER = "\N{WORD JOINER}"
FACTS = st.fixed_dictionaries(
    {
        "by_rule": st.lists(st.tuples(hostile, st.integers(1, 99)), max_size=4),
        "by_category": st.lists(st.tuples(hostile, st.integers(1, 99)), max_size=4),
    }
)
everywhere = settings(max_examples=examples(150), deadline=None)


def attacked(text: str) -> dict[str, Any]:
    """An event with `text` wherever text can be."""
    names = ("rule_name", "ticker", "category", "message", "runbook", "suggested_action", "comment")
    return {
        **dict.fromkeys(names, text),
        "metadata": {text: text, "unit": text, "x": [{text: text}]},
    }


# Slack


def slack_acts_on(text: str) -> list[str]:
    """Control sequences, and marks of formatting that nothing keeps from being one."""
    text = without_fences(text)
    controls = re.findall(r"<[^>]*>", text)
    rest = re.sub(r"<[^>]*>", "", text)
    rest = re.sub(r"(?m)^> ", "", rest)
    bare = re.findall(
        rf"[*~`](?!{JOINER})|(?<![A-Za-z0-9])_(?!{JOINER})|_(?![A-Za-z0-9{JOINER}])", rest
    )
    emoji = re.findall(r":[\w+'-]*[A-Za-z+][\w+'-]*:|:100:|:1234:", rest, re.ASCII)
    quotes = re.findall(r"(?m)^(?:>|&gt;).*", rest)
    entities = re.findall(r"&(?!amp;|lt;|gt;)", rest)
    return [*controls, *bare, *emoji, *quotes, *entities]


OURS = (f"<{BLOTTER}|Open in the blotter>", f"<{PREFECT}|Flow run in Prefect>")


def slack_is_not_fooled(message: Message, links: tuple[str, ...]) -> None:
    for text in [*mrkdwn_of(message), message.body, message.subject]:
        acted = slack_acts_on(text)
        controls = [part for part in acted if part.startswith("<")]
        runbook = [
            part for part in controls if re.fullmatch(r"<https?://[^|<>\s]+\|Runbook>", part)
        ]
        assert [part for part in controls if part not in runbook] in ([], list(links))
        rest = [part for part in acted if part not in controls]
        # Ours: *HIGH*, *Next step:*, *name* of each piece of evidence, and the line of bars.
        assert set(rest) <= {"*", "`"}
        assert rest.count("`") in {0, 2}
        assert rest.count("*") % 2 == 0
        assert not UNPRINTABLE.search(text)
        text.encode()


@pytest.mark.parametrize("attack", ATTACKS)
def test_slack_sees_in_a_hostile_event_what_it_sees_in_a_harmless_one(attack: str) -> None:
    message = told(Medium.SLACK, item(**attacked(attack)))
    slack_is_not_fooled(message, OURS)
    [said] = mrkdwn_of(message)[1:2]
    marks = said.count("*") - said.count("*" + JOINER)
    assert marks == 2, "only those of 'Next step'"


@everywhere
@given(columns=hostile_columns, reason=reasons)
def test_slack_is_fooled_by_no_event(columns: dict[str, Any], reason: str) -> None:
    message = told(Medium.SLACK, item(reason, **columns))
    slack_is_not_fooled(message, OURS)
    lines = [line for line in message.body.split("\n") if not line.startswith("> ")]
    at_most = 1 + 1 + 1 + 12 + 1 + 2  # comment, against, step, evidence, bars, time and links
    assert len(lines) <= at_most
    assert lines[-1].startswith(" · ".join(OURS))
    assert len(message.subject.splitlines()) == 1


@everywhere
@given(columns=hostile_columns)
def test_slack_is_fooled_by_no_group(columns: dict[str, Any]) -> None:
    message = told(Medium.SLACK, item(**columns), item(**columns))
    for text in [*mrkdwn_of(message), message.body]:
        controls = re.findall(r"<[^>]*>", text)
        for control in controls:
            assert control.startswith((f"<{BLOTTER}|", f"<{LINKS.viewer_url}|"))
        marks = [part for part in slack_acts_on(text) if part not in controls]
        assert set(marks) <= {"*"}, "those of the title"
    assert len(mrkdwn_of(message)[2].split("\n")) == 2


@everywhere
@given(facts=FACTS)
def test_no_name_in_a_storm_gets_out_of_its_block_of_code(facts: dict[str, Any]) -> None:
    message = told_of(About.STORM, {**STORM, **facts}, Medium.SLACK)
    for text in mrkdwn_of(message):
        assert text.count("```") in {0, 2}
        assert "<" not in text.replace(f"<{LINKS.viewer_url}|Open the blotter>", "")
        assert set(slack_acts_on(text)) <= {"*", f"<{LINKS.viewer_url}|Open the blotter>"}


@everywhere
@given(hostile)
def test_text_comes_back_from_slack_as_it_was(text: str) -> None:
    shown = ESCAPES[Medium.SLACK].inline(text, 10_000).replace(JOINER, "")
    shown = shown.removeprefix("\N{ZERO WIDTH NON-JOINER}")
    shown = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    clean = UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))
    clean = re.sub("[\u061c\ufffe\uffff]", "\N{REPLACEMENT CHARACTER}", clean)
    assert shown == " ".join(clean.split()).replace(JOINER, "").removeprefix(
        "\N{ZERO WIDTH NON-JOINER}"
    )


def test_names_with_underscores_can_be_copied_from_slack() -> None:
    assert ESCAPES[Medium.SLACK].inline("cache_hit_rate") == "cache_hit_rate"
    assert ESCAPES[Medium.SLACK].inline("_cache_") == f"_{JOINER}cache_{JOINER}"


# HTML


class Seen(HTMLParser):
    """What a mail program would make of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.ends: list[str] = []
        self.others: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # The text that stands for a picture, and the runbook's address, are the event's own.
        own = [
            (name, value)
            for name, value in attrs
            if name != "alt" and not (name == "href" and value not in (BLOTTER, PREFECT))
        ]
        self.elements.append((tag, tuple(own)))

    def handle_endtag(self, tag: str) -> None:
        self.ends.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)


def seen(message: Message) -> Seen:
    page = Seen()
    page.feed(message.html or "")
    page.close()
    return page


def shape_of(page: Seen) -> list[Any]:
    """Elements but for the line breaks of a quoted text."""
    return [part for part in page.elements if part[0] != "br"]


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_element_or_attribute_of_an_email_comes_from_an_event(attack: str) -> None:
    harmless = seen(told(Medium.EMAIL, item(**attacked("harmless"))))
    page = seen(told(Medium.EMAIL, item(**attacked(attack))))
    assert shape_of(page) == shape_of(harmless)
    assert page.ends == harmless.ends
    assert page.others == []


@everywhere
@given(columns=hostile_columns, reason=reasons)
def test_no_event_brings_an_element_into_an_email(columns: dict[str, Any], reason: str) -> None:
    page = seen(told(Medium.EMAIL, item(reason, **columns)))
    tags = {"html", "head", "meta", "title", "style", "body", "table", "tr", "td", "span", "div"}
    assert {tag for tag, _ in page.elements} <= tags | {"a", "img", "strong", "br"}
    names = {name for _, attributes in page.elements for name, _ in attributes}
    assert not {name for name in names if name.startswith("on")}
    assert names <= {
        *("lang", "charset", "name", "content", "class", "style", "role", "width", "height"),
        *("cellpadding", "cellspacing", "align", "src", "href"),
    }
    for tag, attributes in page.elements:
        given_by = dict(attributes)
        assert given_by.get("src", "cid:chart") == "cid:chart"
        if tag == "a":
            assert given_by.get("href", BLOTTER) in (BLOTTER, PREFECT)
    assert page.others == []


def test_a_mail_shows_an_attack_as_the_text_it_is() -> None:
    attack = "<script>alert(1)</script> &lt;b&gt; \"'"
    assert attack in seen(told(Medium.EMAIL, item(message=attack))).text


@pytest.mark.parametrize(
    "runbook", ["javascript:alert(1)", 'https://x/" onclick="y', "data:text/html,x"]
)
def test_a_runbook_that_is_no_web_address_is_no_link(runbook: str) -> None:
    message = told(Medium.EMAIL, item(runbook=runbook))
    assert 'href="javascript' not in (message.html or "")
    page = Seen()
    page.feed((message.html or "").replace(BLOTTER, "").replace(PREFECT, ""))
    assert sum(tag == "a" for tag, _ in page.elements) == 2


# Headers


@everywhere
@given(rule_name=hostile, ticker=hostile, by=hostile)
def test_a_subject_is_one_header_and_no_more(rule_name: str, ticker: str, by: str) -> None:
    hostile_texts = {"rule_name": rule_name, "ticker": ticker, "acknowledged_by": by}
    event = item("acknowledged", history=(), **hostile_texts)
    for medium in (Medium.EMAIL, Medium.PLAIN, Medium.PAGERDUTY):
        subject = told(medium, event).subject
        assert len(subject.splitlines()) == 1
        assert not UNPRINTABLE.search(subject)
        mail = EmailMessage(policy=SMTP)
        mail["Subject"] = subject
        mail.set_content("x")
        raw = mail.as_bytes()
        assert raw.count(b"\r\nBcc:") == 0
        assert mail.keys() == [
            "Subject",
            "Content-Type",
            "Content-Transfer-Encoding",
            "MIME-Version",
        ]


# Markdown


def markdown_of(text: str) -> list[tuple[str, str]]:
    """The tokens CommonMark with tables and strikethrough finds, and where links lead."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    return [
        (part.type, str(part.attrs.get("href", "")))
        for token in tokens
        for part in [token, *(token.children or [])]
        if part.type not in {"text", "softbreak", "hardbreak", "inline"}
    ]


OF_A_QUOTE = {"blockquote_open", "blockquote_close", "paragraph_open", "paragraph_close"}


@pytest.mark.parametrize("attack", ATTACKS)
def test_markdown_has_no_link_or_format_of_an_events_own(attack: str) -> None:
    harmless = markdown_of(told(Medium.MARKDOWN, item(**attacked("harmless"))).body)
    body = told(Medium.MARKDOWN, item(**attacked(attack))).body
    assert [part for part in markdown_of(body) if part[0] not in OF_A_QUOTE] == [
        part for part in harmless if part[0] not in OF_A_QUOTE
    ]
    assert markdown_of(told(Medium.MARKDOWN, item(**attacked(attack))).subject) == [
        ("paragraph_open", ""),
        ("paragraph_close", ""),
    ]


@everywhere
@given(columns=hostile_columns, reason=reasons)
def test_markdown_is_fooled_by_no_event(columns: dict[str, Any], reason: str) -> None:
    message = told(Medium.MARKDOWN, item(reason, **columns))
    parts = markdown_of(message.body)
    assert {kind for kind, _ in parts} <= OF_A_QUOTE | {
        *("strong_open", "strong_close", "link_open", "link_close", "code_inline"),
        *("bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"),
    }
    links = {href for kind, href in parts if kind == "link_open"}
    runbook = columns["runbook"] or ""
    assert {BLOTTER, PREFECT} <= links <= {BLOTTER, PREFECT, runbook}
    assert sum(kind == "code_inline" for kind, _ in parts) == 1, "the bars"


@everywhere
@given(columns=hostile_columns)
def test_nobody_is_mentioned_in_markdown(columns: dict[str, Any]) -> None:
    message = told(Medium.MARKDOWN, item(**columns), item(**columns))
    for text in (message.subject, message.body, told(Medium.MARKDOWN, item(**columns)).body):
        assert not re.search(rf"@(?!{JOINER})", text)
        assert not re.search(r"(?<!\\)<[@#!:/a-zA-Z]", text)


# Lines of ours


@everywhere
@given(columns=hostile_columns, reason=reasons)
def test_no_line_of_plain_text_is_forged(columns: dict[str, Any], reason: str) -> None:
    body = told(Medium.PLAIN, item(reason, **columns)).body
    ours = [line for line in body.split("\n") if line and not line.startswith("> ")]
    assert ours.count(f"Open in the blotter: {BLOTTER}") == 1
    assert ours.count(f"Flow run in Prefect: {PREFECT}") == 1
    assert sum(line.startswith("2026-11-02") for line in ours) <= 1 + len(columns["metadata"])
    assert not UNPRINTABLE.search(body)
    body.encode()


# Jinja


@pytest.mark.parametrize("medium", list(Medium))
def test_a_template_in_an_event_is_shown_and_not_run(medium: Medium) -> None:
    event = item(message="{{ 7*7 }} {% if x %}", rule_name="{{ event }}", ticker="{% raw %}")
    message = told(medium, event)
    both = f"{message.subject}\n{message.body}\n{message.html}".replace(JOINER, "").replace(
        "\\", ""
    )
    assert "{{ 7*7 }} {% if x %}" in both
    assert "{{ event }}" in both
    assert "49" not in message.body


@everywhere
@given(columns=hostile_columns, medium=st.sampled_from(list(Medium)))
def test_a_rules_own_template_escapes_as_the_standard_one_does(
    columns: dict[str, Any], medium: Medium
) -> None:
    source = "{{ event.rule }}|{{ event.message }}|{{ event.metadata|items|length }}"
    part = {Medium.EMAIL: "html", Medium.PAGERDUTY: "summary"}.get(medium, "body")
    content = Content(
        items=(item(**{**columns, "runbook": None}),), templates={medium.value: {part: source}}
    )
    message = render(medium, content, LINKS)
    assert "template" not in message.body.replace("{{", "")
    if medium is Medium.EMAIL:
        assert seen(message).elements == []
    elif medium is Medium.SLACK:
        slack_is_not_fooled(message, OURS)


@everywhere
@given(hostile)
def test_markdown_shows_the_text_that_was_meant(text: str) -> None:
    line = ESCAPES[Medium.MARKDOWN].inline(text, 10_000)
    tokens = MarkdownIt("commonmark").parse(f"x{JOINER} {line}")
    shown = "".join(part.content for part in tokens[1].children or []).replace(JOINER, "")
    assert shown == f"x {line_of(text)}".rstrip()


def line_of(text: str) -> str:
    """Text on one line, as plain text has it."""
    return ESCAPES[Medium.PLAIN].inline(text, 10_000).replace(JOINER, "")


def test_the_id_of_a_run_cannot_leave_its_link() -> None:
    event = item(prefect_flow_run_id="1|x> <!channel> (y)\n\"'")
    links = [part for part in slack_acts_on(told(Medium.SLACK, event).body) if part.startswith("<")]
    assert len(links) == 2
    assert all(link.count("|") == 1 for link in links)
    assert len(seen(told(Medium.EMAIL, event)).elements) == len(
        seen(told(Medium.EMAIL, item())).elements
    )
