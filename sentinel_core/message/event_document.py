"""One event, or a group of events, as a document. Pure."""

from collections import Counter
from collections.abc import Sequence

from sentinel_core.message.content import Item, Links
from sentinel_core.message.document import Cell, Document, Table
from sentinel_core.message.event_view import View, runbook_link
from sentinel_core.message.phrases import RESOLVED_COLOUR, RESOLVED_MARK, colour, mark, rank
from sentinel_core.wording.colours import COLOURS
from sentinel_core.wording.text import counted, flat
from sentinel_core.wording.times import moment

GROUP_LINES = 20  # events listed one by one; the rest are counted
_BY_RANK = sorted(COLOURS, key=rank, reverse=True)


def single(event: View, item: Item) -> Document:
    """Everything about one event."""
    runbook = runbook_link(event["runbook"])
    links = [("Open in the blotter", event["url"])]
    if event["flow_run_url"]:
        links.append(("Flow run in Prefect", event["flow_run_url"]))
    if runbook:
        links.append(("Runbook", runbook))
    threshold = event["threshold"]
    return Document(
        title=_title(event),
        mark=event["mark"],
        colour=event["colour"],
        importance=event["importance"],
        lead=_lead(event),
        quote=event["message"],
        against=event["against"],
        suggestion=event["suggested_action"],
        facts=tuple((fact["name"], fact["value"]) for fact in event["evidence"]),
        trend=event["trend"],
        links=tuple(links),
        runbook="" if runbook else flat(event["runbook"], 500),
        foot=_foot(event),
        history=tuple(item.history),
        threshold=float(threshold) if isinstance(threshold, int | float) else None,
        unit=event["unit"],
        chart_text=f"The latest values of {event['rule']} {event['ticker']}".strip(),
        events=(event,),
    )


def _title(event: View) -> tuple[str, ...]:
    parts = (event["rule"], event["ticker"], event["kind_words"], event["news"])
    return (event["importance"], *(part for part in parts if part))


def _lead(event: View) -> str:
    """The comment of an acknowledgement."""
    if event["reason"] in {"acknowledged", "unacknowledged"} and event["comment"]:
        return f"Comment: {flat(event['comment'], 500)}"
    return ""


def _foot(event: View) -> tuple[str, ...]:
    parts = [moment(event["timestamp"])] if event["timestamp"] else []
    if event["category"]:
        parts.append(event["category"])
    if event["occurrences"] > 1:
        last = f"{event['occurrences']:,} times"
        parts.append(f"{last}, the last {moment(event['last_seen'])}")
    return tuple(parts)


def group(events: Sequence[View], links: Links) -> Document:
    """Several events: counts by importance, then one line each, the most important first."""
    ordered = sorted(events, key=lambda event: -rank(event["importance"]))
    resolved = all(event["reason"] == "resolved" for event in events)
    worst = ordered[0]["importance"]
    return Document(
        title=(counted(len(events), "event"), *_rules(events), *_shared_reason(events)),
        mark=RESOLVED_MARK if resolved else mark(worst),
        colour=RESOLVED_COLOUR if resolved else colour(worst),
        importance=worst,
        lead=_counts(events),
        tables=(
            Table(
                "",
                ("Importance", "Rule", "Message", "Time (UTC)"),
                tuple(_row(event) for event in ordered[:GROUP_LINES]),
                left_out=max(len(ordered) - GROUP_LINES, 0),
                listed=True,
            ),
        ),
        links=(("Open the blotter", links.viewer_url),),
        foot=_times(events),
        events=tuple(ordered),
    )


def _rules(events: Sequence[View]) -> list[str]:
    """The rule, or the number of rules."""
    rules = {event["rule"] for event in events}
    return [next(iter(rules))] if len(rules) == 1 else [f"{len(rules):,} rules"]


def _shared_reason(events: Sequence[View]) -> list[str]:
    """`resolved` or `acknowledged` if that is the reason for every event."""
    reasons = {event["reason"] for event in events}
    return list(reasons) if len(reasons) == 1 and reasons < {"resolved", "acknowledged"} else []


def _counts(events: Sequence[View]) -> str:
    counts = Counter(event["importance"] for event in events)
    return ", ".join(f"{counts[name]:,} {name}" for name in _BY_RANK if counts[name])


def _row(event: View) -> tuple[Cell, ...]:
    name = " · ".join(part for part in (event["rule"], event["ticker"]) if part)
    said = [event["message"], event["kind_words"], event["news"]]
    text = " · ".join(flat(part, 140) for part in said if part)
    at = event["timestamp"]
    return (
        Cell(f"{event['mark']} {event['importance']}"),
        Cell(name, url=event["url"]),
        Cell(text),
        Cell(moment(at)[11:19] if at else ""),
    )


def _times(events: Sequence[View]) -> tuple[str, ...]:
    known = sorted(event["timestamp"] for event in events if event["timestamp"])
    if not known:
        return ()
    first, last = moment(known[0]), moment(known[-1])
    return (first,) if first == last else (f"{first} to {last}",)
