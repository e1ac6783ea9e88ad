"""What the benchmarks share: a table people read, and one JSON object machines read, last."""

import json
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table


def report(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], result: dict[str, object]
) -> None:
    """Print the table, then `result` as the last line."""
    table = Table(title=title)
    for column in columns:
        table.add_column(column, justify="left" if column == columns[0] else "right")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    Console().print(table)
    print(json.dumps(result))


def median_ms(seconds: Sequence[float]) -> float:
    """The median in milliseconds."""
    return statistics.median(seconds) * 1000


def p95_ms(seconds: Sequence[float]) -> float:
    """The 95th percentile in milliseconds."""
    return statistics.quantiles(seconds, n=20)[-1] * 1000


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """The address of a new database of this kind, `sqlite` or `postgres`."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'bench.db'}"
        return
    from tests.support.postgres import temporary_postgres

    with temporary_postgres() as (url, _):
        yield url
