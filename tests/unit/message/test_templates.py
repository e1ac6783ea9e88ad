"""A rule's own templates: what they can say, what they cannot do, and what becomes of a bad one."""

import html
import re
import time
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import nodes

from sentinel_core.message.check_templates import check_templates
from sentinel_core.message.content import About, Content, Item, Medium, Message
from sentinel_core.message.event_view import view
from sentinel_core.message.render import render
from sentinel_core.message.template_language import REFUSED
from sentinel_core.message.templating import PARTS, language, standard
from tests.support.processes import ROOT
from tests.unit.message.given import EVENT, LINKS, STORM, item, told

BODY = "{{ event.rule }} says {{ event.message }}"


def with_template(
    source: str, *items: Item, medium: Medium = Medium.PLAIN, part: str = "body"
) -> Message:
    """The message of a rule with one template of its own."""
    content = Content(items=items or (item(),), templates={medium.value: {part: source}})
    return render(medium, content, LINKS)


def said(source: str, *items: Item) -> str:
    """What a template for plain text says."""
    return with_template(source, *items).body.split("\n\n")[0]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (BODY, "aapl-price-surge says AAPL trades at 151.2"),
        ("{{ event.value }} of {{ event.threshold|int }}", "151.2 of 150"),
        ("{{ (event.value / event.threshold * 100)|round(1) }}%", "100.8%"),
        ("{{ event.metrics.previous|figure }}", "147.9"),
        ("{{ event.metadata.source|upper }}", "CLOSE OF THE DAY"),
        ("{{ event.metadata['bars'][1] }}", "2"),
        ("{{ event.metadata.nothing|default('-') }}", "-"),
        ("{% if event.metadata.nothing is defined %}a{% else %}b{% endif %}", "b"),
        ("{{ 'late' if event.occurrences > 1 else 'new' }}", "late"),
        ("{% for fact in event.evidence %}{{ fact.name }} {% endfor %}", "source bars previous"),
        ("{{ event.first_seen }}", "2026-11-02 09:00:00 UTC"),
        ("{{ event.first_seen|when('%d %b, %H:%M') }}", "02 Nov, 09:00"),
        ("{{ event.message|shorten(6) }}", "AAPL …"),
        ("{{ event.url }}", "http://127.0.0.1:8501/?event=1"),
        ("{{ 7200|span }} {{ [1, 3]|sparkline }}", "2 h ▁█"),
        ("{{ event.comment }}{{ event.category }}", "Market"),
        ("{{ event.rule ~ '/' ~ event.ticker }}", "aapl-price-surge/AAPL"),
        ("{{ event.metadata.bars|sum }} {{ event.metadata.bars|max }}", "3 2"),
        ("{{ event.message|replace('AAPL', 'Apple') }}", "Apple trades at 151.2"),
        ("{{ title[1] }}: {{ against }}", "aapl-price-surge: 151.2 USD against threshold 150 USD"),
        ("{# a remark #}x", "x"),
        ("{{ event.value|quoted }}", "> 151.2"),
    ],
)
def test_a_template_says_what_its_author_wants(source: str, text: str) -> None:
    assert said(source) == text


def test_a_template_can_be_made_for_several_events() -> None:
    source = "{{ count }}: {{ events|map(attribute='ticker')|join(', ') }}"
    assert said(source, item(ticker="A"), item(ticker="B", importance="critical")) == "2: B, A"
    only = "{{ events|selectattr('importance', 'eq', 'critical')|map(attribute='ticker')|join }}"
    assert said(only, item(ticker="A"), item(ticker="B", importance="critical")) == "B"


def test_a_template_for_one_event_is_not_used_for_several() -> None:
    message = with_template("only {{ event.ticker }}", item(ticker="A"), item(ticker="B"))
    assert "only" not in message.body
    assert "A" in message.body
    assert "B" in message.body
    assert "template" not in message.body


def test_what_a_template_does_not_say_stays_with_the_message() -> None:
    body = with_template("mine").body
    assert body.startswith("mine\n\n")
    assert "Open in the blotter" in body
    assert "previous" in body


@pytest.mark.parametrize(
    ("medium", "part"), [(medium, part) for medium in Medium for part in PARTS[medium]]
)
def test_every_part_of_every_medium_can_be_said_otherwise(medium: Medium, part: str) -> None:
    message = with_template("mine: {{ event.ticker }}", medium=medium, part=part)
    whole = (message.subject, message.body, message.html, str(message.payload))
    assert any("mine: AAPL" in (text or "") for text in whole)
    assert message != told(medium)


