"""A report's figures as the tables of a message, and as Markdown. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sentinel_core.message.content import Medium
from sentinel_core.message.escaping import ESCAPES
from sentinel_core.model.alert import Importance
from sentinel_core.model.times import span
from sentinel_core.report.coverage import Coverage, covered
from sentinel_core.report.figures import (
    EventStatus,
    Figures,
    RunOutcome,
    Unacknowledged,
    durations,
    success_rate,
)
from sentinel_core.wording.sparkline import sparkline
from sentinel_core.wording.text import counted
from sentinel_core.wording.times import stamp

LISTED = 10  # rules, channels and events in a table
NO_RUN = "(no run)"
IMPORTANCES = tuple(sorted(Importance, key=lambda one: -one.rank))

Facts = dict[str, Any]


def facts(figures: Figures, title: str) -> Facts:
    """The report as JSON: title, sentence, figures, sections with tables, and the chart's bars.

    What a message about a report is made of (message/about_others.py); `bars` are what
    daily_chart.py draws.
    """
    coverage = covered(figures.rules, figures.window)
    return {
        "title": f"{title} · {_clock(figures.window.until, figures)}",
        "sentence": _sentence(figures, coverage),
        "figures": [[name, value] for name, value in _figures(figures, coverage)],
        "sections": [
            {"title": name, "columns": list(columns), "rows": [list(row) for row in rows]}
            for name, columns, rows in _sections(figures, coverage)
            if rows
        ],
        "bars": _bars(figures),
        "chart_text": _chart_text(figures),
    }


def _sentence(figures: Figures, coverage: Sequence[Coverage]) -> str:
    events, waiting = figures.event_count, figures.waiting_count
    said = [f"{counted(events, 'event')} opened" if events else "No event opened"]
    said[0] += f" in {counted(figures.window.hours, 'hour')}"
    if waiting:
        said.append(f"{counted(waiting, 'event')} that nobody has acknowledged")
    outcomes = figures.outcomes()
    if not outcomes:
        said.append("no rule was evaluated")
    elif failed := outcomes[RunOutcome.FAILED]:
        said.append(f"{counted(failed, 'evaluation')} failed")
    if short := sum(1 for one in coverage if _is_short(one)):
        said.append(f"{counted(short, 'rule')} not evaluated each time it was due")
    if lost := figures.statuses()["failed"]:
        said.append(f"{counted(lost, 'notification')} failed")
    return "; ".join(said) + "."


def _figures(figures: Figures, coverage: Sequence[Coverage]) -> Iterator[tuple[str, Any]]:
    states, outcomes, sent = figures.count_by("state"), figures.outcomes(), figures.statuses()
    yield "Events", _by_state(figures.event_count, states)
    yield "Not acknowledged", _waiting(figures)
    yield "Mean time to acknowledge", _mean(figures, "acknowledged", figures.mean_to_acknowledge)
    yield "Mean time to resolve", _mean(figures, "resolved", figures.mean_to_resolve)
    yield "Evaluations", _evaluations(outcomes)
    yield "Success rate", _percent(success_rate(outcomes))
    due, done = sum(one.due for one in coverage), sum(one.done for one in coverage)
    share = f"{_percent(done / due)} ({done:,} of {due:,} due)" if due else "nothing was due"
    yield "Coverage", share
    yield "Notifications", _sent(sent)
    if figures.event_count:
        yield _chart_text(figures), sparkline([sum(bar.values()) for _, bar in figures.bars], 48)


def _by_state(count: int, states: Counter[str]) -> str:
    parts = [f"{states[state]:,} {state}" for state in EventStatus if states[state]]
    return f"{count:,}" + (f" ({', '.join(parts)})" if parts else "")


def _waiting(figures: Figures) -> str:
    if not figures.waiting:
        return "none"
    return f"{figures.waiting_count:,}, the oldest for {_age(figures.waiting[0], figures)}"


def _mean(figures: Figures, what: str, seconds: float | None) -> str:
    if seconds is None:
        return "–"
    count = sum(getattr(one, what) for one in figures.events)
    return f"{span(seconds)} ({counted(count, 'event')})"


def _evaluations(outcomes: Counter[RunOutcome]) -> str:
    tried = outcomes[RunOutcome.CHECKED] + outcomes[RunOutcome.FAILED]
    rest = [
        f"{outcomes[kind]:,} {word}"
        for kind, word in (
            (RunOutcome.FAILED, "failed"),
            (RunOutcome.NOT_CHECKED, "more cancelled or skipped"),
        )
        if outcomes[kind]
    ]
    return f"{tried:,}" + (f" ({', '.join(rest)})" if rest else "")


def _sent(statuses: Counter[str]) -> str:
    wanted = ("sent", "failed", "suppressed", "pending")
    parts = [f"{statuses[name]:,} {name}" for name in wanted if statuses[name] or name == "sent"]
    if statuses["unknown"]:
        parts.append(f"{counted(statuses['unknown'], 'attempt')} with an unknown outcome")
    return ", ".join(parts)


Section = tuple[str, Sequence[str], list[tuple[Any, ...]]]


def _sections(figures: Figures, coverage: Sequence[Coverage]) -> Iterator[Section]:
    yield _by_importance(figures)
    yield _not_acknowledged(figures)
    yield _noisiest(figures)
    yield _slowest(figures)
    yield _failing(figures)
    yield _not_covered(coverage)
    yield _by_prefect_state(figures)
    yield _by_channel(figures)


def _by_importance(figures: Figures) -> Section:
    found: Counter[tuple[str, EventStatus]] = Counter()
    for one in figures.events:
        found[one.importance, one.state] += one.count
    rows = []
    for importance in IMPORTANCES:
        counts = [found[importance.value, state] for state in EventStatus]
        if any(counts):
            rows.append((importance.value, sum(counts), *counts))
    return "Events by importance", ("Importance", "Events", *(s.title() for s in EventStatus)), rows


def _by_prefect_state(figures: Figures) -> Section:
    counts = figures.count_by("prefect_state")
    rows: list[tuple[Any, ...]] = [(name or NO_RUN, count) for name, count in counts.most_common()]
    return "Events by the state of their newest run", ("Prefect state", "Events"), rows


def _not_acknowledged(figures: Figures) -> Section:
    rows: list[tuple[Any, ...]] = [
        (f"#{one.id}", one.importance, one.rule, one.ticker, _age(one, figures))
        for one in figures.waiting[:LISTED]
    ]
    left = figures.waiting_count - len(rows)
    title = "Not acknowledged" + (f" (the oldest; {left:,} more)" if left > 0 else "")
    return title, ("Event", "Importance", "Rule", "Ticker", "Age"), rows


def _noisiest(figures: Figures) -> Section:
    """By events, then by messages about them."""
    events, names = Counter[int](), dict[int, str]()
    for one in figures.events:
        events[one.rule_id] += one.count
        names[one.rule_id] = one.rule
    sent: Counter[int] = Counter()
    for some in figures.notifications:
        if some.rule_id is not None and some.status == "sent":
            sent[some.rule_id] += some.count
    known = {rule.rule_id: rule.name for rule in figures.rules} | names
    keys = sorted(events | sent, key=lambda key: (-events[key], -sent[key], known.get(key, "")))
    rows: list[tuple[Any, ...]] = [
        (known.get(key, f"rule {key}"), events[key], sent[key]) for key in keys[:LISTED]
    ]
    return "Noisiest rules", ("Rule", "Events", "Notifications"), rows


def _slowest(figures: Figures) -> Section:
    rows: list[tuple[Any, ...]] = [
        (one.rule, one.runs, round(one.p50, 2), round(one.longest, 2))
        for one in durations(figures.rules)[:LISTED]
    ]
    return "Slowest rules", ("Rule", "Evaluations", "Median s", "Longest s"), rows


def _failing(figures: Figures) -> Section:
    rows: list[tuple[Any, ...]] = []
    for rule in figures.rules:
        outcomes = Counter(run.outcome for run in rule.runs)
        if failed := outcomes[RunOutcome.FAILED]:
            rate = _percent(success_rate(outcomes))
            rows.append((rule.name, failed + outcomes[RunOutcome.CHECKED], failed, rate))
    rows.sort(key=lambda row: (-row[2], row[0]))
    return "Rules that failed", ("Rule", "Evaluations", "Failed", "Success rate"), rows[:LISTED]


def _not_covered(coverage: Sequence[Coverage]) -> Section:
    rows: list[tuple[Any, ...]] = [
        (one.rule, one.why, "", "") if one.why else (one.rule, one.due, one.done, _share(one))
        for one in coverage
        if _is_short(one)
    ]
    return "Rules evaluated less often than due", ("Rule", "Due", "Done", "Coverage"), rows


def _is_short(one: Coverage) -> bool:
    return bool(one.why) or one.done < one.due


def _by_channel(figures: Figures) -> Section:
    wanted = ("sent", "failed", "suppressed", "pending")
    found: dict[str, Counter[str]] = {}
    for one in figures.notifications:
        counts = found.setdefault(one.channel, Counter())
        counts[one.status] += one.count
        counts["unknown"] += one.unknown
    rows: list[tuple[Any, ...]] = [
        (channel, *(counts[name] for name in (*wanted, "unknown")))
        for channel, counts in sorted(found.items(), key=lambda item: (-item[1]["failed"], item[0]))
    ]
    columns = ("Channel", *(name.title() for name in wanted), "Unknown outcomes")
    return "Notifications", columns, rows[:LISTED]


def _bars(figures: Figures) -> Facts:
    """When each bar begins, in the readers' time, and how high it is in each colour."""
    return {
        "since": [at.astimezone(figures.window.zone).isoformat() for at, _ in figures.bars],
        "counts": {
            one.value: [bar.get(one.value, 0) for _, bar in figures.bars] for one in IMPORTANCES
        },
    }


