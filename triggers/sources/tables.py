"""Bytes as a table: CSV, Parquet or JSON, recognised by their content, gzipped or not. Pure."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from triggers.sources.cells import Unreadable
from triggers.sources.decoding import UndecodableError, decode
from triggers.sources.errors import SourceError
from triggers.sources.fetch import MOST_BYTES

if TYPE_CHECKING:
    import pandas as pd

_BLANK = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]


def read_table(
    content: bytes, text: Sequence[str], numbers: Sequence[str], *, content_type: str = ""
) -> "pd.DataFrame":
    """The columns `text` (kept as they are written) and `numbers` of a table.

    Raises SourceError when the content is no table or a column is missing.
    """
    import pandas as pd

    content = unpacked(content)
    try:
        if content.startswith(b"PAR1"):
            return _parquet(content, [*text, *numbers])
        written = decoded(content, content_type)
        if written.lstrip()[:1] in ("[", "{"):
            return pick(pd.DataFrame(_json(written)), [*text, *numbers])
        return _csv(written, text, numbers)
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
        # ValueError covers what pandas, pyarrow and json raise for broken input.
        what = " ".join(str(error).split())[:300]
        raise SourceError(f"is not a CSV, Parquet or JSON table: {what}") from error


def pick(frame: "pd.DataFrame", columns: Sequence[str]) -> "pd.DataFrame":
    """Just these columns. Raises SourceError naming the missing ones and those there are."""
    require(columns, [str(name) for name in frame.columns])
    return frame[list(columns)]


def require(wanted: Sequence[str], present: Sequence[str]) -> None:
    """Raises SourceError when a wanted column is missing or ambiguous.

    Of what is there only columns with similar names are quoted: the first line of a file that is no
    table is not for everybody's eyes.
    """
    missing = [name for name in wanted if name not in present]
    if missing:
        names = {name.casefold(): name for name in present}
        close = [get_close_matches(name.casefold(), names, 1) for name in missing]
        similar = [repr(names[found[0]][:40]) for found in close if found]
        there = f"; it has {', '.join(similar)}" if similar else ""
        raise SourceError(
            f"has no column {', '.join(map(repr, missing))} among its {len(present):,}{there}"
        )
    twice = [name for name in wanted if list(present).count(name) > 1]
    if twice:
        raise SourceError(f"has more than one column {twice[0]!r}")


def unpacked(content: bytes) -> bytes:
    """The bytes of a gzip file, others as they are. Raises SourceError for too many."""
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


def _csv(written: str, text: Sequence[str], numbers: Sequence[str]) -> "pd.DataFrame":
    """The wanted columns as text, indexed by line."""
    if not written.strip():
        raise SourceError("is empty")
    separator, header = separator_of(written)
    wanted = [*text, *numbers]
    require(wanted, header)
    frame = _regular(written, separator, wanted)
    if frame is None:
        frame = _irregular(written, separator, wanted, len(text))
    for name in numbers:
        frame[name] = frame[name].mask(frame[name].isin(_BLANK), None)
    return frame


def separator_of(written: str) -> tuple[str, list[str]]:
    """The sign between the fields of a CSV text, and the names in its header."""
    first = next((line for line in io.StringIO(written) if line.strip()), "").rstrip("\r\n")
    separator = max(",;\t|", key=first.count)
    return separator, next(csv.reader([first], delimiter=separator), [])


def _regular(written: str, separator: str, wanted: Sequence[str]) -> "pd.DataFrame | None":
    """A table without quotes in which no row is longer than the header; None for any other.

    Blank-looking words stay words: NA, TRUE and 0700 are tickers. All columns are read, though few
    are wanted: with `usecols` pandas drops surplus fields without a word.
    """
    import pandas as pd

    if '"' in written or written[:1].isspace() or "\x00" in written:
        return None
    try:
        frame: pd.DataFrame = pd.read_csv(
            io.StringIO(written),
            sep=separator,
            dtype="str",
            keep_default_na=False,
            skip_blank_lines=False,
        )
    except pd.errors.ParserError:
        return None
    if not isinstance(frame.index, pd.RangeIndex):
        return None
    frame.index = frame.index.rename("line") + 2
    return pick(frame, wanted)


def _irregular(written: str, separator: str, wanted: Sequence[str], texts: int) -> "pd.DataFrame":
    """Any other table, row by row.

    A row with more fields than the header has a separator inside a field: where, nobody knows, so
    its numbers can't be trusted, and its ticker only in the first column.
    """
    import pandas as pd

    reader = csv.reader(io.StringIO(written, newline=""), delimiter=separator, strict=True)
    filled = ((reader.line_num, row) for row in reader if any(map(str.strip, row)))
    _, header = next(filled)
    places = [header.index(name) for name in wanted]
    rows: list[list[object]] = []
    lines: list[int] = []
    for line, row in filled:
        padded = [*row, *[""] * (len(header) - len(row))]
        cells: list[object] = [padded[place] for place in places]
        if any(map(str.strip, row[len(header) :])):
            why = Unreadable(
                f"belongs to a row of {len(row)} fields under a header of {len(header)}: quote "
                f"fields that hold {separator!r}"
            )
            cells[texts:] = [why] * (len(wanted) - texts)
            cells[0] = cells[0] if places[0] == 0 else None
        rows.append(cells)
        lines.append(line)
    index = pd.Index(lines, name="line", dtype=int)
    return pd.DataFrame(rows, columns=list(wanted), index=index, dtype=object)


def decoded(content: bytes, content_type: str) -> str:
    """The text of a table. Raises SourceError."""
    try:
        return decode(content, content_type)
    except UndecodableError as error:
        raise SourceError(
            f"is not a CSV, Parquet or JSON table: {error}: save the file as UTF-8"
        ) from error


def _parquet(content: bytes, columns: Sequence[str]) -> "pd.DataFrame":
    import pandas as pd
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    require(columns, pq.ParquetFile(io.BytesIO(content)).schema_arrow.names)
    return pick(pd.read_parquet(io.BytesIO(content), columns=list(columns)), columns)


def _json(written: str) -> Any:
    """A list of objects, an object of columns, or one object a line."""
    try:
        data = json.loads(written)
    except json.JSONDecodeError as error:
        if not error.msg.startswith("Extra data"):
            raise
        data = [json.loads(line) for line in written.split("\n") if line.strip()]
    if not data:
        raise SourceError("holds no rows")
    return data
