"""When a run under way has stopped to get on. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import FlowRun, StateType

from sentinel_core.base.settings import get_settings
from sentinel_core.model.times import span
from sentinel_core.wording.text import flat
from sentinel_core.wording.times import moment


class Stuck(StrEnum):
    """Codes for the way in which a run is stuck."""

    RUNNING_LIMIT = "running_too_long"
    UNUSUALLY_LONG = "running_unusually_long"
    NO_HEARTBEAT = "no_heartbeat"
    PENDING = "pending_too_long"
    CANCELLING = "cancelling_too_long"


@dataclass(frozen=True)
class Limits:
    """How long a run may be in a state, in seconds. None: there is no such limit."""

    pending: float
    cancelling: float
    running: float | None = None
    times_usual: float | None = None
    unusual_from: float = 0
    heartbeat: float | None = None


@dataclass(frozen=True, slots=True)
class ActiveRun:
    """A run under way. `since`: in this state, of this attempt."""

    id: UUID
    name: str
    state_id: UUID
    state_type: StateType
    state_name: str
    since: datetime

    @classmethod
    def of(cls, run: FlowRun) -> "ActiveRun | None":
        """A run of Prefect's API; None when it is not under way any longer."""
        state = run.state
        if state is None or state.type not in UNDER_WAY:
            return None
        name = state.name or state.type.value.title()
        return cls(run.id, run.name, state.id, state.type, name, state.timestamp)


UNDER_WAY = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)


@dataclass(frozen=True)
class Finding:
    """A stuck run, and the limit that it exceeds."""

    run: ActiveRun
    code: Stuck
    seconds: float
    limit: float
    why: str

    @property
    def sentence(self) -> str:
        """`brave-otter is Pending since 2026-11-20 16:31:05 UTC: for 20 min, limit 10 min`"""
        name, state = flat(self.run.name, 60), flat(self.run.state_name, 60)
        return f"{name} is {state} since {moment(self.run.since)}: {self.why}"

    @property
    def evidence(self) -> dict[str, Any]:
        """The run, for people who look into it."""
        return {
            "id": str(self.run.id),
            "name": flat(self.run.name),
            "url": get_settings().flow_run_url(self.run.id),
            "code": self.code.value,
            "state": flat(self.run.state_name),
            "since": self.run.since.isoformat(),
            "seconds": self.seconds,
            "limit_seconds": self.limit,
        }


def stuck(
    run: ActiveRun,
    now: datetime,
    limits: Limits,
    usual: float | None = None,
    heartbeat: datetime | None = None,
) -> Finding | None:
    """The first limit that a run exceeds; None when it exceeds none.

    `usual` is how long its deployment's runs take, `heartbeat` when the run last sent one: None of
    both is not known, and then nothing is concluded from it.
    """
    seconds = max(0.0, (now - run.since).total_seconds())

    def beyond(code: Stuck, limit: float, than: str = "the limit is") -> Finding | None:
        why = f"for {span(seconds)}, {than} {span(limit)}"
        return Finding(run, code, seconds, limit, why) if seconds > limit else None

    if run.state_type is StateType.PENDING:
        return beyond(Stuck.PENDING, limits.pending)
    if run.state_type is StateType.CANCELLING:
        return beyond(Stuck.CANCELLING, limits.cancelling)
    if limits.running is not None and (found := beyond(Stuck.RUNNING_LIMIT, limits.running)):
        return found
    if limits.heartbeat is not None and heartbeat is not None:
        silent = (now - heartbeat).total_seconds()
        if silent > limits.heartbeat:
            why = (
                f"its last heartbeat was {span(silent)} ago, the limit is {span(limits.heartbeat)}"
            )
            return Finding(run, Stuck.NO_HEARTBEAT, silent, limits.heartbeat, why)
    if limits.times_usual is not None and usual is not None:
        limit = max(limits.times_usual * usual, limits.unusual_from)
        than = f"where {span(usual)} is usual and the limit is"
        return beyond(Stuck.UNUSUALLY_LONG, limit, than)
    return None
