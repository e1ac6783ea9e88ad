"""The state of a series, what its event may do next, and the decision that says so. Pure data."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.snooze import Limits, SnoozeEnd
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason, Suppression

Key = tuple[Kind, str]
"""What tells the series of one rule apart: the kind and the ticker."""


class Status(StrEnum):
    """The live state of a series."""

    OK = "ok"
    PENDING = "pending"  # breached, and not yet an event
    FIRING = "firing"


class Action(StrEnum):
    """The effect of an observation on the series' event."""

    QUIET = "quiet"  # there is none and none opens
    OPEN = "open"
    CONTINUE = "continue"
    ESCALATE = "escalate"  # continues, with a higher importance than before
    RESOLVE = "resolve"


@dataclass(slots=True)  # never changed once made, like Observation: frozen ones cost twice as much
class Series:
    """The state of a series. `recent` are its latest states, newest last: 1 breached, 0 ok.

    `notified_at` is when people were last notified of the open event, `notify_count` how many
    notifications were decided on, and `withheld` the one that is due and was suppressed.
    `acknowledged`, `acknowledged_until` and `acknowledged_limits` are the open event's.
    """

    status: Status
    last_at: datetime
    event_id: int | None = None
    event_importance: Importance | None = None
    breaches: int = 0
    oks: int = 0
    recent: str = ""
    flapping: bool = False
    breached_at: datetime | None = None
    ended_at: datetime | None = None
    ended_importance: Importance | None = None
    notified_at: datetime | None = None
    notify_count: int = 0
    withheld: NotifyReason | None = None
    acknowledged: bool = False
    acknowledged_until: datetime | None = None
    acknowledged_limits: Limits | None = None

    def acknowledged_at(self, at: datetime) -> bool:
        """True if somebody's acknowledgement holds at that moment, whatever was measured."""
        until = self.acknowledged_until
        return self.acknowledged and (until is None or until > at)


def importance_of(previous: Series | None, observation: Observation) -> Importance:
    """The importance of the series' event: the highest so far, this observation included."""
    before = previous.event_importance if previous else None
    if before is None or (observation.breached and observation.importance.rank > before.rank):
        return observation.importance
    return before


@dataclass(slots=True)
class DecisionContext:
    """The facts that a decision takes into account beside its own series.

    `suppression`: why nobody may be notified at this moment (a silence, an inhibiting rule).
    `notified`: when people were notified of any of the rule's events, oldest first; only read.
    """

    suppression: Suppression | None = None
    notified: Sequence[datetime] = field(default=())


UNRESTRICTED = DecisionContext()
"""Nothing suppresses a notification."""


@dataclass(slots=True)  # never changed once made, like Observation
class Decision:
    """The effect of an observation on its series: `code` decides, `reason` explains.

    `series` is the state from now on; the id of an event that opens is not known here. `notify`
    says why people should be notified, `suppression` why they are not, and `repeated` that the
    same notification was withheld and recorded before. `reopen`: an acknowledgement has ended, by
    itself if there is a `snooze_end`.
    """

    action: Action
    series: Series
    code: str
    reason: str
    notify: NotifyReason | None = None
    suppression: Suppression | None = None
    repeated: bool = False
    reopen: bool = False
    snooze_end: SnoozeEnd | None = None

    @property
    def status(self) -> Status:
        """The status of the series from now on."""
        return self.series.status
