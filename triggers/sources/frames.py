"""Whole tables from files: CSV, Parquet or JSON as a pandas frame, recognised by content. Pure."""

import csv
import io
import json
import warnings
from typing import TYPE_CHECKING, Any

from triggers.sources.errors import SourceError
from triggers.sources.tables import decoded, separator_of, unpacked

if TYPE_CHECKING:
    import pandas as pd


def read_frame(content: bytes, content_type: str = "") -> "pd.DataFrame":
    """All columns of a table. Raises SourceError for what is none, and for two columns of a name.

    Numbers and times of CSV files are those that pandas recognises; all else is text. A file with
    a header and no rows is an empty table.
    """
    import pandas as pd

    content = unpacked(content)
    try:
        if content.startswith(b"PAR1"):
            frame = pd.read_parquet(io.BytesIO(content))
        else:
            written = decoded(content, content_type)
            if written.lstrip()[:1] in ("[", "{"):
                frame = records_frame(json_of_text(written))
            else:
                frame = _csv(written)
    except SourceError:
        raise
    except (ValueError, OSError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        what = " ".join(str(error).split())[:300]
        raise SourceError(f"is not a CSV, Parquet or JSON table: {what}") from error
    return frame


def records_frame(data: Any) -> "pd.DataFrame":
    """A list of objects, or an object of columns, as a frame. Raises SourceError for all else."""
    import pandas as pd

    columns = isinstance(data, dict) and all(isinstance(part, list) for part in data.values())
    rows = isinstance(data, list) and all(isinstance(row, dict) for row in data)
    if not (columns or rows):
        raise SourceError("the JSON is neither a list of objects nor an object of columns")
    try:
        return pd.DataFrame(data)
    except ValueError as error:
        raise SourceError(f"the JSON is not a table: {error}") from error


def json_of_text(written: str) -> Any:
    """A JSON document, or one document a line. Raises ValueError."""
    try:
        return json.loads(written)
    except json.JSONDecodeError as error:
        if not error.msg.startswith("Extra data"):
            raise
        return [json.loads(line) for line in written.split("\n") if line.strip()]


def _csv(written: str) -> "pd.DataFrame":
    import pandas as pd

    if not written.strip():
        raise SourceError("is empty: not even a header")
    separator, header = separator_of(written)
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise SourceError(f"has more than one column {twice[0]!r}")
    try:
        with warnings.catch_warnings():
            # Otherwise pandas drops fields that no name in the header belongs to.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame: pd.DataFrame = pd.read_csv(
                io.StringIO(written), sep=separator, index_col=False, low_memory=False
            )
    except pd.errors.ParserWarning as error:
        raise SourceError("has rows with more fields than its header") from error
    except pd.errors.ParserError as error:
        raise SourceError(f"is not a regular CSV table: {' '.join(str(error).split())}") from error
    return frame
