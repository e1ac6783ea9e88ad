"""Storms, reports and test messages as documents. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sentinel_core.message.content import Links
from sentinel_core.message.document import Cell, Document, Table
from sentinel_core.message.event_view import plain
from sentinel_core.message.phrases import RESOLVED_COLOUR, RESOLVED_MARK, colour, rank
from sentinel_core.model.times import span
from sentinel_core.wording.text import counted, figure, flat
from sentinel_core.wording.times import moment

STORM_MARK = "⛈️"
_NUMBER = re.compile(r"[-+]?\d[\d,]*(\.\d+)? ?%?")
ROWS = 10  # of a storm's counts
REPORT_ROWS = 50
_TABLES = (("by_rule", "Rule"), ("by_category", "Category"))


def storm(facts: Mapping[str, Any], links: Links, *, ended: bool) -> Document:
    """A storm: one message for all of its events, or the summary when it has ended."""
    events, tickers = int(facts["events"]), int(facts.get("tickers") or 0)
    counts = {
        name: [(flat(str(plain(key)), 100), int(count)) for key, count in facts.get(name) or ()]
        for name in ("by_importance", "by_rule", "by_category")
    }
    by_rank = sorted(counts["by_importance"], key=lambda pair: -rank(pair[0]))
    worst = by_rank[0][0] if by_rank else "critical"
    kinds = [f"{count:,} {name}" for name, count in by_rank]
    if len(counts["by_category"]) == 1:
        kinds.append(f"all of them {counts['by_category'][0][0]}")
    title = ["storm is over" if ended else "storm", counted(events, "event")]
    if tickers:
        title.append(counted(tickers, "ticker"))
    lead = [f"{', '.join(kinds)}."] if kinds else []
    lead.append(_summary(facts) if ended else _warning(facts))
    began, until = facts.get("started_at"), facts.get("ended_at")
    times = f"{moment(began)} to {moment(until)}" if began and until else ""
    return Document(
        title=tuple(title),
        mark=RESOLVED_MARK if ended else STORM_MARK,
        colour=RESOLVED_COLOUR if ended else colour(worst),
        importance=worst,
        lead=" ".join(lead),
        tables=tuple(
            _counted(name, counts[key], events)
            for key, name in _TABLES
            if len(counts[key]) > 1 or (key == "by_rule" and counts[key])
        ),
        links=(("Open the blotter", links.viewer_url),),
        foot=(times or f"since {moment(began)}",) if began else (),
    )


def _warning(facts: Mapping[str, Any]) -> str:
    window = span(float(facts["window_seconds"]))
    return (
        f"More than {counted(int(facts['threshold']), 'event')} opened within {window}. "
        "They are all in the blotter and are not sent one by one; "
        "a summary follows when the storm ends."
    )


def _summary(facts: Mapping[str, Any]) -> str:
    began, ended = facts.get("started_at"), facts.get("ended_at")
    lasted = f" in {span((ended - began).total_seconds())}" if began and ended else ""
    summary = f"{counted(int(facts['events']), 'event')}{lasted}"
    if facts.get("resolved") is not None:
        resolved = int(facts["resolved"])
        left = max(int(facts["events"]) - resolved, 0)
        summary += f": {resolved:,} resolved by now, {left:,} not"
    return f"{summary}. All of them are in the blotter."


def _counted(name: str, counts: Sequence[tuple[str, int]], events: int) -> Table:
    rows = tuple(
        (Cell(label), _cell(count), _cell(f"{count / max(events, 1):.0%}"))
        for label, count in counts[:ROWS]
    )
    rest = counts[ROWS:]
    return Table(
        f"By {name.lower()}",
        (name, "Events", "Share"),
        rows,
        left_out=len(rest),
        left_out_with=f" with {counted(sum(n for _, n in rest), 'event')}",
    )


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
