"""A message before it has a markup: a title, sentences, evidence, tables, links. Pure.

Every kind of content becomes a document, so that each medium has one way to show it.
"""

from dataclasses import dataclass
from datetime import datetime

from sentinel_core.message.event_view import View
from sentinel_core.message.phrases import INFO_COLOUR, INFO_MARK


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table: a text, optionally with a link; `is_number` aligns it right."""

    text: str
    url: str = ""
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows and columns. A `listed` table is shown as a list, one line for each row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left_out: int = 0  # rows beyond those given
    left_out_with: str = ""  # follows their number
    listed: bool = False

    def is_numeric(self, column: int) -> bool:
        """True if all texts of a column are numbers; then it and its name are right-aligned."""
        cells = [row[column] for row in self.rows if row[column].text]
        return bool(cells) and all(cell.is_number for cell in cells)

    def more(self, shown: int | None = None) -> str:
        """The number of rows left out when only `shown` are shown, in words; empty if none is."""
        left_out = self.left_out + (0 if shown is None else len(self.rows) - shown)
        return f"and {left_out:,} more{self.left_out_with}" if left_out else ""


@dataclass(frozen=True, slots=True)
class Document:
    """The content of a message. `title` has several parts, the first is the most prominent."""

    title: tuple[str, ...]
    mark: str = INFO_MARK
    colour: str = INFO_COLOUR
    importance: str = ""  # the highest of its events
    lead: str = ""
    quote: str | None = None
    against: str = ""
    suggestion: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    trend: View | None = None
    tables: tuple[Table, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    runbook: str = ""  # if it is a path, not an address
    foot: tuple[str, ...] = ()
    history: tuple[tuple[datetime, float], ...] = ()
    threshold: float | None = None
    unit: str = ""
    chart: bytes | None = None
    chart_text: str = ""
    events: tuple[View, ...] = ()
