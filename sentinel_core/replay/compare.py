"""Compares two timelines of one rule: what other settings change. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sentinel_core.decide.observe import Kind
from sentinel_core.decide.state import Key
from sentinel_core.model.alert import Importance
from sentinel_core.replay.timeline import Event, Reacted, Timeline


@dataclass(frozen=True, slots=True)
class Sent:
    """One notification to one channel."""

    at: datetime
    kind: Kind
    ticker: str
    importance: Importance
    reason: str
    channel: str


@dataclass(frozen=True, slots=True)
class ChannelCount:
    """The notifications one channel is sent and spared, before and after."""

    sent: tuple[int, int]
    suppressed: tuple[int, int]

    @property
    def more(self) -> int:
        """How many more notifications it is sent."""
        return self.sent[1] - self.sent[0]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The difference that other settings make. Pairs are (before, after)."""

    added: tuple[Event, ...]
    removed: tuple[Event, ...]
    changed: tuple[tuple[Event, Event], ...]
    sent_added: tuple[Sent, ...]
    sent_removed: tuple[Sent, ...]
    channels: Mapping[str, ChannelCount]
    reactions_added: tuple[Reacted, ...] = ()
    reactions_removed: tuple[Reacted, ...] = ()

    @property
    def more(self) -> int:
        """How many more notifications are sent over all channels; negative for fewer."""
        return sum(count.more for count in self.channels.values())

    @property
    def nothing(self) -> bool:
        """True if both timelines are the same."""
        return not (
            self.added
            or self.removed
            or self.changed
            or self.sent_added
            or self.sent_removed
            or self.reactions_added
            or self.reactions_removed
        )


def compare(before: Timeline, after: Timeline) -> Comparison:
    """The differences of `after`. An event that only begins at another time is a changed one."""
    old = {(e.kind, e.ticker, e.opened_at): e for e in before.events}
    new = {(e.kind, e.ticker, e.opened_at): e for e in after.events}
    pairs = [(old[key], new[key]) for key in old if key in new]
    removed = [event for key, event in old.items() if key not in new]
    added = [event for key, event in new.items() if key not in old]
    moved = _moved(removed, added)
    moved_from, moved_to = {id(a) for a, _ in moved}, {id(b) for _, b in moved}
    sent_before, sent_after = Counter(_sent(before)), Counter(_sent(after))
    return Comparison(
        added=tuple(event for event in added if id(event) not in moved_to),
        removed=tuple(event for event in removed if id(event) not in moved_from),
        changed=tuple([pair for pair in pairs if _differ(*pair)] + moved),
        sent_added=tuple((sent_after - sent_before).elements()),
        sent_removed=tuple((sent_before - sent_after).elements()),
        channels=_channels(before, after),
        reactions_added=_reacted_only(after, before),
        reactions_removed=_reacted_only(before, after),
    )


def _reacted_only(one: Timeline, other: Timeline) -> tuple[Reacted, ...]:
    """The reactions of one timeline that the other does not have in the same way."""
    there = [replace(reaction, event_id=0) for reaction in other.reactions]
    return tuple(each for each in one.reactions if replace(each, event_id=0) not in there)


def _moved(removed: Sequence[Event], added: Sequence[Event]) -> list[tuple[Event, Event]]:
    """Events of one series that overlap in time are one event that begins earlier or later."""
    candidates: dict[Key, list[Event]] = {}
    for event in sorted(added, key=lambda event: event.opened_at, reverse=True):
        candidates.setdefault((event.kind, event.ticker), []).append(event)
    pairs = []
    for event in sorted(removed, key=lambda event: event.opened_at):
        others = candidates.get((event.kind, event.ticker), [])
        while others and _before(others[-1], event):
            others.pop()
        if others and not _before(event, others[-1]):
            pairs.append((event, others.pop()))
    return pairs


def _before(event: Event, other: Event) -> bool:
    return event.resolved_at is not None and event.resolved_at <= other.opened_at


def _differ(old: Event, new: Event) -> bool:
    return (old.resolved_at, old.resolution, old.importance, old.reason, old.acknowledged_by) != (
        new.resolved_at,
        new.resolution,
        new.importance,
        new.reason,
        new.acknowledged_by,
    )


def _sent(timeline: Timeline) -> Iterator[Sent]:
    for n in timeline.notifications:
        if n.suppressed is None:
            for channel in n.channels:
                yield Sent(n.at, n.kind, n.ticker, n.importance, n.reason, channel)


def _channels(before: Timeline, after: Timeline) -> dict[str, ChannelCount]:
    sent = before.sent(), after.sent()
    suppressed = before.suppressed(), after.suppressed()
    names = sorted({*sent[0], *sent[1], *suppressed[0], *suppressed[1]})
    return {
        name: ChannelCount(
            (sent[0][name], sent[1][name]), (suppressed[0][name], suppressed[1][name])
        )
        for name in names
    }
