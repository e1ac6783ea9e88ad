"""The outcome of a replay or a rule test: events, notifications, decisions. Pure data."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sentinel_core.decide.late import LateDecision
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.state import Decision
from sentinel_core.model.alert import Importance
from sentinel_core.model.reaction import Occasion, ReactionCode, ReactionStatus


@dataclass(slots=True)
class Event:
    """An event as the store would have it."""

    id: int
    kind: Kind
    ticker: str
    opened_at: datetime
    importance: Importance
    message: str
    reason: str
    occurrences: int = 1
    resolved_at: datetime | None = None
    resolution: str | None = None
    acknowledged_by: str | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification to some channels, or the sentence that says why it was suppressed."""

    at: datetime
    event_id: int
    kind: Kind
    ticker: str
    importance: Importance
    reason: str
    channels: tuple[str, ...]
    suppressed: str | None = None


@dataclass(frozen=True, slots=True)
class Reacted:
    """A reaction that would be started, wait for approval or not be started, which `code` says."""

    at: datetime
    event_id: int
    kind: Kind
    ticker: str
    occasion: Occasion
    action: str
    target: str
    parameters: dict[str, Any]
    status: ReactionStatus
    code: ReactionCode | None = None
    sentence: str = ""


@dataclass(slots=True)
class Evaluated:
    """One evaluation: what was observed, and what was decided."""

    observation: Observation
    decision: Decision | LateDecision
    event_id: int | None


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An evaluation whose recorded decision is not what this version decides."""

    at: datetime
    kind: Kind
    ticker: str
    recorded: str
    decided: str


@dataclass(slots=True)
class Timeline:
    """The outcome of a replay: events and notifications from `since` on, with events open then."""

    since: datetime
    events: list[Event] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)
    reactions: list[Reacted] = field(default_factory=list)
    runs: int = 0
    evaluations: int = 0
    mismatches: int = 0
    examples: list[Mismatch] = field(default_factory=list)

    def sent(self) -> Counter[str]:
        """How many notifications each channel was sent."""
        return self._count(suppressed=False)

    def suppressed(self) -> Counter[str]:
        """How many notifications were kept from each channel."""
        return self._count(suppressed=True)

    def _count(self, *, suppressed: bool) -> Counter[str]:
        wanted = (n for n in self.notifications if (n.suppressed is not None) is suppressed)
        return Counter(channel for n in wanted for channel in n.channels)
