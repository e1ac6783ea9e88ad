"""A report's figures as the tables of a message, and as Markdown. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
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
    success_rate,
)
from sentinel_core.report.run_figures import FlowRuns
from sentinel_core.report.run_tables import (
    LISTED,
    Section,
    figures_of_runs,
    percent,
    run_figure_rows,
    run_sections,
)
from sentinel_core.wording.sparkline import sparkline
from sentinel_core.wording.text import counted
from sentinel_core.wording.times import stamp

IMPORTANCES = tuple(sorted(Importance, key=lambda importance: -importance.rank))
_STATUSES = ("sent", "failed", "suppressed", "pending")

Facts = dict[str, Any]


def facts(figures: Figures, title: str, runs: FlowRuns | str | None = None) -> Facts:
    """The report as JSON: title, sentence, figures, sections with tables, and the chart's bars.

    `runs` are those of people's own flows, or why they are not known; None: not in this report.

    message/other_documents.py makes a message of them, message/charts.py draws the `bars`.
    """
    coverage = covered(figures.rules, figures.window)
    window = figures.window
    return {
        "title": f"{title} · {stamp(window.until, window.zone, seconds=False)} {window.timezone}",
        "sentence": _sentence(figures, coverage),
        "figures": [list(pair) for pair in (*_figures(figures, coverage), *run_figure_rows(runs))],
        "sections": [
            {"title": name, "columns": list(columns), "rows": [list(row) for row in rows]}
            for name, columns, rows in (
                _by_importance(figures),
                _not_acknowledged(figures),
                _noisiest(figures),
                _slowest(figures),
                _failing(figures),
                _not_covered(coverage),
                _by_prefect_state(figures),
                _by_channel(figures),
                *run_sections(runs),
            )
            if rows
        ],
        "bars": {
            "since": [at.astimezone(window.zone).isoformat() for at, _ in figures.bars],
            "counts": {
                importance.value: [bar.get(importance.value, 0) for _, bar in figures.bars]
                for importance in IMPORTANCES
            },
        },
        "chart_text": _chart_text(figures),
        "flow_runs": figures_of_runs(runs),
    }


def _sentence(figures: Figures, coverage: Sequence[Coverage]) -> str:
    events, waiting = figures.event_count, figures.waiting_count
    parts = [f"{counted(events, 'event')} opened" if events else "No event opened"]
    parts[0] += f" in {counted(figures.window.hours, 'hour')}"
    if waiting:
        parts.append(f"{counted(waiting, 'event')} that nobody has acknowledged")
    outcomes = figures.outcomes()
    if not outcomes:
        parts.append("no rule was evaluated")
    elif failed := outcomes[RunOutcome.FAILED]:
        parts.append(f"{counted(failed, 'evaluation')} failed")
    if short := sum(rule.is_short for rule in coverage):
        parts.append(f"{counted(short, 'rule')} not evaluated each time it was due")
    if lost := figures.statuses()["failed"]:
        parts.append(f"{counted(lost, 'notification')} failed")
    return "; ".join(parts) + "."


def _figures(figures: Figures, coverage: Sequence[Coverage]) -> Iterator[tuple[str, Any]]:
    states, outcomes, sent = figures.count_by("state"), figures.outcomes(), figures.statuses()
    by_state = _in_brackets((states[state], state) for state in EventStatus)
    yield "Events", f"{figures.event_count:,}{by_state}"
    yield (
        "Not acknowledged",
        f"{figures.waiting_count:,}, the oldest for {_age(figures.waiting[0], figures)}"
        if figures.waiting
        else "none",
    )
    yield "Mean time to acknowledge", _mean(figures, "acknowledged", figures.mean_to_acknowledge)
    yield "Mean time to resolve", _mean(figures, "resolved", figures.mean_to_resolve)
    failed, not_checked = outcomes[RunOutcome.FAILED], outcomes[RunOutcome.NOT_CHECKED]
    other = _in_brackets([(failed, "failed"), (not_checked, "more cancelled or skipped")])
    yield "Evaluations", f"{outcomes[RunOutcome.CHECKED] + failed:,}{other}"
    yield "Success rate", percent(success_rate(outcomes))
    due, done = sum(rule.due for rule in coverage), sum(rule.done for rule in coverage)
    share = f"{percent(done / due)} ({done:,} of {due:,} due)" if due else "nothing was due"
    yield "Coverage", share
    parts = [f"{sent[name]:,} {name}" for name in _STATUSES if sent[name] or name == "sent"]
    if sent["unknown"]:
        parts.append(f"{counted(sent['unknown'], 'attempt')} with an unknown outcome")
    yield "Notifications", ", ".join(parts)
    if figures.event_count:
        yield _chart_text(figures), sparkline([sum(bar.values()) for _, bar in figures.bars], 48)


def _in_brackets(counts: Iterable[tuple[int, str]]) -> str:
    """` (3 open, 1 resolved)` without what is zero; empty if everything is."""
    parts = [f"{count:,} {word}" for count, word in counts if count]
    return f" ({', '.join(parts)})" if parts else ""


def _mean(figures: Figures, counter: str, seconds: float | None) -> str:
    if seconds is None:
        return "–"
    count = sum(getattr(events, counter) for events in figures.events)
    return f"{span(seconds)} ({counted(count, 'event')})"


def _by_importance(figures: Figures) -> Section:
    by_state: Counter[tuple[str, EventStatus]] = Counter()
    for events in figures.events:
        by_state[events.importance, events.state] += events.count
    rows = []
    for importance in IMPORTANCES:
        counts = [by_state[importance.value, state] for state in EventStatus]
        if any(counts):
            rows.append((importance.value, sum(counts), *counts))
    return "Events by importance", ("Importance", "Events", *(s.title() for s in EventStatus)), rows


def _by_prefect_state(figures: Figures) -> Section:
    counts = figures.count_by("prefect_state").most_common()
    rows = [(name or "(no run)", count) for name, count in counts]
    return "Events by the state of their newest run", ("Prefect state", "Events"), rows


def _not_acknowledged(figures: Figures) -> Section:
    rows = [
        (f"#{event.id}", event.importance, event.rule, event.ticker, _age(event, figures))
        for event in figures.waiting[:LISTED]
    ]
    left = figures.waiting_count - len(rows)
    title = "Not acknowledged" + (f" (the oldest; {left:,} more)" if left > 0 else "")
    return title, ("Event", "Importance", "Rule", "Ticker", "Age"), rows


def _noisiest(figures: Figures) -> Section:
    """By events, then by messages about them."""
    names = {rule.rule_id: rule.name for rule in figures.rules}
    events, sent = Counter[int](), Counter[int]()
    for group in figures.events:
        events[group.rule_id] += group.count
        names[group.rule_id] = group.rule
    for some in figures.notifications:
        if some.rule_id is not None and some.status == "sent":
            sent[some.rule_id] += some.count
    keys = sorted(events | sent, key=lambda key: (-events[key], -sent[key], names.get(key, "")))
    rows = [(names.get(key, f"rule {key}"), events[key], sent[key]) for key in keys[:LISTED]]
    return "Noisiest rules", ("Rule", "Events", "Notifications"), rows


def _slowest(figures: Figures) -> Section:
    """By the median time from start to end, of runs that were not cancelled or skipped."""
    times = [(rule.name, rule.seconds) for rule in figures.rules if rule.seconds]
    times.sort(key=lambda pair: (-median(pair[1]), pair[0]))
    rows = [
        (name, len(seconds), round(median(seconds), 2), round(max(seconds), 2))
        for name, seconds in times[:LISTED]
    ]
    return "Slowest rules", ("Rule", "Evaluations", "Median s", "Longest s"), rows


def _failing(figures: Figures) -> Section:
    rows = []
    for rule in figures.rules:
        outcomes = Counter(run.outcome for run in rule.runs)
        if failed := outcomes[RunOutcome.FAILED]:
            rate = percent(success_rate(outcomes))
            rows.append((rule.name, failed + outcomes[RunOutcome.CHECKED], failed, rate))
    rows.sort(key=lambda row: (-row[2], row[0]))
    return "Rules that failed", ("Rule", "Evaluations", "Failed", "Success rate"), rows[:LISTED]


def _not_covered(coverage: Sequence[Coverage]) -> Section:
    rows = [
        (rule.rule, rule.why, "", "")
        if rule.why
        else (rule.rule, rule.due, rule.done, percent(rule.share))
        for rule in coverage
        if rule.is_short
    ]
    return "Rules evaluated less often than due", ("Rule", "Due", "Done", "Coverage"), rows


def _by_channel(figures: Figures) -> Section:
    channels: dict[str, Counter[str]] = {}
    for some in figures.notifications:
        counts = channels.setdefault(some.channel, Counter())
        counts[some.status] += some.count
        counts["unknown"] += some.unknown
    rows = [
        (channel, *(counts[name] for name in (*_STATUSES, "unknown")))
        for channel, counts in sorted(
            channels.items(), key=lambda item: (-item[1]["failed"], item[0])
        )
    ]
    columns = ("Channel", *(name.title() for name in _STATUSES), "Unknown outcomes")
    return "Notifications", columns, rows[:LISTED]


def _chart_text(figures: Figures) -> str:
    hours = round(figures.window.step.total_seconds() / 3600)
    return "Events per hour" if hours == 1 else f"Events per {hours} hours"


def _age(event: Unacknowledged, figures: Figures) -> str:
    return span(max((figures.window.until - event.timestamp).total_seconds(), 0))


def markdown(report: Mapping[str, Any]) -> str:
    """The facts as GitHub's Markdown, which Prefect's artifacts are written in."""
    parts = [f"# {_cell(report['title'])}", _cell(report["sentence"])]
    parts.append(_table(("", ""), report["figures"]))
    for section in report["sections"]:
        parts += [f"## {_cell(section['title'])}", _table(section["columns"], section["rows"])]
    return "\n\n".join(parts) + "\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [[_cell(value) for value in row] for row in (columns, *rows)]
    lines.insert(1, ["---"] * len(columns))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return ESCAPES[Medium.MARKDOWN].inline(text, 500)
