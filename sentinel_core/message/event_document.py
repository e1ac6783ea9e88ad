"""One event, or a group of events, as a document. Pure."""

from collections import Counter
from collections.abc import Sequence

from sentinel_core.message.content import Item, Links
from sentinel_core.message.document import Cell, Document, Table
from sentinel_core.message.event_view import View, runbook_link
from sentinel_core.message.phrases import RESOLVED_COLOUR, RESOLVED_MARK, colour, mark, rank
from sentinel_core.wording.colours import COLOURS
from sentinel_core.wording.text import counted, flat
from sentinel_core.wording.times import clock, moment

GROUP_LINES = 20  # events listed one by one; the rest are counted
MOST_SUGGESTIONS = 2  # of a group; more would not say to which event they belong
EVENT_COLUMNS = ("Importance", "Rule", "Message", "Time (UTC)")
_BY_RANK = sorted(COLOURS, key=rank, reverse=True)


def single(event: View, item: Item) -> Document:
    """Everything about one event."""
    runbook = runbook_link(event["runbook"])
    links = [("Open in the blotter", event["url"])]
    if event["flow_run_url"]:
        links.append(("Flow run in Prefect", event["flow_run_url"]))
    if runbook:
        links.append(("Runbook", runbook))
    title = (
        event["environment"],
        event["rule"],
        event["ticker"],
        event["kind_words"],
        event["news"],
    )
    has_comment = event["reason"] in {"acknowledged", "unacknowledged"} and event["comment"]
    foot = [moment(event["timestamp"])] if event["timestamp"] else []
    if event["category"]:
        foot.append(event["category"])
    if event["occurrences"] > 1:
        foot.append(f"{event['occurrences']:,} times, the last {moment(event['last_seen'])}")
    threshold = event["threshold"]
    return Document(
        title=(event["importance"], *(part for part in title if part)),
        mark=event["mark"],
        colour=event["colour"],
        importance=event["importance"],
        lead=f"Comment: {flat(event['comment'], 500)}" if has_comment else "",
        quote=event["message"],
        against=event["against"],
        suggestion=event["suggested_action"],
        facts=tuple((fact["name"], fact["value"]) for fact in event["evidence"]),
        trend=event["trend"],
        links=tuple(links),
        runbook="" if runbook else flat(event["runbook"], 500),
        foot=tuple(foot),
        history=tuple(item.history),
        threshold=float(threshold) if isinstance(threshold, int | float) else None,
        unit=event["unit"],
        chart_text=f"The latest values of {event['rule']} {event['ticker']}".strip(),
        events=(event,),
    )


def group(events: Sequence[View], links: Links) -> Document:
    """Several events: counts by importance, then one line each, the most important first."""
    ordered = sorted(events, key=lambda event: -rank(event["importance"]))
    reasons = {event["reason"] for event in events}
    resolved = reasons == {"resolved"}
    worst = ordered[0]["importance"]
    counts = Counter(event["importance"] for event in events)
    rules = {event["rule"] for event in events}
    rule = ordered[0]["rule"] if len(rules) == 1 else f"{len(rules):,} rules"
    environments = {event["environment"] for event in events}
    common = environments - {""} if len(environments) == 1 else set()
    title = [counted(len(events), "event"), *common, rule]
    if reasons in ({"resolved"}, {"acknowledged"}):
        title += reasons
    times = [moment(event["timestamp"]) for event in events if event["timestamp"]]
    return Document(
        title=tuple(title),
        mark=RESOLVED_MARK if resolved else mark(worst),
        colour=RESOLVED_COLOUR if resolved else colour(worst),
        importance=worst,
        lead=", ".join(f"{counts[name]:,} {name}" for name in _BY_RANK if counts[name]),
        suggestion="" if resolved else _common_suggestion(ordered),
        tables=(
            Table(
                "",
                EVENT_COLUMNS,
                tuple(event_row(event) for event in ordered[:GROUP_LINES]),
                left_out=max(len(ordered) - GROUP_LINES, 0),
                listed=True,
            ),
        ),
        links=(("Open the blotter", links.viewer_url),),
        foot=(" to ".join(sorted({min(times), max(times)})),) if times else (),
        events=tuple(ordered),
    )


def _common_suggestion(events: Sequence[View]) -> str:
    """What the events of a group suggest to do; empty if they suggest more than two things."""
    different = list(dict.fromkeys(e["suggested_action"] for e in events if e["suggested_action"]))
    return " ".join(different) if len(different) <= MOST_SUGGESTIONS else ""


def event_row(event: View) -> tuple[Cell, ...]:
    """An event as one row of a table, with a link to its page."""
    name = " · ".join(
        part for part in (event["environment"], event["rule"], event["ticker"]) if part
    )
    parts = [event["message"], event["kind_words"], event["news"]]
    text = " · ".join(flat(part, 140) for part in parts if part)
    return (
        Cell(f"{event['mark']} {event['importance']}"),
        Cell(name, url=event["url"]),
        Cell(text),
        Cell(clock(event["timestamp"])),
    )
