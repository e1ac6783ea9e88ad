"""Files of events: what the store said, without formulas, and a cut that is said."""

import csv
import io
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.support.recorded import NOON
from tests.unit.viewer.test_rows import RUN, SETTINGS, row
from viewer.export_files import write_csv, write_parquet


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", " =", "\n@"])
def test_no_cell_of_the_csv_is_a_formula(start: str) -> None:
    given = row(message=f"{start}HYPERLINK(1)", ticker=f"{start}A", comment=f"{start}c")
    [read] = parsed(written([given]))
    for name in ("message", "ticker", "comment"):
        assert read[name].startswith("'")


def test_the_csv_is_what_the_store_said() -> None:
    given = row(message='a "b",\nc;\x00 ä', acknowledged_by="ana", resolved_at=NOON)
    [read] = parsed(written([given]))
    assert read["message"] == 'a "b",\nc;\ufffd ä'
    assert read["timestamp"] == "2026-11-20T12:00:00+00:00"
    assert read["status"] == "resolved"
    assert read["acknowledged_at"] == ""
    assert read["flow_run_url"].endswith(str(RUN))


def test_a_file_that_was_cut_says_so() -> None:
    events = [row(id=n) for n in range(5)]
    assert b"Cut at 3 events" in written(events, limit=3)
    assert len(parsed(written(events, limit=3))) == 4
    for limit, cut in ((3, b"true"), (4, b"true"), (5, b"false")):
        file = pq.ParquetFile(io.BytesIO(written(events, write_parquet, limit=limit)))
        assert file.metadata.num_rows == limit
        assert file.metadata.metadata[b"sentinel.cut"] == cut
    assert b"Cut at" not in written(events, limit=5)


def test_parquet_is_what_the_store_said() -> None:
    given = row(message="=1+1", resolved_at=NOON, acknowledged_at=None)
    [read] = pq.read_table(io.BytesIO(written([given], write_parquet))).to_pylist()
    assert (read["timestamp"], read["acknowledged_at"]) == (NOON, None)
    assert (read["message"], read["status"]) == ("=1+1", "resolved")


def test_nothing_is_a_file_as_well() -> None:
    assert parsed(written([])) == []
    assert pq.read_table(io.BytesIO(written([], write_parquet))).num_rows == 0


def written(events: list[dict[str, Any]], write: Any = write_csv, limit: int = 100) -> bytes:
    """The file of these events, which come in parts of two."""
    file = io.BytesIO()
    write(file, [events[n : n + 2] for n in range(0, len(events), 2)], SETTINGS, limit)
    return file.getvalue()


def parsed(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
