"""Events as files, CSV and Parquet, written part by part. Pure but for the file."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import IO

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from sentinel_core.base.settings import Settings
from sentinel_core.model.cleaning import clean_text
from sentinel_core.store.read.event_list import EXPORT_LIMIT
from sentinel_core.wording.labels import status_of
from viewer.rows import Row, run_url

Parts = Iterable[Sequence[Row]]

_TIME = pa.timestamp("us", tz="UTC")
_SCHEMA = pa.schema(
    {
        "id": pa.int64(),
        "timestamp": _TIME,
        "importance": pa.string(),
        "category": pa.string(),
        "kind": pa.string(),
        "rule_name": pa.string(),
        "ticker": pa.string(),
        "message": pa.string(),
        "prefect_state": pa.string(),
        "prefect_state_name": pa.string(),
        "status": pa.string(),
        "occurrences": pa.int64(),
        "first_seen": _TIME,
        "last_seen": _TIME,
        "resolved_at": _TIME,
        "acknowledged_at": _TIME,
        "acknowledged_by": pa.string(),
        "comment": pa.string(),
        "flow_run_url": pa.string(),
    }
)


def csv_cell(value: object) -> str:
    """A cell that no spreadsheet treats as a formula. Times as ISO 8601, in UTC."""
    if value is None:
        return ""
    text = value.isoformat() if hasattr(value, "isoformat") else clean_text(str(value))
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@") or text[:1] == "\t" else text


def write_csv(file: IO[bytes], parts: Parts, settings: Settings, limit: int = EXPORT_LIMIT) -> None:
    """Write up to `limit` events as CSV; if there are more, the last line says so."""
    # With a BOM, by which Excel recognises UTF-8
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(_SCHEMA.names)
    left = limit
    for part in parts:
        for row in _written(part[:left], settings):
            writer.writerow([csv_cell(row[name]) for name in _SCHEMA.names])
        if len(part) > left:
            writer.writerow([f"Cut at {limit:,} events: there are more. Narrow the filters."])
            break
        left -= len(part)
    text.detach()


def write_parquet(
    file: IO[bytes], parts: Parts, settings: Settings, limit: int = EXPORT_LIMIT
) -> None:
    """Write up to `limit` events as Parquet; its metadata `sentinel.cut` says if there are more."""
    left, cut = limit, False
    with pq.ParquetWriter(file, _SCHEMA) as writer:
        for part in parts:
            written = list(_written(part[:left], settings))
            writer.write_table(pa.Table.from_pylist(written, schema=_SCHEMA))
            if cut := len(part) > left:
                break
            left -= len(part)
        writer.add_key_value_metadata({"sentinel.cut": str(cut).lower()})


def _written(part: Sequence[Row], settings: Settings) -> Iterator[Row]:
    """Each event as it is written, with its texts clean, whatever the database held."""
    for row in part:
        more = {"status": " ".join(status_of(row)), "flow_run_url": run_url(row, settings)}
        whole = {name: {**row, **more}.get(name) for name in _SCHEMA.names}
        yield {k: clean_text(v) if isinstance(v, str) else v for k, v in whole.items()}
