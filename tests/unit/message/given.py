"""Events as the store has them, what a message about them is made of, and text that attacks."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from sentinel_core.message.content import About, Content, Item, Links, Medium, Message
from sentinel_core.message.render import render
from tests.support.runs import T0

LINKS = Links("http://127.0.0.1:8501", "http://127.0.0.1:4200")
RUN = UUID("0197a3c2-0000-7000-8000-000000000001")
BLOTTER = "http://127.0.0.1:8501/?event=1"
PREFECT = f"http://127.0.0.1:4200/runs/flow-run/{RUN}"
EVENT: dict[str, Any] = {
    "id": 1,
    "rule_id": 1,
    "rule_name": "aapl-price-surge",
    "kind": "alert",
    "ticker": "AAPL",
    "category": "Market",
    "importance": "high",
    "message": "AAPL trades at 151.2",
    "timestamp": T0,
    "first_seen": T0,
    "last_seen": T0 + timedelta(minutes=5),
    "occurrences": 2,
    "is_acknowledged": False,
    "acknowledged_at": None,
    "acknowledged_by": None,
    "comment": None,
    "resolved_at": None,
    "resolution": None,
    "prefect_flow_run_id": RUN,
    "runbook": "docs/runbooks/price_surge.md",
    "suggested_action": "Look at the news before the desk calls.",
    "metrics": {"value": 151.2, "threshold": 150.0, "previous": 147.9},
    "metadata": {"unit": "USD", "source": "close of the day", "bars": [1, 2]},
}
HISTORY = tuple((T0 - timedelta(minutes=5 * n), 151.2 - n) for n in range(9, -1, -1))
STORM: dict[str, Any] = {
    "id": 7,
    "events": 1_000,
    "window_seconds": 60.0,
    "threshold": 50,
    "started_at": T0,
    "ended_at": T0 + timedelta(minutes=4),
    "by_rule": [["daily-move", 600], ["volume-spike", 400]],
    "by_category": [["Market", 1_000]],
    "by_importance": [["medium", 400], ["high", 600]],
    "tickers": 503,
    "resolved": 990,
}
REPORT: dict[str, Any] = {
    "title": "Daily report",
    "sentence": "A quiet day.",
    "figures": [["events", 12], ["success rate", "99.7%"]],
    "sections": [
        {"title": "Noisiest", "columns": ["rule", "events"], "rows": [["daily-move", 9], ["x", 3]]}
    ],
}


def item(reason: str = "opened", *, history: Any = HISTORY, **changes: Any) -> Item:
    """One event with some columns changed."""
    return Item({**EVENT, **changes}, reason, history)


def told(medium: Medium, *items: Item, **more: Any) -> Message:
    """The message about these events (or one ordinary event)."""
    return render(medium, Content(items=items or (item(),), **more), LINKS)


def told_of(about: About, facts: Mapping[str, Any], medium: Medium) -> Message:
    """The message about a storm, a report or a test."""
    return render(medium, Content(about=about, facts=facts), LINKS)


ATTACKS = (
    "<!channel> <!here> <@U1> <#C1|general> @channel @everyone @here",
    "<https://evil.example|Open in the blotter>",
    "[Open in the blotter](https://evil.example) ![x](https://evil.example/x.png)",
    "*bold* _italic_ ~struck~ `code` ```block``` **strong** __under__ ||spoiler||",
    "> quoted\n> again\n# heading\n- list\n1. one\n--- \n===\n| a | b |\n|---|---|",
    "\n\n2026-11-02 09:00:00 UTC · Market\n<https://evil.example|Flow run in Prefect>",
    "<script>alert(1)</script><img src=x onerror=alert(1)><style>*{display:none}</style>",
    "\"><img src=x onerror=alert(1)> ' onmouseover='alert(1)' style=\"x\" </td></table><!-- ]]>",
    "&lt;script&gt; &amp;lt; &#60;b&#62; &nbsp; <svg/onload=alert(1)> javascript:alert(1)",
    "Subject: x\r\nBcc: all@example.org\r\n\r\nbody\r.\r\n",
    "{{ 7*7 }} {% for x in y %} {{ event.__class__ }} {# gone #} {{",
    '", "routing_key": "x"} \\" \\u003c \\n',
    "\u202egnp.exe\u202c \u2067x\u2069 \u200f \u2028line\u2029line\x85line\x0b\x0c\x1b[31m\0",
    ":rotating_light: :+1: :100: `:x:` ::",
    "\ud800 lone",
    "\\*escaped\\* \\",
    "`" * 10 + "\n```\nout of the block",
)
hostile = st.one_of(
    st.sampled_from(ATTACKS),
    st.text(alphabet="<>&|!@#*_~`[]()\\{}%\"'=\n\r\u2028:;- aT1", max_size=60),
    st.text(alphabet=st.characters(exclude_categories=()), max_size=60),
)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), hostile),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(hostile, inner, max_size=3)
    ),
    max_leaves=6,
)
hostile_columns = st.fixed_dictionaries(
    {
        "rule_name": hostile,
        "ticker": hostile,
        "category": hostile,
        "message": hostile,
        "runbook": st.one_of(st.none(), hostile),
        "suggested_action": st.one_of(st.none(), hostile),
        "comment": hostile,
        "acknowledged_by": hostile,
        "metadata": st.dictionaries(st.one_of(hostile, st.just("unit")), json_values, max_size=4),
        "metrics": st.dictionaries(
            st.one_of(hostile, st.sampled_from(["value", "threshold"])),
            st.floats(allow_nan=False, allow_infinity=False),
            max_size=4,
        ),
    }
)
reasons = st.sampled_from(
    ["opened", "escalated-critical", "reminder", "resolved", "acknowledged", "step-2"]
)


def texts_of(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from texts_of(key)
            yield from texts_of(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from texts_of(inner)


def mrkdwn_of(message: Message) -> list[str]:
    """Every text of a Slack payload that Slack reads as mrkdwn."""
    [attachment] = message.payload["attachments"]
    found = [str(message.payload["text"])]
    for block in attachment["blocks"]:
        parts = [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
        found += [part["text"] for part in parts if part]
    return found


def without_fences(text: str) -> str:
    """What Slack and Markdown interpret: all but what stands in a block of code."""
    return re.sub(r"(?ms)^```\n.*?\n```$", "", text)
