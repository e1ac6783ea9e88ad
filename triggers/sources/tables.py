"""Bytes as a table: CSV, Parquet or JSON, recognised by their content, gzipped or not. Pure."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from triggers.sources.errors import SourceError
from triggers.sources.fetch import MOST_BYTES

if TYPE_CHECKING:
    import pandas as pd

_BLANK = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]


def read_table(content: bytes, text: Sequence[str], numbers: Sequence[str]) -> "pd.DataFrame":
    """The columns `text` (kept as they are written) and `numbers` of a table.

    Raises SourceError when the content is no table or a column is missing.
    """
    import pandas as pd

    content = _unpacked(content).removeprefix(b"\xef\xbb\xbf")
    start = content[:64].lstrip()
    if not start:
        raise SourceError("is empty")
    try:
        if start.startswith(b"PAR1"):
            return _parquet(content, [*text, *numbers])
        if start.startswith((b"[", b"{")):
            return pick(pd.DataFrame(_json(content)), [*text, *numbers])
        return _csv(content, text, numbers)
    except SourceError:
        raise
    except (
        ValueError,
        OSError,
        TypeError,
        AttributeError,
        RecursionError,
        csv.Error,
    ) as error:
        # ValueError covers what pandas, pyarrow, json and the text codec raise for broken input.
        what = " ".join(str(error).split())[:300]
        raise SourceError(f"is not a CSV, Parquet or JSON table: {what}") from error


def pick(frame: "pd.DataFrame", columns: Sequence[str]) -> "pd.DataFrame":
    """Just these columns. Raises SourceError naming the missing ones and those there are."""
    require(columns, [str(name) for name in frame.columns])
    return frame[list(columns)]


def require(wanted: Sequence[str], present: Sequence[str]) -> None:
    """Raises SourceError when a wanted column is missing or ambiguous."""
    missing = [name for name in wanted if name not in present]
    if missing:
        there = ", ".join(repr(name[:40]) for name in present[:20]) or "none"
        raise SourceError(f"has no column {', '.join(map(repr, missing))}; its columns: {there}")
    twice = [name for name in wanted if list(present).count(name) > 1]
    if twice:
        raise SourceError(f"has more than one column {twice[0]!r}")


def _unpacked(content: bytes) -> bytes:
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            unpacked = packed.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"is not a complete gzip file: {error}") from error
    if len(unpacked) > MOST_BYTES:
        raise SourceError(f"unpacks to more than {MOST_BYTES // 2**20} MiB")
    return unpacked


def _csv(content: bytes, text: Sequence[str], numbers: Sequence[str]) -> "pd.DataFrame":
    import pandas as pd

    header = content.split(b"\n", 1)[0].decode("utf-8").rstrip("\r")
    separator = max(",;\t", key=header.count)
    require([*text, *numbers], next(csv.reader([header], delimiter=separator), []))
    # All columns are read, though few are wanted: with `usecols` pandas drops surplus fields
    # without a word, and an unquoted 1,234 becomes 1. Blank-looking words stay words in text
    # columns: NA, TRUE and 0700 are tickers.
    frame: pd.DataFrame = pd.read_csv(
        io.BytesIO(content),
        sep=separator,
        dtype=dict.fromkeys(text, str),
        keep_default_na=False,
        na_values=dict.fromkeys(numbers, _BLANK),
        low_memory=False,
    )
    if not isinstance(frame.index, pd.RangeIndex):
        raise SourceError("has rows with more fields than its header")
    return pick(frame, [*text, *numbers])


def _parquet(content: bytes, columns: Sequence[str]) -> "pd.DataFrame":
    import pandas as pd
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    require(columns, pq.ParquetFile(io.BytesIO(content)).schema_arrow.names)
    return pick(pd.read_parquet(io.BytesIO(content), columns=list(columns)), columns)


def _json(content: bytes) -> Any:
    """A list of objects, an object of columns, or one object a line."""
    try:
        data = json.loads(content)
    except json.JSONDecodeError as error:
        if not error.msg.startswith("Extra data"):
            raise
        data = [json.loads(line) for line in content.splitlines() if line.strip()]
    if not data:
        raise SourceError("holds no rows")
    return data
