"""What counts as slow: longer than a limit, or than earlier runs. Shared by flows and tasks."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from pydantic import Field

from sentinel_core import AlertOutput, History, Importance, Trigger
from sentinel_core.model.times import span
from sentinel_core.prefect_io.client import PAGE
from sentinel_core.wording.text import counted, flat
from triggers.pipelines.ended_since import FirstLook
from triggers.pipelines.percentiles import percentile
from triggers.pipelines.selection import Selection

FEWEST = 10  # earlier runs, to call a duration usual
_PERCENT = 95
MOST_KEPT = 20  # slow runs in the evidence of one event
_MOST_SAID = 5


class Timed(Protocol):
    """A completed run, of a flow or of a task."""

    @property
    def name(self) -> str:
        """The name of the run."""

    @property
    def seconds(self) -> float:
        """How long it took."""

    @property
    def evidence(self) -> dict[str, Any]:
        """The run, for people who look into it."""


@dataclass(frozen=True)
class Slow:
    """A slow run, and the limit that it exceeds."""

    run: Timed
    limit: float
    code: str

    @property
    def sentence(self) -> str:
        """`brave-otter took 40 min, the limit is 30 min`"""
        what = "the limit is" if self.code == "limit" else "earlier runs allow"
        return f"{flat(self.run.name, 60)} took {span(self.run.seconds)}, {what} {span(self.limit)}"

    @property
    def evidence(self) -> dict[str, Any]:
        """The run with its limit, for people who look into it."""
        return {**self.run.evidence, "code": self.code, "limit_seconds": self.limit}


class SlowTrigger(Trigger):
    """Completed runs that took longer than a limit, or than such runs take."""

    default_importance: ClassVar[Importance] = Importance.MEDIUM
    default_category: ClassVar[str] = "Pipelines"
    timeout_seconds: ClassVar[float] = 180

    watch: Selection = Field(Selection(), description="which deployments; empty: all of them")
    max_seconds: float | None = Field(
        None, gt=0, description="a run may take this long; null: no such limit"
    )
    times_p95: float | None = Field(
        1.5, ge=1, description="or this many times the 95th percentile of earlier runs; null: no"
    )
    earlier_runs: int = Field(
        50, ge=FEWEST, le=PAGE, description="how many runs the percentile is taken of"
    )
    slow_from_seconds: float = Field(
        60, ge=0, description="a run that takes less is never slow beside earlier ones"
    )
    first_look_minutes: FirstLook = 60

    @abstractmethod
    def check(self, history: History) -> list[AlertOutput]:
        """One output for each deployment whose runs ended since the last evaluation."""

    def slow(self, run: Timed, p95: float | None) -> Slow | None:
        """The limit that a run exceeds; None when it exceeds none, or nothing is known."""
        if self.max_seconds is not None and run.seconds > self.max_seconds:
            return Slow(run, self.max_seconds, "limit")
        if self.times_p95 is not None and p95 is not None:
            limit = max(self.times_p95 * p95, self.slow_from_seconds)
            if run.seconds > limit:
                return Slow(run, limit, "earlier_runs")
        return None

    def needs_p95(self, run: Timed) -> bool:
        """True if it depends on earlier runs whether this one was slow."""
        return self.times_p95 is not None and run.seconds > self.slow_from_seconds


def p95(seconds: Sequence[float]) -> float | None:
    """The 95th percentile of these durations; None of too few."""
    return percentile(seconds, _PERCENT) if len(seconds) >= FEWEST else None


def sentences(slow: Sequence[Slow], what: str, rest: str) -> str:
    """`2 runs were slow. brave-otter took …; slow-snail took …`: the first of these in words.

    `rest` follows the number of those beyond.
    """
    said = "; ".join(item.sentence for item in slow[:_MOST_SAID])
    more = len(slow) - _MOST_SAID
    text = f"{counted(len(slow), f'{what} was', f'{what}s were')} slow. {said}"
    return f"{text}; and {counted(more, what)} {rest}" if more > 0 else text
