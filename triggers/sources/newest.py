"""The latest of a column of times. Pure."""

from datetime import datetime
from typing import TYPE_CHECKING

from triggers.sources.cells import blank
from triggers.sources.columns import Columns
from triggers.sources.errors import SourceError
from triggers.sources.times import read_times

if TYPE_CHECKING:
    import pandas as pd


def newest_time(cells: "pd.Series", options: Columns) -> datetime | None:
    """The latest time in UTC, empty cells left out; None if all are empty.

    Raises SourceError for a cell that is no time: it may be the newest.
    """
    filled = cells[~blank(cells)]
    if filled.empty:
        return None
    read = read_times(filled, options)
    for row, why in sorted(read.faults.items()):
        raise SourceError(f"row {int(row) + 1} {why}")
    latest = read.at.max()
    if why := next((read.uncertain[row] for row in read.uncertain if read.at[row] == latest), ""):
        raise SourceError(f"the newest time {why}")
    return latest.to_pydatetime(warn=False)  # type: ignore[no-any-return]
