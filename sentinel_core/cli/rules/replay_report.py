"""The output of `sentinel rules replay`: text for people, data for programs. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.reaction import Occasion, ReactionStatus
from sentinel_core.model.reasons import NotifyReason
from sentinel_core.model.times import utc
from sentinel_core.replay.compare import Comparison, Sent
from sentinel_core.replay.service import Result
from sentinel_core.replay.timeline import Event, Notification, Reacted, Timeline
from sentinel_core.wording.text import counted

MOST_LINES = 200  # of one timeline; `--json` has all of it
_MESSAGE = 100  # characters of an event's reason in a line


def lines(result: Result) -> list[str]:
    """The whole report."""
    rule = result.rule
    report = [f"{rule.name} ({rule.flow_name}): {scope(result)}"]
    report += [f"note: {note}" for note in result.notes]
    report += _unlike(result.deployed)
    report += ["", f"as deployed: {totals(result.deployed)}", *_timeline(result.deployed)]
    report += ["", f"with {rule.file}: {totals(result.wanted)}", *_timeline(result.wanted)]
    report += ["", *difference(result.comparison)]
    return [clean_text(line) for line in report]


def scope(result: Result) -> str:
    """`2,016 evaluations of 2,016 runs replayed, from … to …`."""
    line = result.deployed
    return (
        f"{counted(line.evaluations, 'evaluation')} of {counted(line.runs, 'run')} replayed, "
        f"{utc(result.span.since)} to {utc(result.span.until)}"
    )


def totals(line: Timeline) -> str:
    """`3 events, 5 notifications, 1 suppressed`."""
    parts = [
        counted(len(line.events), "event"),
        counted(sum(line.sent().values()), "notification"),
    ]
    if held := sum(line.suppressed().values()):
        parts.append(f"{held:,} suppressed")
    if begun := sum(reaction.code is None for reaction in line.reactions):
        parts.append(f"{counted(begun, 'reaction')} that would start")
    if held_back := len(line.reactions) - begun:
        parts.append(f"{held_back:,} that would not")
    return ", ".join(parts)


def _unlike(line: Timeline) -> list[str]:
    """Recorded decisions that this version would not make."""
    if not line.mismatches:
        return []
    report = [
        "the record differs from what this version would decide: "
        f"{line.mismatches:,} of {counted(line.evaluations, 'evaluation')}"
    ]
    for one in line.examples[:3]:
        subject = f"{utc(one.at)} {_subject(one.kind, one.ticker)}"
        report.append(f"  {subject}: {one.recorded} / now {one.decided}")
    return report


def difference(comparison: Comparison) -> list[str]:
    """The changes that the file makes, in lines."""
    if comparison.nothing:
        return ["no difference: the same events, the same notifications"]
    c = comparison
    report = [
        f"difference: events {len(c.added)} added, {len(c.removed)} removed, "
        f"{len(c.changed)} changed; notifications {len(c.sent_added)} added, "
        f"{len(c.sent_removed)} removed"
    ]
    changes = [f"  - {_event(event)}" for event in c.removed]
    changes += [f"  + {_event(event)}" for event in c.added]
    for old, new in c.changed:
        changes += [f"  ~ {_event(old)}", f"    {_event(new)}"]
    changes += [f"  - {_notification(message)}" for message in c.sent_removed]
    changes += [f"  + {_notification(message)}" for message in c.sent_added]
    changes += [f"  - {_reaction(one)}" for one in c.reactions_removed]
    changes += [f"  + {_reaction(one)}" for one in c.reactions_added]
    report += _cut(changes)
    width = max([len(name) for name in c.channels], default=0)
    for name, count in c.channels.items():
        held = f", suppressed {count.suppressed[0]} -> {count.suppressed[1]}"
        report.append(
            f"  {name:{width}}  {count.sent[0]:,} -> {count.sent[1]:,} ({count.more:+,})"
            f"{held if any(count.suppressed) else ''}"
        )
    return report


def _event(event: Event) -> str:
    end = f"to {utc(event.resolved_at)}" if event.resolved_at else "still open"
    subject = _subject(event.kind, event.ticker)
    reason = event.reason.removeprefix("opened: ")[:_MESSAGE]
    return f"{utc(event.opened_at)} {end}  {event.importance:8}  {subject}  {reason}"


def _notification(message: Sent) -> str:
    subject = _subject(message.kind, message.ticker)
    return f"{utc(message.at)} notified {message.channel}: {message.reason} {subject}"


def _reaction(one: Reacted) -> str:
    return f"{utc(one.at)} {_would(one)} {_subject(one.kind, one.ticker)}"


def _would(one: Reacted) -> str:
    """`would run retrain/nightly (on_open)`, or why it would not."""
    done = "would wait for approval to" if one.status == ReactionStatus.WAITING else "would"
    what = f"{one.action} {one.target} (on_{one.occasion})"
    return f"{done} {what}" if one.code is None else f"would not {what}: {one.sentence}"


def _timeline(line: Timeline) -> list[str]:
    """Events and messages in the order of time."""
    items: list[tuple[datetime, int, str]] = []
    for event in line.events:
        items += _moments(event, line.since)
    for message in line.notifications:
        ends = message.reason == NotifyReason.RESOLVED.value  # after the event's end
        to = ", ".join(message.channels) or f"nobody: no route for {message.importance}"
        done = "notified" if message.suppressed is None else "not notified"
        why = "" if message.suppressed is None else f": {message.suppressed}"
        text = f"{'':8}  {_subject(message.kind, message.ticker)}  {done} ({message.reason}) {to}"
        items.append((message.at, 3 if ends else 1, text + why))
    for one in line.reactions:
        text = f"{'':8}  {_subject(one.kind, one.ticker)}  {_would(one)}"
        items.append((one.at, 3 if one.occasion == Occasion.RESOLVE else 1, text))
    items.sort(key=lambda item: item[:2])
    return _cut([f"  {utc(at)}  {text}" for at, _, text in items])


def _moments(event: Event, since: datetime) -> Iterator[tuple[datetime, int, str]]:
    subject = _subject(event.kind, event.ticker)
    if event.opened_at >= since:
        reason = event.reason if event.reason.startswith("opened") else f"opened: {event.reason}"
        text = f"{event.importance:8}  {subject}  {reason[:_MESSAGE]}"
        yield event.opened_at, 0, text
    else:
        text = f"{event.importance:8}  {subject}  open since {utc(event.opened_at)}"
        yield since, 0, text
    if event.resolved_at is not None:
        yield event.resolved_at, 2, f"{event.importance:8}  {subject}  resolved: {event.resolution}"


def _subject(kind: str, ticker: str) -> str:
    return " ".join(word for word in ("" if kind == "alert" else str(kind), ticker) if word) or "–"


def _cut(report: Sequence[str]) -> list[str]:
    if len(report) <= MOST_LINES:
        return list(report)
    rest = len(report) - MOST_LINES
    return [*report[:MOST_LINES], f"  … and {rest:,} lines more: --json has all"]


def as_data(result: Result) -> dict[str, Any]:
    """The whole report as JSON."""
    c, line = result.comparison, result.deployed
    return {
        "rule": result.rule.name,
        "flow": result.rule.flow_name,
        "file": result.rule.file,
        "since": result.span.since,
        "until": result.span.until,
        "runs": line.runs,
        "evaluations": line.evaluations,
        "notes": list(result.notes),
        "unlike_record": {
            "count": line.mismatches,
            "examples": [asdict(one) for one in line.examples],
        },
        "deployed": _line_data(result.deployed),
        "wanted": _line_data(result.wanted),
        "difference": {
            "events": {
                "added": [_without_id(event) for event in c.added],
                "removed": [_without_id(event) for event in c.removed],
                "changed": [
                    {"before": _without_id(old), "after": _without_id(new)}
                    for old, new in c.changed
                ],
            },
            "notifications": {
                "added": [asdict(message) for message in c.sent_added],
                "removed": [asdict(message) for message in c.sent_removed],
                "more": c.more,
            },
            "reactions": {
                "added": [_without_id(one) for one in c.reactions_added],
                "removed": [_without_id(one) for one in c.reactions_removed],
            },
            "channels": {
                name: {
                    "deployed": count.sent[0],
                    "wanted": count.sent[1],
                    "more": count.more,
                    "suppressed": {"deployed": count.suppressed[0], "wanted": count.suppressed[1]},
                }
                for name, count in c.channels.items()
            },
        },
    }


def _line_data(line: Timeline) -> dict[str, Any]:
    return {
        "events": [_without_id(event) for event in line.events],
        "messages": [_without_id(message) for message in line.notifications],
        "reactions": [_without_id(reaction) for reaction in line.reactions],
    }


def _without_id(item: Event | Notification | Reacted) -> dict[str, Any]:
    """Its fields without the event's id, which is the replay's own."""
    return {name: v for name, v in asdict(item).items() if name not in ("id", "event_id")}
