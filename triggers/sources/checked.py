"""What the checks of data and models share: one source, one subject, faults with a next step."""

from abc import abstractmethod
from collections.abc import Callable
from time import sleep
from typing import ClassVar, TypeVar

from pydantic import Field

from sentinel_core import AlertOutput, History, SentinelError, Trigger
from sentinel_core.model.fault import Fault
from triggers.sources.data_source import DataSource
from triggers.sources.errors import NoDataError, SourceError
from triggers.sources.frame_table import frame_table
from triggers.sources.table import Table
from triggers.sources.unusable import Warnings

T = TypeVar("T")

_PASSING = (Fault.TIMEOUT, Fault.CONNECTION)
_PAUSE_SECONDS = 2


class SourceCheck(Trigger):
    """A check of one source. What can't be read is a problem of its series, with a next step."""

    timeout_seconds: ClassVar[float] = 600

    source: DataSource | None = Field(
        None,
        description="where the data is; only check_frame, which is given a frame, needs none",
    )
    dataset: str = Field(
        "", max_length=150, description="a name for the data: the ticker, and in messages"
    )

    def check_warnings(self) -> Warnings:
        """A source that is missing, or that the settings here refuse."""
        if self.source is None:
            return [("source", "is missing: only check_frame in a flow does without it")]
        return self.source.warnings()

    def check(self, history: History) -> list[AlertOutput]:
        """One output for each series; a source that can't be read is a problem of the series."""
        if self.source is None:
            raise SourceError("there is no source: give `source`, or use check_frame in a flow")
        return self.guarded(lambda: tried_twice(lambda: self.measured(history)))

    def check_frame(self, frame: object, history: History) -> list[AlertOutput]:
        """The same for a frame that is there already."""
        return self.guarded(lambda: self.measure_table(frame_table(frame), history))

    def measured(self, history: History) -> list[AlertOutput]:
        """What the source says. Raises SentinelError."""
        assert self.source is not None
        with self.source.open() as table:
            return self.measure_table(table, history)

    @abstractmethod
    def measure_table(self, table: Table, history: History) -> list[AlertOutput]:
        """What a table says. Raises SourceError."""

    def guarded(self, measure: Callable[[], list[AlertOutput]]) -> list[AlertOutput]:
        """What `measure` returns; where it can't read the source, why, and what to do."""
        try:
            return measure()
        except SourceError as error:
            return [self.problem(error)]

    def problem(self, error: SourceError) -> AlertOutput:
        """What is missing is no data; what is there and makes no sense is an error."""
        return AlertOutput(
            triggered=False,
            problem="no_data" if isinstance(error, NoDataError) else "error",
            ticker=self.dataset,
            message=f"{self.named}not checked: {error}",
            suggestion=error.next_step,
            metadata={"code": error.code.value if error.code else None},
        )

    @property
    def named(self) -> str:
        """`orders: `, the beginning of messages; nothing without a name."""
        return f"{self.dataset}: " if self.dataset else ""


def tried_twice(read: Callable[[], T]) -> T:
    """What `read` returns; it is tried once more after a fault that may pass by itself."""
    try:
        return read()
    except SentinelError as error:
        if getattr(error, "code", None) not in _PASSING:
            raise
    sleep(_PAUSE_SECONDS)
    return read()
