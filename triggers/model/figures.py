"""Checks of figures in a document: what a run reported about a model or a batch."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from sentinel_core import AlertOutput, History
from triggers.sources.checked import SourceCheck
from triggers.sources.document import MISSING, value_at
from triggers.sources.errors import NoDataError, SourceError
from triggers.sources.frame_table import frame_table
from triggers.sources.readings import reading
from triggers.sources.table import Table


class FiguresCheck(SourceCheck):
    """A check of a document: the only row of a table, or a JSON value."""

    default_category: ClassVar[str] = "Model"

    @abstractmethod
    def measure_document(self, document: Any, history: History) -> list[AlertOutput]:
        """What the document says. Raises SourceError."""

    def measured(self, history: History) -> list[AlertOutput]:
        """What the source's document says. Raises SentinelError."""
        assert self.source is not None
        return self.measure_document(document_of(self.source.document()), history)

    def check_frame(self, frame: object, history: History) -> list[AlertOutput]:
        """The same for a dictionary, or for a frame of one row, that is there already."""
        return self.guarded(lambda: self.measure_document(document_of(frame), history))

    def measure_table(self, table: Table, history: History) -> list[AlertOutput]:
        """Tables are read as documents."""
        raise NotImplementedError


def document_of(found: object) -> Any:
    """A JSON value as it is, the only row of a frame. Raises SourceError for anything else."""
    if found is None or isinstance(found, Mapping | list | str | int | float):
        return found
    return frame_table(found).only_row()


def figure(document: Any, path: str) -> float:
    """The number at names and positions joined by dots.

    Raises NoDataError where there is none, SourceError where there is something else.
    """
    found = document.get(path, MISSING) if isinstance(document, Mapping) else MISSING
    found = value_at(document, path) if found is MISSING else found
    if found is MISSING:
        raise NoDataError(f"there is no {path}")
    read = reading(getattr(found, "item", lambda: found)())
    if read.value is None:
        problem = NoDataError if read.problem == "no_data" else SourceError
        raise problem(f"{path} {read.note}")
    return read.value


def count(document: Any, path: str) -> int:
    """The same for a number of things. Raises SourceError for one that counts nothing."""
    number = figure(document, path)
    if number < 0 or number != int(number):
        raise SourceError(f"{path} is {number:g}, not a number of things")
    return int(number)