@pytest.mark.parametrize(
    ("medium", "part"), [(medium, part) for medium in Medium for part in PARTS[medium]]
)
def test_the_standard_templates_are_files_of_the_package(medium: Medium, part: str) -> None:
    assert standard(medium, part).strip()
    assert check_templates({medium.value: {part: standard(medium, part)}}) == []


def test_storms_and_reports_have_no_rule_and_so_no_template_of_one() -> None:
    content = Content(About.STORM, facts=STORM, templates={"plain": {"body": "mine"}})
    assert "mine" not in render(Medium.PLAIN, content, LINKS).body


# What fails


BAD = {
    "{{ event.nope }}": "line 1: there is no 'nope' here",
    "one\n\n{{ nope }}": "line 3: 'nope' is undefined",
    "{{ event.rule": "line 1: unexpected end of template",
    "{{ event.message.upper() }}": "line 1: templates here do not offer a call",
    "{{ range(9) }}": "line 1: templates here do not offer a call",
    "{% set a = 1 %}": "line 1: templates here do not offer {% set %}",
    "{% include 'title.j2' %}": "line 1: templates here do not offer {% include %}",
    "{% macro m() %}{% endmacro %}": "line 1: templates here do not offer {% macro %}",
    "{{ 9 ** 9 ** 9 }}": "line 1: templates here do not offer **",
    "{{ 'x' * 999999999 }}": "line 1: '*' is for numbers",
    "{{ 'a' + 'b' }}": "line 1: '+' is for numbers; texts are joined with ~",
    "{{ '%999999999d' % 1 }}": "line 1: '%' is for numbers",
    "{{ 1 / 0 }}": "line 1: division by zero",
    "{{ event.message|format(1) }}": "line 1: No filter named 'format'",
    "{{ event.message|attr('upper') }}": "line 1: No filter named 'attr'",
    "{{ event.message|center(999999999) }}": "line 1: No filter named 'center'",
    "{{ event is callable }}": "line 1: No test named 'callable'",
    "{{ event.message.__class__ }}": "line 1: there is no '__class__' here",
    "{{ ''['__class__'] }}": "line 1: there is no '__class__' here",
    "{{ event['__class__'] }}": "line 1: there is no '__class__' here",
    "{{ event.timestamp.tzinfo }}": "line 1: there is no 'tzinfo' here",
    "{{ event.timestamp|when('%999999999d') }}": "line 1: '%999999999d' is no form for a time",
    "{{ self }}": "line 1: 'self' is undefined",
    "{{ events|map(attribute='nope')|join }}": "line 1: not every element has 'nope'",
    "{% for c in event.message %}{{ c }}{% endfor %}": "line 1: a loop runs over a list",
    "{{ " + "(" * 2_000 + "1" + ")" * 2_000 + " }}": "",
    "x" * 20_001: "line 1: longer than 20,000 characters",
}


@pytest.mark.parametrize("source", BAD)
def test_a_template_that_fails_costs_no_message_and_says_why(source: str) -> None:
    body = with_template(source).body
    assert "> AAPL trades at 151.2" in body
    [note] = [line for line in body.split("\n") if line.startswith("⚠️")]
    assert "The rule's template for plain body failed, this is the standard text: " in note
    assert BAD[source] in note


ALLOWED = {
    "Template", "Output", "TemplateData", "If", "For", "Name", "Const", "List", "Tuple",
    "Pair", "Getattr", "Getitem", "Slice", "Filter", "Test", "Keyword", "CondExpr", "Compare",
    "Operand", "Concat", "And", "Or", "Not", "Neg", "Pos", "Add", "Sub", "Mul", "Div",
    "FloorDiv", "Mod",
}  # fmt: skip
BY_EXTENSIONS = {  # of Jinja: none is loaded, and no other syntax makes these
    "NSRef", "ExprStmt", "OverlayScope", "Continue", "Break", "Scope", "EnvironmentAttribute",
    "ExtensionAttribute", "ImportedName", "InternalName", "MarkSafe", "MarkSafeIfAutoescape",
    "ContextReference", "DerivedContextReference",
}  # fmt: skip


def test_all_syntax_of_jinja_is_either_allowed_or_refused() -> None:
    def kinds(of: type[nodes.Node]) -> set[type[nodes.Node]]:
        below = of.__subclasses__()
        return {kind for sub in below for kind in kinds(sub)} if below else {of}

    unknown = {kind.__name__ for kind in kinds(nodes.Node) - set(REFUSED)}
    assert unknown == ALLOWED | BY_EXTENSIONS


