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
    events = int(facts["events"])
    counts = {name: _pairs(facts.get(name)) for name in ("by_importance", "by_rule", "by_category")}
    worst = max((name for name, _ in counts["by_importance"]), key=rank, default="critical")
    return Document(
        title=("storm is over" if ended else "storm", *_size(events, facts)),
        mark=RESOLVED_MARK if ended else STORM_MARK,
        colour=RESOLVED_COLOUR if ended else colour(worst),
        importance=worst,
        lead=" ".join([_kinds(counts), _summary(facts) if ended else _warning(facts)]).strip(),
        tables=tuple(
            _counted(name, counts[key], events)
            for key, name in _TABLES
            if len(counts[key]) > 1 or (key == "by_rule" and counts[key])
        ),
        links=(("Open the blotter", links.viewer_url),),
        foot=_when(facts),
    )


def _kinds(counts: Mapping[str, Sequence[tuple[str, int]]]) -> str:
    """`600 high, 400 medium, all of them Market.`"""
    ordered = sorted(counts["by_importance"], key=lambda pair: -rank(pair[0]))
    said = [f"{count:,} {name}" for name, count in ordered]
    if len(counts["by_category"]) == 1:
        said.append(f"all of them {counts['by_category'][0][0]}")
    return f"{', '.join(said)}." if said else ""


def _when(facts: Mapping[str, Any]) -> tuple[str, ...]:
    began, ended = facts.get("started_at"), facts.get("ended_at")
    if not began:
        return ()
    return (f"{moment(began)} to {moment(ended)}",) if ended else (f"since {moment(began)}",)


def _size(events: int, facts: Mapping[str, Any]) -> list[str]:
    tickers = int(facts.get("tickers") or 0)
    return [counted(events, "event"), *([counted(tickers, "ticker")] if tickers else [])]


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
    total = f"{counted(int(facts['events']), 'event')}{lasted}"
    if facts.get("resolved") is None:
        return f"{total}. All of them are in the blotter."
    resolved = int(facts["resolved"])
    left = max(int(facts["events"]) - resolved, 0)
    return f"{total}: {resolved:,} resolved by now, {left:,} not. All of them are in the blotter."


def _pairs(given: Any) -> list[tuple[str, int]]:
    return [(flat(str(plain(name)), 100), int(count)) for name, count in given or ()]


def _counted(name: str, counts: Sequence[tuple[str, int]], events: int) -> Table:
    rows = tuple(
        (
            Cell(label),
            Cell(f"{count:,}", is_number=True),
            Cell(f"{count / max(events, 1):.0%}", is_number=True),
        )
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
    chart = facts.get("chart")
    return Document(
        title=("report", *([flat(str(facts["title"]))] if facts.get("title") else [])),
        lead=flat(str(facts.get("sentence") or ""), 1_000),
        facts=tuple((flat(str(name), 80), _cell(value).text) for name, value in _figures(facts)),
        tables=tuple(_section(section) for section in facts.get("sections") or ()),
        links=(("Open the blotter", links.viewer_url),),
        chart=bytes(chart) if chart else None,
        chart_text=flat(str(facts.get("chart_text") or facts.get("title") or "Chart")),
    )


def _figures(facts: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    given = facts.get("figures") or ()
    pairs = given.items() if isinstance(given, Mapping) else given
    return [(name, value) for name, value in pairs]


def _section(section: Mapping[str, Any]) -> Table:
    rows = list(section.get("rows") or ())
    return Table(
        flat(str(section.get("title") or "")),
        tuple(flat(str(name), 80) for name in section.get("columns") or ()),
        tuple(tuple(_cell(value) for value in row) for row in rows[:REPORT_ROWS]),
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
