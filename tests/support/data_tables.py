"""One table in every form that checks of data read."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars
import pyarrow
from sqlalchemy import create_engine, text

from triggers.sources.data_source import FileData, SqlData

ROWS: list[dict[str, Any]] = [
    {"id": 1, "shop": "a", "price": 10.0},
    {"id": 2, "shop": "invalid", "price": None},
    {"id": 3, "shop": None, "price": 30.0},
    {"id": 4, "shop": "d", "price": -40.0},
    {"id": 1, "shop": "a", "price": 10.0},
]
"""Fifteen cells, two of them empty; one marker; one price below zero; one duplicate row."""

TYPES = {"id": "INTEGER", "shop": "TEXT", "price": "DOUBLE PRECISION"}


def pandas_frame(rows: list[dict[str, Any]] | None = None) -> pd.DataFrame:
    return pd.DataFrame(ROWS if rows is None else rows, columns=list(TYPES))


def polars_frame() -> Any:
    return polars.DataFrame(ROWS)


def arrow_table() -> Any:
    return pyarrow.Table.from_pylist(ROWS)


FRAMES: dict[str, Callable[[], Any]] = {
    "pandas": pandas_frame,
    "polars": polars_frame,
    "polars-lazy": lambda: polars_frame().lazy(),
    "pyarrow": arrow_table,
}


def parquet(folder: Path, rows: list[dict[str, Any]] | None = None) -> str:
    path = folder / "orders.parquet"
    pandas_frame(rows).to_parquet(path)
    return str(path)


def csv_file(folder: Path, rows: list[dict[str, Any]] | None = None) -> str:
    path = folder / "orders.csv"
    pandas_frame(rows).to_csv(path, index=False)
    return str(path)


def json_file(folder: Path) -> str:
    path = folder / "orders.json"
    path.write_text(pandas_frame().to_json(orient="records"))
    return str(path)


def fill(url: str, rows: list[dict[str, Any]] | None = None) -> None:
    """A table `orders` in a database."""
    columns = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE orders ({columns})"))
        for row in ROWS if rows is None else rows:
            connection.execute(text("INSERT INTO orders VALUES (:id, :shop, :price)"), row)
    engine.dispose()


def sqlite_url(folder: Path, rows: list[dict[str, Any]] | None = None) -> str:
    path = folder / "orders.db"
    sqlite3.connect(path).close()
    fill(f"sqlite:///{path}", rows)
    return f"sqlite:///{path}"


def sqlite_source(folder: Path, **fields: Any) -> SqlData:
    return SqlData(kind="sql", url=sqlite_url(folder), **(fields or {"table": "orders"}))


def file_source(path: str, **fields: Any) -> FileData:
    return FileData(kind="file", path=path, **fields)