@pytest.mark.parametrize("source", BAD)
def test_the_check_names_the_mistake_before(source: str) -> None:
    [mistake] = check_templates({"plain": {"body": source}})
    assert mistake.startswith("templates.plain.body: ")
    assert (BAD[source] or "nested too deeply") in mistake


@pytest.mark.parametrize(
    ("medium", "part"), [(medium, part) for medium in Medium for part in PARTS[medium]]
)
def test_every_medium_tells_that_a_template_failed(medium: Medium, part: str) -> None:
    message = with_template("{{ nope }}", medium=medium, part=part)
    texts = [message.body, str(message.payload), message.html or ""]
    why = "the rule's template failed" if medium is Medium.SHORT else "'nope' is undefined"
    assert [
        text for text in texts if "template" in text and html.unescape(why) in html.unescape(text)
    ]
    assert "AAPL" in "".join(texts)


def test_a_template_that_says_nothing_is_a_failure() -> None:
    assert "> AAPL trades at 151.2" in with_template("{{ event.comment }}").body
    assert check_templates({"plain": {"body": " "}}) == [
        "templates.plain.body: says nothing of an example event"
    ]


def test_what_a_template_says_is_cut_at_the_limit_of_its_part() -> None:
    source = "{% for a in events %}{{ a.message }}{% endfor %}" * 40
    long = item(message="word " * 2_000)
    for medium, part in (
        (Medium.SLACK, "body"),
        (Medium.MARKDOWN, "body"),
        (Medium.EMAIL, "subject"),
    ):
        message = with_template(source, long, medium=medium, part=part)
        text = message.subject if part == "subject" else message.body
        assert "…" in text
    assert len(with_template(source, long, medium=Medium.EMAIL, part="subject").subject) <= 200


def test_html_that_is_too_long_is_not_cut_in_half() -> None:
    source = "<p>{% for a in events %}" + "{{ a.message }}" * 60 + "{% endfor %}</p>"
    message = with_template(source, item(message="x" * 9_900), medium=Medium.EMAIL, part="html")
    assert "longer than 400,000 characters" in (message.html or "")
    assert (message.html or "").endswith("</html>")


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in event.metadata.rows %}" * 4 + "{% endfor %}" * 4,
        "{% for a in event.metadata.rows %}{% for b in event.metadata.rows %}{{ b }}"
        + "{% endfor %}" * 2,
        "{{ event.message" + "|replace('x', event.message)" * 30 + " }}",
        "{{ event.message" + "|replace('x', 'xxxxxxxxxxxx')" * 300 + " }}",
        "{{ event.metadata.rows|join(event.message)|replace('1', event.message) }}",
        "{{ " + "event.message ~ " * 900 + "'' }}",
        "{{ 10" + " * 99999999" * 1_500 + " }}",
        "{{ 1.5|round(999999999) }}",
        "{{ event.message" + "|upper|lower" * 15 + " }}",
        "{{ event.message" + "|lower" * 300 + " }}",
    ],
)
def test_no_template_keeps_a_message_waiting(source: str) -> None:
    heavy = item(message="x" * 30_000, metadata={"rows": list(range(900))})
    began = time.perf_counter()
    message = with_template(source, heavy)
    assert time.perf_counter() - began < 5
    assert len(message.body) < 40_000


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.text(max_size=80),
        st.lists(
            st.sampled_from(
                [
                    "{{",
                    "}}",
                    "{%",
                    "%}",
                    " event",
                    ".rule",
                    "|",
                    "upper",
                    "(",
                    ")",
                    " for x in events ",
                    " endfor ",
                    " if ",
                    " endif ",
                    "'",
                    "[0]",
                    "~",
                    "+",
                    "1",
                    "{#",
                    "#}",
                    "\n",
                ]
            ),
            max_size=14,
        ).map("".join),
    )
)
def test_whatever_is_written_as_a_template_the_message_goes_out(source: str) -> None:
    content = Content(items=(item(),), templates={"plain": {"title": source, "body": source}})
    message = render(Medium.PLAIN, content, LINKS)
    assert message.subject
    assert len(message.subject.splitlines()) == 1
    assert "Open in the blotter" in message.body
    check_templates({"plain": {"title": source}})


# The check


