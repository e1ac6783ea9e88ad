"""The messages about a storm as documents. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from sentinel_core.message.content import About, Content, Item, Links
from sentinel_core.message.document import Cell, Document, Table
from sentinel_core.message.event_document import EVENT_COLUMNS, event_row
from sentinel_core.message.event_view import View, plain, view
from sentinel_core.message.phrases import RESOLVED_COLOUR, RESOLVED_MARK, colour, mark, rank
from sentinel_core.model.times import span
from sentinel_core.wording.text import counted, figure, flat
from sentinel_core.wording.times import moment

STORM_MARK = "⛈️"
ROWS = 10  # of a storm's counts, and of its events
_TABLES = (("by_rule", "Rule"), ("by_category", "Category"))
_TITLES = {
    About.STORM: "storm",
    About.STORM_GROWN: "storm goes on",
    About.STORM_ENDED: "storm is over",
    About.STORM_RESOLVED: "storm is resolved",
}
Counts = Sequence[tuple[str, int]]


def storm(content: Content, links: Links) -> Document:
    """What a storm is made of, what it has grown by, or its summary, the most important first.

    Only a storm of which nothing is open has the mark and colour of what is resolved.
    """
    about, facts = content.about, content.facts
    events, still_open = int(facts["events"]), _open(facts)
    over = about in (About.STORM_ENDED, About.STORM_RESOLVED)
    importances = _by_rank(facts, "by_importance")
    worst = importances[0][0] if importances else "critical"
    named = [
        view(Item(event, "resolved" if event["resolved_at"] else "opened"), content, links)
        for event in (facts.get("named") or ())[:ROWS]
    ]
    began, until = facts.get("started_at"), facts.get("ended_at")
    times = f"{moment(began)} to {moment(until)}" if began and until else ""
    look = (STORM_MARK, colour(worst))
    if over:
        open_importances = _by_rank(facts, "open_by_importance")
        worst_open = open_importances[0][0] if open_importances else worst
        is_open = still_open > 0
        worst = worst_open if is_open else worst
        look = (mark(worst), colour(worst)) if is_open else (RESOLVED_MARK, RESOLVED_COLOUR)
    return Document(
        title=_title(about, facts, still_open),
        mark=look[0],
        colour=look[1],
        importance=worst,
        lead=_lead(about, facts, importances, named),
        tables=(*_most_important(named, events), *_counts(facts, events)),
        links=(("Open the blotter", links.viewer_url),),
        foot=(times or f"since {moment(began)}",) if began else (),
    )


def _open(facts: Mapping[str, Any]) -> int:
    if facts.get("open") is not None:
        return int(facts["open"])
    return max(int(facts["events"]) - int(facts.get("resolved") or 0), 0)


def _pairs(facts: Mapping[str, Any], name: str) -> Counts:
    return [(flat(str(plain(key)), 100), int(count)) for key, count in facts.get(name) or ()]


def _by_rank(facts: Mapping[str, Any], name: str) -> Counts:
    return sorted(_pairs(facts, name), key=lambda pair: -rank(pair[0]))


def _title(about: About, facts: Mapping[str, Any], still_open: int) -> tuple[str, ...]:
    events, tickers = int(facts["events"]), int(facts.get("tickers") or 0)
    parts = [_TITLES[about]]
    parts.append(counted(events, "more event" if about is About.STORM_GROWN else "event"))
    if tickers:
        parts.append(counted(tickers, "ticker"))
    if about is About.STORM_ENDED and still_open:
        parts.append(f"{still_open:,} still open")
    return tuple(parts)


def _lead(
    about: About, facts: Mapping[str, Any], importances: Counts, named: Sequence[View]
) -> str:
    kinds = [f"{count:,} {name}" for name, count in importances]
    categories = _pairs(facts, "by_category")
    if len(categories) == 1:
        kinds.append(f"all of them {categories[0][0]}")
    sentences = [f"{', '.join(kinds)}."] if kinds else []
    if about is About.STORM_ENDED and _open(facts):  # what is over matters less by now
        named = [event for event in named if event["reason"] != "resolved"]
    if named:
        first = " · ".join(part for part in (named[0]["rule"], named[0]["ticker"]) if part)
        sentences.append(f"The most important: {flat(first, 120)}.")
    match about:
        case About.STORM:
            sentences.append(_warning(facts))
        case About.STORM_GROWN:
            in_all = counted(int(facts.get("all_events") or facts["events"]), "event")
            sentences.append(f"They have joined the storm since its last message: {in_all} in all.")
        case About.STORM_ENDED:
            sentences.append(_summary(facts))
        case _:
            sentences.append("Some were open when the storm ended; all of them are resolved now.")
    return " ".join(sentences)


def _warning(facts: Mapping[str, Any]) -> str:
    window = span(float(facts["window_seconds"]))
    return (
        f"More than {counted(int(facts['threshold']), 'event')} opened within {window}. "
        "They are all in the blotter and are not sent one by one; "
        "a summary follows when the storm ends. "
        "Events of other rules, and more important ones, are sent by themselves."
    )


def _summary(facts: Mapping[str, Any]) -> str:
    began, ended = facts.get("started_at"), facts.get("ended_at")
    lasted = f" in {span((ended - began).total_seconds())}" if began and ended else ""
    summary = f"{counted(int(facts['events']), 'event')}{lasted}"
    if facts.get("resolved") is not None:
        resolved, still_open = int(facts["resolved"]), _open(facts)
        summary += (
            f": {resolved:,} resolved by now, {still_open:,} not"
            if still_open
            else (", all of them resolved")
        )
    left = [f"{count:,} {name}" for name, count in _by_rank(facts, "open_by_importance")]
    which = f" Still open: {', '.join(left)}." if left else ""
    return f"{summary}.{which} All of them are in the blotter."


def _most_important(named: Sequence[View], events: int) -> tuple[Table, ...]:
    if not named:
        return ()
    rows = tuple(event_row(event) for event in named)
    left_out = max(events - len(rows), 0)
    return (Table("The most important", EVENT_COLUMNS, rows, left_out=left_out, listed=True),)


def _counts(facts: Mapping[str, Any], events: int) -> tuple[Table, ...]:
    counts = {key: _pairs(facts, key) for key, _ in _TABLES}
    return tuple(
        _counted(name, counts[key], events)
        for key, name in _TABLES
        if len(counts[key]) > 1 or (key == "by_rule" and counts[key])
    )


def _counted(name: str, counts: Counts, events: int) -> Table:
    rows = tuple(
        (
            Cell(label),
            Cell(figure(count), is_number=True),
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
