"""DuckDB over Parquet and CSV files: an extra (`[data]`), which reads them piece by piece."""

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from triggers.sources.allowed import allowed_file
from triggers.sources.errors import SourceError
from triggers.sources.fetch import is_url, shown
from triggers.sources.sql_table import SqlTable
from triggers.sources.sql_text import DUCKDB, column_type, literal

NAME = "data"
"""What a query calls the file."""


@contextmanager
def open_file(path: str, query: str | None, memory_mb: int) -> Iterator[SqlTable]:
    """A local Parquet or CSV file, or a query over it, as a table. Raises SourceError.

    More memory than `memory_mb` is not used: what does not fit goes to temporary files.
    """
    if is_url(path):
        raise SourceError(f"{shown(path)}: DuckDB reads local files here; leave out engine: duckdb")
    try:
        import duckdb
    except ImportError as error:
        raise SourceError(
            "duckdb is not installed where the check runs: pip install 'prefect-sentinel[data]'"
        ) from error
    file = allowed_file(path)
    if not file.is_file():
        raise SourceError(f"{path}: no such file")
    with TemporaryDirectory(prefix="sentinel-") as spill, duckdb.connect() as connection:

        def ask(text: str, most: int) -> list[dict[str, Any]]:
            try:
                cursor = connection.execute(text)
                names = [item[0] for item in cursor.description or ()]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchmany(most)]
            except duckdb.Error as error:
                said = " ".join(str(error).split())[:500]
                raise SourceError(f"{path}: the query failed: {said}") from error

        for setting in (
            f"SET memory_limit = '{memory_mb}MB'",
            f"SET temp_directory = {literal(spill)}",
            "SET preserve_insertion_order = false",
            f"CREATE VIEW {NAME} AS SELECT * FROM {_reader(str(file))}",
            # From here on a query can read nothing but that file.
            f"SET allowed_paths = [{literal(str(file))}]",
            f"SET allowed_directories = [{literal(spill)}]",
            "SET enable_external_access = false",
            "SET lock_configuration = true",
        ):
            ask(setting, 1)
        relation = f"({query.strip().rstrip(';')}) AS q" if query else NAME
        described = ask(f"DESCRIBE SELECT * FROM {relation}", 100_000)
        columns = [
            column_type(DUCKDB, str(row["column_name"]), str(row["column_type"]))
            for row in described
        ]
        yield SqlTable(DUCKDB, relation, columns, ask, quoted)


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def _reader(path: str) -> str:
    function = "read_parquet" if path.lower().endswith((".parquet", ".pq")) else "read_csv"
    return f"{function}({literal(path)})"
