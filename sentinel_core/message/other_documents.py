"""Reports and test messages as documents. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from sentinel_core.message.content import Links
from sentinel_core.message.document import Cell, Document, Table
from sentinel_core.message.event_view import plain
from sentinel_core.wording.text import figure, flat
from sentinel_core.wording.times import moment

_NUMBER = re.compile(r"[-+]?\d[\d,]*(\.\d+)? ?%?")
REPORT_ROWS = 50


def report(facts: Mapping[str, Any], links: Links) -> Document:
    """Key figures and tables, in the given order.

    `facts`: title, sentence, figures [(name, value), …], sections [{title, columns, rows}, …] with
    cells that are text or numbers, chart (PNG) and what it shows (chart_text).
    """
    chart, given = facts.get("chart"), facts.get("figures") or ()
    figures = given.items() if isinstance(given, Mapping) else given
    return Document(
        title=("report", *([flat(str(facts["title"]))] if facts.get("title") else [])),
        lead=flat(str(facts.get("sentence") or ""), 1_000),
        facts=tuple((flat(str(name), 80), _cell(value).text) for name, value in figures),
        tables=tuple(_section(section) for section in facts.get("sections") or ()),
        links=(("Open the blotter", links.viewer_url),),
        chart=bytes(chart) if chart else None,
        chart_text=flat(str(facts.get("chart_text") or facts.get("title") or "Chart")),
    )


def _section(section: Mapping[str, Any]) -> Table:
    rows = list(section.get("rows") or ())
    columns = tuple(flat(str(name), 80) for name in section.get("columns") or ())
    empty = [""] * len(columns)  # completes a row that is too short
    return Table(
        flat(str(section.get("title") or "")),
        columns,
        tuple(
            tuple(_cell(value) for value in [*row, *empty][: len(columns)])
            for row in rows[:REPORT_ROWS]
        ),
        left_out=max(len(rows) - REPORT_ROWS, 0),
    )


def _cell(value: Any) -> Cell:
    value = plain(value)
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if isinstance(value, int | float):
        return Cell(figure(value), is_number=True)
    if hasattr(value, "astimezone"):
        return Cell(moment(value))
    text = "" if value is None else flat(str(value))
    return Cell(text, is_number=_NUMBER.fullmatch(text) is not None)


def test(facts: Mapping[str, Any], links: Links) -> Document:
    """A test message, which says that the channel works."""
    channel = flat(str(facts.get("channel") or ""))
    return Document(
        title=("test", channel) if channel else ("test",),
        lead="A test message from Sentinel: this channel works. Nothing has happened.",
        facts=tuple(
            (flat(str(name), 80), flat(str(value)))
            for name, value in facts.items()
            if name != "channel"
        ),
        links=(("Open the blotter", links.viewer_url),),
    )