def _chart_text(figures: Figures) -> str:
    hours = round(figures.window.step.total_seconds() / 3600)
    return "Events per hour" if hours == 1 else f"Events per {hours} hours"


def _percent(share: float | None) -> str:
    """One decimal, cut: what is not whole is never shown as 100 %."""
    return "–" if share is None else f"{int(share * 1000) / 10:g} %"


def _share(one: Coverage) -> str:
    return _percent(one.done / one.due) if one.due else "–"


def _age(one: Unacknowledged, figures: Figures) -> str:
    return span(max((figures.window.until - one.timestamp).total_seconds(), 0))


def _clock(at: datetime, figures: Figures) -> str:
    return f"{stamp(at, figures.window.zone, seconds=False)} {figures.window.timezone}"


def markdown(report: Mapping[str, Any]) -> str:
    """The facts as GitHub's Markdown, which Prefect's artifacts are written in."""
    parts = [f"# {_cell(report['title'])}", _cell(report["sentence"])]
    parts.append(_table(("", ""), report["figures"]))
    for section in report["sections"]:
        parts += [f"## {_cell(section['title'])}", _table(section["columns"], section["rows"])]
    return "\n\n".join(parts) + "\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(
        "| " + " | ".join(line if line == "---" else _cell(line) for line in row) + " |"
        for row in lines
    )


def _cell(value: Any) -> str:
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return ESCAPES[Medium.MARKDOWN].inline(text, 500)
