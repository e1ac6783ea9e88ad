"""How a flow run ended, by the type and the name of its state. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import FlowRun, StateType

from sentinel_core.base.settings import get_settings
from sentinel_core.model.times import span
from sentinel_core.wording.text import flat
from sentinel_core.wording.times import moment

_TIMED_OUT = "TimedOut"  # Prefect's name for the end of a run that exceeded its own timeout
_LONGEST_NAME, _LONGEST_MESSAGE = 200, 500


class Ending(StrEnum):
    """The ways in which a run ends."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    NOT_STARTED = "not_started"
    BAD_PARAMETERS = "bad_parameters"


FAILURES = (
    Ending.FAILED,
    Ending.TIMED_OUT,
    Ending.CRASHED,
    Ending.NOT_STARTED,
    Ending.BAD_PARAMETERS,
)
_WORDS = {
    Ending.NOT_STARTED: "Failed before it began",
    Ending.BAD_PARAMETERS: "Failed before it began, as its parameters do not fit the deployment's",
}


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run in a final state. `known_at` is when it was last written to Prefect's database.

    `first_end`: Prefect's end of the run, which stays where a final state replaces another one.
    `late`: a run that ended after it is on record, so it says nothing about how things are now.
    """

    id: UUID
    name: str
    ending: Ending
    state_name: str
    message: str
    ended_at: datetime
    known_at: datetime
    started_at: datetime | None = None
    seconds: float = 0
    retries: int = 0
    late: bool = False
    first_end: datetime | None = None

    @property
    def failed(self) -> bool:
        """True unless it completed or was cancelled."""
        return self.ending in FAILURES

    @property
    def position(self) -> datetime:
        """The moment that assigns it to one evaluation.

        The end is the time of the server that was asked, the other one that of the database. A run
        that was written later than it ended belongs to the later evaluation, and so does one whose
        end is ahead of the database.
        """
        return max(self.ended_at, self.known_at)

    @property
    def mark(self) -> str:
        """What tells this end of the run from others; a new name or tag does not change it."""
        text = f"{self.id} {self.ending} {self.retries}"
        return blake2b(text.encode(), digest_size=6).hexdigest()

    @property
    def sentence(self) -> str:
        """`brave-otter Failed at 2026-11-20 16:31:05 UTC after 41 s: the tape is torn`"""
        words = _WORDS.get(self.ending, flat(self.state_name, 60))
        took = f" after {span(self.seconds)}" if self.started_at else ""
        said = f": {flat(self.message)}" if self.message.strip() else ""
        return f"{flat(self.name, 60)} {words} at {moment(self.ended_at)}{took}{said}"

    @property
    def evidence(self) -> dict[str, Any]:
        """The run, for people who look into it."""
        return {
            "id": str(self.id),
            "name": flat(self.name, _LONGEST_NAME),
            "url": get_settings().flow_run_url(self.id),
            "ending": self.ending.value,
            "state": flat(self.state_name, _LONGEST_NAME),
            "message": flat(self.message, _LONGEST_MESSAGE),
            "started": self.started_at.isoformat() if self.started_at else None,
            "ended": self.ended_at.isoformat(),
            "seconds": self.seconds,
            "retries": self.retries,
        }


def ending_of(
    state_type: StateType, state_name: str, *, ran: bool, parameters_fit: bool = True
) -> Ending:
    """The ending that a final state stands for. `ran`: the run was Running at some time."""
    if state_type is StateType.COMPLETED:
        return Ending.COMPLETED
    if state_type is StateType.CANCELLED:
        return Ending.CANCELLED
    if state_type is StateType.CRASHED:
        return Ending.CRASHED
    if state_name == _TIMED_OUT:
        return Ending.TIMED_OUT
    if ran:
        return Ending.FAILED
    return Ending.NOT_STARTED if parameters_fit else Ending.BAD_PARAMETERS


def ended_run(run: FlowRun, schema: dict[str, Any] | None = None) -> EndedRun | None:
    """A run of Prefect's API; None when it is not in a final state any longer.

    `schema` is that of the deployment's parameters.
    """
    state = run.state
    if state is None or not state.is_final():
        return None
    # Prefect gives a run that never ran a start as well, that of its end; its count stays 0.
    ran = bool(run.run_count)
    name = state.name or state.type.value.title()
    # A final state that replaces another one leaves the end of the run as it was.
    ended = max(run.end_time or state.timestamp, state.timestamp)
    fits = ran or state.type is not StateType.FAILED or parameters_fit(run.parameters, schema)
    started = run.start_time if ran else None
    return EndedRun(
        id=run.id,
        name=run.name,
        ending=ending_of(state.type, name, ran=ran, parameters_fit=fits),
        state_name=name,
        message=(state.message or "")[: 4 * _LONGEST_MESSAGE],
        ended_at=ended,
        known_at=run.updated or ended,
        started_at=started,
        seconds=max(0.0, (ended - started).total_seconds()) if started else 0.0,
        retries=max(0, (run.run_count or 0) - 1),
        first_end=run.end_time or ended,
    )


def parameters_fit(parameters: dict[str, Any], schema: dict[str, Any] | None) -> bool:
    """False if the parameters break the schema, as Prefect's server checks them."""
    if not schema:
        return True
    from prefect.utilities.schema_tools import validate

    try:
        return not validate(parameters, schema, raise_on_error=False)
    except Exception:  # a schema that can't be used says nothing about the parameters
        return True


def in_order(runs: Iterable[EndedRun]) -> list[EndedRun]:
    """The runs by their end, the newest last."""
    return sorted(runs, key=lambda run: (run.ended_at, run.position, run.id.int))
