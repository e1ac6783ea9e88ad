"""A flow run and a rule, the same whether a hook or Prefect's API describes them. Pure data."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sentinel_core.model.rule import RuleSettings


class StateType(StrEnum):
    """Prefect's state types, by value."""

    SCHEDULED = "SCHEDULED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    CRASHED = "CRASHED"
    PAUSED = "PAUSED"
    CANCELLING = "CANCELLING"


TIMED_OUT = "TimedOut"  # the state name of a failed run that exceeded its timeout
CLOSED = "Closed"  # that of a completed run in which nothing was to be checked
SKIPPED = "Skipped"  # the state name of a completed run that was too late to measure anything


class Skip(StrEnum):
    """Why a run was skipped; the values are the decision codes on record."""

    LATE = "skipped"  # it started too late to measure anything
    CLOSED = "skipped-closed"  # there was nothing to check at that time
    UNDER_WAY = "skipped-under-way"  # another run of the rule was under way


TERMINAL = (StateType.COMPLETED, StateType.FAILED, StateType.CANCELLED, StateType.CRASHED)


@dataclass(frozen=True, slots=True)
class Run:
    """One flow run in one state. Times are aware UTC.

    `planned_start`: when its worker meant to start it, where that is not when it was due.
    `overlaps`: a concurrency limit cancelled it because another run of its rule was under way.
    """

    id: UUID
    name: str
    state_type: StateType
    state_name: str
    state_message: str
    state_at: datetime
    expected_start: datetime
    started_at: datetime | None
    run_count: int
    overlaps: bool = False
    planned_start: datetime | None = None

    @property
    def at(self) -> datetime:
        """The time its measurement counts for: when it was due; for a retry, when it ended.

        The due time keeps runs in the order of the schedule, whatever order they end in. A run
        that ended before it was due (cancelled while scheduled) counts for its end: a future time
        would make everything until then look old.
        """
        return self.state_at if self.run_count > 1 else min(self.expected_start, self.state_at)


@dataclass(frozen=True, slots=True)
class Schedule:
    """One active schedule of a rule: `cron`, `interval_seconds` or `rrule` is set.

    `day_or` is False for a cron line whose two day fields must both match. `anchor` is the moment,
    in ISO format, from which an interval counts; None for rules recorded before it was kept.
    """

    cron: str | None = None
    interval_seconds: float | None = None
    rrule: str | None = None
    timezone: str = "UTC"
    day_or: bool = True
    anchor: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule deployment as Prefect describes it.

    `cancels_new`: a concurrency limit cancels a run that would start while another is under way.
    """

    deployment_id: UUID
    name: str
    flow_name: str
    settings: RuleSettings
    trigger: str = ""
    description: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    cron: str | None = None
    interval_seconds: float | None = None
    timezone: str = "UTC"
    schedules: tuple[Schedule, ...] = ()
    active: bool = True
    timeout_seconds: float | None = None
    cancels_new: bool = False
