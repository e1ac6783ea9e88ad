"""What a run's effects are applied to: a rule's state and past. A protocol, and its one noun."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentinel_core.decide.conditions import Samples
from sentinel_core.decide.late import LateDecision, Neighbour
from sentinel_core.decide.observe import Observation
from sentinel_core.decide.state import Decision, Key, Series
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason, Reason, Suppression


@dataclass(frozen=True, slots=True)
class Notify:
    """A notification of an event, for every route of its importance.

    `at` is when its run was due; None if that was late: people are notified when it is recorded.
    `sequence` tells notifications with one reason apart. `restarts`: the steps of the escalation
    begin anew. `escalates` is False for events that have ended: no step follows.
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
    """A rule's state and past, and where effects are taken down.

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
        """What the series measured, this observation included, as far back as conditions look."""

    def first_at(self) -> datetime | None:
        """When the rule was first evaluated."""

    def checked_since(self, at: datetime) -> bool:
        """True if another run, due at `at` or later, has checked."""

    def neighbours(
        self, observation: Observation, count: int
    ) -> tuple[list[Neighbour], list[Neighbour]]:
        """The recorded evaluations before and after, nearest first, at most `count` of each.

        For a failure, every other run that checked is an ok.
        """

    def suppression(self, key: Key, importance: Importance) -> Suppression | None:
        """Why nobody is notified of this series at the moment of recording."""

    # -- effects ----------------------------------------------------------------------------

    def save(self, key: Key, series: Series) -> None:
        """The state of a series from now on."""

    def evaluated(
        self, observation: Observation, decision: Decision | LateDecision, event_id: int | None
    ) -> None:
        """An evaluation with its decision."""

    def open_event(
        self,
        observation: Observation,
        reason: str,
        suppression: Suppression | None,
        *,
        ended: bool = False,
    ) -> int:
        """A new event, already over if `ended`; its id."""

    def continue_event(self, event_id: int, observation: Observation, *, escalated: bool) -> None:
        """One more breach of an open event, which shows it; `escalated` raises its importance."""

    def merge_late(self, event_id: int, observation: Observation) -> None:
        """A late breach of an event, open or over."""

    def escalate_late(self, event_id: int, importance: Importance, *, reopen: bool) -> None:
        """A late breach raises an event's importance; `reopen` ends its acknowledgement."""

    def resolve_event(self, event_id: int, at: datetime, code: str) -> None:
        """The end of an event."""

    def reopen_event(self, event_id: int) -> None:
        """An acknowledgement no longer holds."""

    def suppress(self, event_id: int, suppression: Suppression | None) -> None:
        """Why people are not notified of an event's latest change; None when they are."""

    def notify(self, event_id: int, key: Key, notify: Notify) -> None:
        """A notification for every route of an importance."""

    def notify_followers(
        self, event_id: int, at: datetime, reason: NotifyReason, suppression: Suppression | None
    ) -> None:
        """News for those who were notified of the event: its end."""