@pytest.mark.parametrize(
    ("templates", "mistakes"),
    [
        ({}, []),
        ({"slack": {}}, []),
        ({"slack": {"title": "{{ event.rule }}", "body": BODY}}, []),
        (
            {"slak": {"title": "x"}},
            [
                "templates.slak: there is no such medium; "
                "there are slack, email, pagerduty, markdown, plain, short"
            ],
        ),
        (
            {"slack": {"titel": "x"}},
            ["templates.slack.titel: there is no such part; there are title, body"],
        ),
        ({"email": "x"}, ["templates.email: by part, as in {subject: …}"]),
        ({"slack": {"title": 3}}, ["templates.slack.title: a text, not int"]),
        ("x", ["templates: by medium, as in {slack: {title: …}}"]),
        (
            {"pagerduty": {"summary": "{{ a }}"}, "short": {"body": "{{ b }}"}},
            [
                "templates.pagerduty.summary: line 1: 'a' is undefined",
                "templates.short.body: line 1: 'b' is undefined",
            ],
        ),
        (
            {"short": {"body": "x" * 400}},
            ["templates.short.body: says more than 240 characters of an example event"],
        ),
    ],
)
def test_the_check_names_every_mistake(templates: Any, mistakes: list[str]) -> None:
    assert check_templates(templates) == mistakes


@pytest.mark.parametrize(
    "source",
    [
        "{{ event.metadata.anything }} {{ event.metadata.deep.er }} {{ event.metrics.p99|figure }}",
        "{{ event.metadata.number|float * 2 }}",
        "{% if event.metrics.p99 > 3 %}slow{% else %}fast{% endif %}",
    ],
)
def test_the_check_knows_that_triggers_measure_what_it_cannot_know(source: str) -> None:
    assert check_templates({"plain": {"body": source}}) == []


@pytest.mark.parametrize(
    ("source", "mistake"),
    [
        ("<p>{{ event.message }}</p>", ""),
        ('<p title="{{ event.message }}">x</p>', ""),
        ('<a href="{{ event.url }}">{{ event.rule }}</a>', ""),
        ("<p title={{ event.message }}>x</p>", "a value can become HTML"),
        ("<p {{ event.message }}>x</p>", "a value can become HTML"),
        (
            '<a href="{{ event.message }}">x</a>',
            "a value stands where mail programs act on it (a href)",
        ),
        (
            "<script>{{ event.message }}</script>",
            "a value stands where mail programs act on it (script)",
        ),
        (
            "<style>{{ event.ticker }}</style>",
            "a value stands where mail programs act on it (style)",
        ),
        ('<p onclick="{{ event.message }}">x</p>', "(p onclick)"),
        ('<a href="{{ event.message|upper }}">x</a>', "(a href)"),
    ],
)
def test_the_check_finds_values_that_html_would_interpret(source: str, mistake: str) -> None:
    found = check_templates({"email": {"html": source}})
    assert bool(found) == bool(mistake)
    assert mistake in "".join(found)


def test_the_check_tries_a_template_for_several_events_on_several() -> None:
    source = "{% if count > 1 %}{{ nope }}{% endif %}x"
    assert check_templates({"plain": {"body": source}}) == [
        "templates.plain.body: line 1: 'nope' is undefined"
    ]


def test_events_of_a_store_without_some_columns_are_told_all_the_same() -> None:
    few = {name: EVENT[name] for name in ("id", "rule_name", "importance", "message", "timestamp")}
    for medium in Medium:
        assert "aapl-price-surge" in str(told(medium, Item(few, "opened")))


# The documentation


PAGE = (ROOT / "docs" / "templates.md").read_text(encoding="utf-8")


def test_the_example_of_the_documentation_works() -> None:
    [example] = re.findall(r"(?s)```yaml\n(.*?)```", PAGE)
    templates = yaml.safe_load(example)["parameters"]["templates"]
    assert check_templates(templates) == []
    metrics = {"value": 4.21, "threshold": 4.0, "close": 151.2}
    content = Content(items=(item(metrics=metrics),), templates=templates)
    slack = render(Medium.SLACK, content, LINKS)
    assert slack.subject == "🟠 *AAPL* moved 4.2%"
    assert slack.body.startswith("> AAPL trades at 151.2\nClose: 151.2 USD\n")
    assert render(Medium.PAGERDUTY, content, LINKS).subject == "AAPL: 4.2% in a day"


def test_the_documentation_names_everything_an_event_has() -> None:
    told_of = view(item(), Content(), LINKS)
    assert [name for name in told_of if f"`{name}`" not in PAGE] == []


def test_the_documentation_names_every_filter() -> None:
    filters = set(language(Medium.PLAIN, html=False).filters) - {"steps", "count"}
    named = set(re.findall(r"`(\w+)(?:\([^`]*\))?`", PAGE))
    assert filters - named == set()
