"""Storms: what one is made of, and when it begins, grows and ends. Pure.

A storm hides nothing that is more important than what there are too many of, and nothing of
another rule: that is sent by itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sentinel_core.model.alert import Importance
from sentinel_core.model.routing import StormLimit

LONGEST_GAP = timedelta(minutes=5)  # between two messages about what a storm has grown by
LONGEST_WAIT = timedelta(hours=1)  # of an event for a message of its storm, while it goes on

PARTS = "parts"  # of the content of a storm's message

Part = tuple[int, str]
"""A rule, by its id, and a kind of event: a failed check is no part of a storm of alerts."""


@dataclass(frozen=True, slots=True)
class Composition:
    """What a storm is made of: its parts, each with the highest importance in its messages."""

    parts: Mapping[Part, Importance] = field(default_factory=dict)

    def takes(self, part: Part, importance: Importance) -> bool:
        """True if an event joins the storm: of one of its parts, and not more important."""
        highest = self.parts.get(part)
        return highest is not None and importance.rank <= highest.rank

    def grown(self, events: Iterable[tuple[Part, Importance]]) -> "Composition":
        """The composition with these events in it."""
        parts = dict(self.parts)
        for part, importance in events:
            highest = parts.get(part)
            if highest is None or highest.rank < importance.rank:
                parts[part] = importance
        return Composition(parts)

    @property
    def rank(self) -> int:
        """Rank of the most important event in it; -1 if it has none."""
        return max((importance.rank for importance in self.parts.values()), default=-1)

    def to_json(self) -> dict[str, Any]:
        """The composition as the storm's newest message keeps it."""
        return {PARTS: [[*part, importance.value] for part, importance in self.parts.items()]}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Composition":
        """The composition that a message keeps; messages of older versions keep none.

        A part that can't be read is left out: its events are sent by themselves.
        """
        try:
            kept = [
                (int(key), str(kind), str(name)) for key, kind, name in content.get(PARTS) or ()
            ]
        except (TypeError, ValueError):  # written by a newer version
            return cls()
        known = set(Importance)
        return cls({(key, kind): Importance(name) for key, kind, name in kept if name in known})


def storm_window(limit: StormLimit, since: datetime, now: datetime) -> tuple[datetime, datetime]:
    """The period in which a storm counts events, one window long.

    It ends now, or begins at `since` if that is earlier: a notification that waited counts the
    window in which it was enqueued.
    """
    window = timedelta(seconds=limit.window_seconds)
    first = min(since, now - window)
    return first, first + window


def storm_level(limit: StormLimit, opened: Mapping[Importance, int]) -> Importance | None:
    """The importance up to which events are too many to be sent one by one; None if none are.

    Events are counted from the most important down: those above the level are within the limit.
    """
    count = 0
    for importance in sorted(Importance, key=lambda level: -level.rank):
        count += opened.get(importance, 0)
        if count > limit.events:
            return importance
    return None


def next_message_at(
    before: Composition, after: Composition, latest: datetime, window: timedelta, now: datetime
) -> datetime:
    """When a storm that has grown says so: at once if it is more important now, else a window
    after its latest message, five minutes at most."""
    if after.rank > before.rank:
        return now
    return max(now, latest + min(window, LONGEST_GAP))


def storm_ends(
    threshold: int, window: timedelta, started_at: datetime, opened: int, now: datetime
) -> bool:
    """True once a window has passed and at most half of the threshold opened in the last one."""
    return now - started_at >= window and opened <= threshold / 2
