"""Time and peak memory of `data_quality`, against pandas that computes the same, in one run.

A table in PostgreSQL and the same rows in a Parquet file. Each case is a process of its own; both
sides must find the same shares. The server's memory is that of PostgreSQL's own processes while
the case runs, without the buffers that they share.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks._support import report
from sentinel_core import NoHistory
from tests.support.postgres import temporary_postgres

ROOT = Path(__file__).resolve().parent.parent
MEMORY_MB = 128
WORK_MEM = "64MB"
SHARES = ("completeness", "validity", "consistency")
# A thousandth of the rows repeats an earlier one.
ROWS = """
SELECT least(i, {unique}) AS id,
       'shop ' || (least(i, {unique}) % 1000)::text AS shop,
       CASE WHEN least(i, {unique}) % 50 = 0 THEN NULL
            ELSE (least(i, {unique}) % 997) * 0.5 END::double precision AS price,
       CASE WHEN least(i, {unique}) % 200 = 0 THEN 'invalid' ELSE 'EUR' END AS currency,
       TIMESTAMP '2026-01-01' + least(i, {unique}) * INTERVAL '1 second' AS sold_at,
       CASE WHEN least(i, {unique}) % 20 = 0 THEN NULL
            ELSE 'note ' || (least(i, {unique}) % 50)::text END AS note
"""


def _peak_mb() -> float:
    """The most memory that this process has had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _sentinel(source: Any) -> dict[str, float]:
    from triggers.data.data_quality import DataQuality

    output = DataQuality(source=source, example_rows=0).check(NoHistory())[0]
    assert output.problem is None, output.message
    return {name: output.metrics[name] for name in SHARES}


def _pandas(frame: Any) -> dict[str, float]:
    return {
        "completeness": 1 - float(frame.isna().sum().sum()) / frame.size,
        "validity": 1 - float((frame == "invalid").sum().sum()) / frame.size,
        "consistency": 1 - float(frame.duplicated().sum()) / len(frame),
    }


def _postgresql_sentinel(where: str) -> dict[str, float]:
    from triggers.sources.data_source import SqlData

    os.environ["SENTINEL_RULE_BENCH"] = where
    url = "env:SENTINEL_RULE_BENCH"
    return _sentinel(SqlData(kind="sql", url=url, table="sales", statement_timeout_seconds=240))


def _postgresql_pandas(where: str) -> dict[str, float]:
    import pandas as pd
    from sqlalchemy import create_engine

    return _pandas(pd.read_sql("SELECT * FROM sales", create_engine(where)))


def _parquet_sentinel(where: str) -> dict[str, float]:
    from triggers.sources.data_source import FileData

    os.chdir(Path(where).parent)
    return _sentinel(FileData(kind="file", path=where, engine="duckdb", memory_mb=MEMORY_MB))


def _parquet_pandas(where: str) -> dict[str, float]:
    import pandas as pd

    return _pandas(pd.read_parquet(where))


CASES: dict[str, Callable[[str], dict[str, float]]] = {
    "postgresql, sentinel": _postgresql_sentinel,
    "postgresql, pandas": _postgresql_pandas,
    "parquet, sentinel": _parquet_sentinel,
    "parquet, pandas": _parquet_pandas,
}


class _ServerMemory:
    """The most memory of PostgreSQL's processes, looked at while a case runs."""

    def __init__(self, folder: str) -> None:
        self._folder = folder  # the server's processes work in it
        self.most_mb = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "_ServerMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            processes = Path("/proc").glob("[0-9]*")
            now = sum(_own_mb(process, self._folder) for process in processes)
            self.most_mb = max(self.most_mb, now)


def _own_mb(process: Path, folder: str) -> float:
    try:
        if str((process / "cwd").readlink()) != folder:
            return 0
        lines = (process / "status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def _in_a_process(case: str, where: str, server_folder: str) -> dict[str, Any]:
    with _ServerMemory(server_folder) as server:
        done = subprocess.run(
            [sys.executable, __file__, "--case", case, "--where", where],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        sys.exit(f"{case}: {done.stderr[-2_000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "server_mb": server.most_mb if case.startswith("postgresql") else 0.0}


def _case(case: str, where: str) -> None:
    import pandas  # noqa: F401 - a warm worker has it already; both sides pay it before the clock

    import triggers.data.data_quality  # noqa: F401

    start, before = time.perf_counter(), _peak_mb()
    shares = CASES[case](where)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "before_mb": before, "peak_mb": _peak_mb(), **shares}))


def _fill(url: str, rows: int) -> str:
    """The table, made; returns the folder in which the server's processes work."""
    from sqlalchemy import create_engine

    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        plain = connection.execution_options(no_parameters=True)
        text = ROWS.format(unique=max(1, rows - rows // 1000))
        plain.exec_driver_sql(
            f"CREATE UNLOGGED TABLE sales AS {text} FROM generate_series(1, {rows}) AS t(i)"
        )
        plain.exec_driver_sql(f"ALTER SYSTEM SET work_mem = '{WORK_MEM}'")
        plain.exec_driver_sql("SELECT pg_reload_conf()")
        plain.exec_driver_sql("VACUUM ANALYZE sales")
        folder = str(plain.exec_driver_sql("SHOW data_directory").scalar_one())
    engine.dispose()
    return str(Path(folder).resolve())


def _write(path: Path, rows: int) -> None:
    import duckdb

    text = ROWS.format(unique=max(1, rows - rows // 1000))
    duckdb.sql(f"COPY ({text} FROM range(1, {rows} + 1) AS t(i)) TO '{path}' (FORMAT parquet)")


def main() -> None:
    """Fill, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=300_000, help="ten million for the aims")
    options.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    options.add_argument("--where", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.case:
        _case(given.case, given.where)
        return
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder, temporary_postgres() as (url, _):
        parquet = Path(folder) / "sales.parquet"
        _write(parquet, given.rows)
        server_folder = _fill(url, given.rows)
        for case in CASES:
            where = url if case.startswith("postgresql") else str(parquet)
            found[case] = _in_a_process(case, where, server_folder)
    _print(given.rows, found)


def _print(rows: int, found: dict[str, dict[str, Any]]) -> None:
    table, result = [], {"rows": rows}
    for kind in ("postgresql", "parquet"):
        ours, theirs = found[f"{kind}, sentinel"], found[f"{kind}, pandas"]
        for name in SHARES:
            assert abs(ours[name] - theirs[name]) < 1e-12, (kind, name, ours, theirs)
        time_ratio = ours["seconds"] / theirs["seconds"]
        memory_ratio = ours["peak_mb"] / theirs["peak_mb"]
        for name, one in (("sentinel", ours), ("pandas", theirs)):
            table.append(
                [
                    f"{kind}, {name}",
                    f"{one['seconds']:.2f}",
                    f"{one['peak_mb']:,.0f}",
                    f"{one['before_mb']:,.0f}",
                    f"{one['server_mb']:,.0f}" if one["server_mb"] else "",
                    f"1/{1 / time_ratio:.1f}" if one is ours else "",
                    f"1/{1 / memory_ratio:.1f}" if one is ours else "",
                ]
            )
        result[kind] = {
            "sentinel": ours,
            "pandas": theirs,
            "time_ratio": time_ratio,
            "memory_ratio": memory_ratio,
        }
    columns = ["case", "s", "peak MB", "of them before", "server MB", "time", "memory"]
    report(f"data_quality over {rows:,} rows", columns, table, result)


if __name__ == "__main__":
    main()
