"""The protocol of a ledger: a rule's state and past, to which a run's effects are applied."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentinel_core.decide.conditions import Samples
from sentinel_core.decide.late import LateDecision, Neighbour
from sentinel_core.decide.observe import Observation
from sentinel_core.decide.reacting import Change
from sentinel_core.decide.snooze import SnoozeEnd
from sentinel_core.decide.state import Decision, Key, Series
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason, Reason, Suppression


@dataclass(frozen=True, slots=True)
class Notify:
    """A notification of an event, for every route of its importance.

    `at` is when its run was due; None for a late run, whose notification counts from when it is
    recorded. `sequence` distinguishes notifications with the same reason. `restarts`: the steps of
    the escalation begin anew. `escalates` is False for events that have ended: no step follows.
    """

    at: datetime | None
    importance: Importance
    reason: NotifyReason
    suppression: Suppression | None = None
    sequence: int = 0
    restarts: bool = False
    escalates: bool = True

    @property
    def full_reason(self) -> Reason:
        """The reason with its data."""
        escalated = self.reason is NotifyReason.ESCALATED
        return Reason(self.reason, importance=self.importance if escalated else None)


class Ledger(Protocol):
    """A rule's state and past, to which effects are applied.

    `series` holds the state of every series an observation may concern; effects change it.
    `notified` is when people were last notified of the rule's events, oldest first; it is kept only
    for a rule with a rate limit. The id of an event that opens may be provisional.
    """

    @property
    def series(self) -> MutableMapping[Key, Series]: ...

    @property
    def notified(self) -> list[datetime]: ...

    # -- the past ---------------------------------------------------------------------------

    def samples(self, observation: Observation) -> Samples:
        """The series' measurements, this one included, as far back as conditions look."""

    def first_at(self) -> datetime | None:
        """The due time of the rule's first evaluation."""

    def checked_since(self, at: datetime) -> bool:
        """True if another run, due at `at` or later, has checked."""

    def neighbours(
        self, observation: Observation, count: int
    ) -> tuple[list[Neighbour], list[Neighbour]]:
        """The recorded evaluations before and after, nearest first, at most `count` of each.

        For a failure, every other run that checked is an ok.
        """

    def suppression(self, key: Key, importance: Importance) -> Suppression | None:
        """The reason to notify nobody of this series when it is recorded; None without one."""

    # -- effects ----------------------------------------------------------------------------

    def save(self, key: Key, series: Series) -> None:
        """Store the state of a series."""

    def evaluated(
        self, observation: Observation, decision: Decision | LateDecision, event_id: int | None
    ) -> None:
        """Add an evaluation with its decision."""

    def open_event(
        self,
        observation: Observation,
        reason: str,
        suppression: Suppression | None,
        *,
        ended: bool = False,
    ) -> int:
        """Open an event, already over if `ended`; returns its id."""

    def continue_event(self, event_id: int, observation: Observation, *, escalated: bool) -> None:
        """Add a breach to an open event, which shows it; `escalated` raises its importance."""

    def merge_late(self, event_id: int, observation: Observation) -> None:
        """Add a late breach to an event, open or over."""

    def escalate_late(self, event_id: int, importance: Importance, *, reopen: bool) -> None:
        """Raise an event's importance for a late breach; `reopen` ends its acknowledgement."""

    def resolve_event(self, event_id: int, at: datetime, code: str) -> None:
        """End an event."""

    def reopen_event(self, event_id: int, end: SnoozeEnd | None) -> None:
        """End an event's acknowledgement; `end` says why, if it ended by itself."""

    def suppress(self, event_id: int, suppression: Suppression | None) -> None:
        """Record why nobody is notified of an event's latest change; None if somebody is."""

    def notify(self, event_id: int, key: Key, notify: Notify) -> None:
        """Enqueue a notification for every route of an importance."""

    def react(self, event_id: int, change: Change) -> None:
        """Plan the rule's reactions to a change of an event; those that do not start say why."""

    def notify_followers(
        self, event_id: int, at: datetime, reason: NotifyReason, suppression: Suppression | None
    ) -> bool:
        """Enqueue the end of an event for those who were notified of it; True if it is sent to any.

        Incidents and threads are followed up even if the event is muted.
        """
