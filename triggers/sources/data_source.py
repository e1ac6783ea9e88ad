"""Where data is read from: a file, a database, a JSON answer, a run's result.

Each kind opens as a table, which is measured where it is, and reads as one document.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from triggers.sources.database import Database, DatabaseUrl, database_warnings, open_database
from triggers.sources.document import MISSING, value_at
from triggers.sources.duck import open_file
from triggers.sources.endpoint import Endpoint, json_of
from triggers.sources.errors import NoDataError, SourceError
from triggers.sources.fetch import fetch, shown, source_warning
from triggers.sources.frame_table import frame_table
from triggers.sources.frames import json_of_text, read_frame, records_frame
from triggers.sources.results import newest_result
from triggers.sources.sql_table import SqlTable
from triggers.sources.sql_text import DIALECTS, SQLITE, column_type, literal
from triggers.sources.table import ColumnType, Table, only_row
from triggers.sources.tables import decoded, unpacked
from triggers.sources.union import any_of
from triggers.sources.unusable import Warnings, writing_query

_PATH = "names and list positions joined by dots; empty: all of it"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileData(_Strict):
    """A CSV, Parquet or JSON file."""

    kind: Literal["file"] = Field(description="file: CSV, Parquet or JSON, local or http(s)")
    path: str = Field(
        min_length=1, description="path relative to the working directory, or an http(s) URL"
    )
    engine: Literal["pandas", "duckdb"] = Field(
        "pandas",
        description="duckdb (extra `[data]`): local Parquet and CSV files, read piece by piece",
    )
    query: str | None = Field(
        None, min_length=1, description="with duckdb: a SELECT over the table `data`, the file"
    )
    memory_mb: int = Field(128, ge=64, le=65_536, description="with duckdb: its most memory")
    document_path: str = Field("", max_length=1_000, description=f"in a JSON file: {_PATH}")
    http_timeout_seconds: float = Field(
        20, gt=0, le=120, description="how long a URL may take to answer, in seconds"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.query is not None and self.engine != "duckdb":
            raise ValueError("query: needs engine: duckdb")
        return self

    def warnings(self) -> Warnings:
        """What the settings here refuse."""
        said = source_warning(self.path)
        return [("source", said)] if said else []

    @contextmanager
    def open(self) -> Iterator[Table]:
        """The file as a table."""
        if self.engine == "duckdb":
            with open_file(self.path, self.query, self.memory_mb) as table:
                yield table
            return
        content = fetch(self.path, self.http_timeout_seconds)
        try:
            if self.document_path:
                yield frame_table(records_frame(self.document()))
            else:
                yield frame_table(read_frame(content.data, content.content_type))
        except SourceError as error:
            raise _named(shown(self.path), error) from error

    def document(self) -> Any:
        """The JSON value, or the only row of a table."""
        if self.engine == "duckdb":
            with open_file(self.path, self.query, self.memory_mb) as table:
                return only_row(table.ask(f"SELECT * FROM {table.relation}", 2))
        content = fetch(self.path, self.http_timeout_seconds)
        try:
            data = unpacked(content.data)
            written = "" if data.startswith(b"PAR1") else decoded(data, content.content_type)
            if written.lstrip()[:1] not in ("[", "{"):
                return frame_table(read_frame(data, content.content_type)).only_row()
            return _value(json_of_text(written), self.document_path)
        except ValueError as error:
            raise SourceError(f"{shown(self.path)}: is not JSON: {error}") from error
        except SourceError as error:
            raise _named(shown(self.path), error) from error


class SqlData(_Strict):
    """A table of a database, or a query."""

    kind: Literal["sql"] = Field(description="sql: a table or a query of a database")
    url: DatabaseUrl = Field(
        min_length=1, description="a database URL, or block:TYPE/NAME or env:NAME that holds one"
    )
    table: str | None = Field(None, min_length=1, description="a table, or schema.table")
    query: str | None = Field(None, min_length=1, description="one SELECT, instead of a table")
    statement_timeout_seconds: float = Field(
        60, gt=0, le=240, description="how long a query may take, in seconds"
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.table is None) == (self.query is None):
            raise ValueError("give either table or query")
        return self

    def warnings(self) -> Warnings:
        """What the settings here refuse; a query that changes data."""
        found = [("source", said) for _, said in database_warnings("url", self.url)]
        return found + (writing_query("source", self.query) if self.query else [])

    @contextmanager
    def open(self) -> Iterator[Table]:
        """The table or query, measured in the database."""
        with open_database(self.url, self.statement_timeout_seconds) as database:
            relation = self._relation(database)
            columns = self._columns(database, relation) if database.dialect in DIALECTS else []
            yield SqlTable(
                database.dialect,
                relation,
                columns,
                lambda query, most: database.first_rows(query, most=most),
                database.quoted,
            )

    def document(self) -> Any:
        """The only row."""
        with open_database(self.url, self.statement_timeout_seconds) as database:
            return only_row(
                database.first_rows(f"SELECT * FROM {self._relation(database)}", most=2)
            )

    def _relation(self, database: Database) -> str:
        if self.table is not None:
            return ".".join(database.quoted(part) for part in self.table.split("."))
        return f"({(self.query or '').strip().rstrip(';')}) AS q"

    def _columns(self, database: Database, relation: str) -> list[ColumnType]:
        if database.dialect == SQLITE and self.table is not None:
            name = self.table.rpartition(".")[2]
            query = f"SELECT name, type FROM pragma_table_info({literal(name)})"
            rows = database.first_rows(query, most=100_000)
            if rows:
                return [column_type(SQLITE, str(r["name"]), str(r["type"])) for r in rows]
        described = database.columns(f"SELECT * FROM {relation} LIMIT 0")
        return [column_type(database.dialect, name, written) for name, written in described]


class HttpData(Endpoint):
    """A JSON answer."""

    kind: Literal["http"] = Field(description="http: a JSON answer")
    path: str = Field("", max_length=1_000, description=f"where the data is: {_PATH}")

    def warnings(self) -> Warnings:
        """What the settings here refuse."""
        return [("source", said) for said in self.refusals()]

    @contextmanager
    def open(self) -> Iterator[Table]:
        """A list of objects, or an object of columns, as a table."""
        document = self.document()
        try:
            yield frame_table(records_frame(document))
        except SourceError as error:
            raise _named(shown(self.url), error) from error

    def document(self) -> Any:
        """The JSON value."""
        probe = self.get()
        document = json_of(probe)
        try:
            return _value(document, self.path)
        except SourceError as error:
            raise _named(shown(probe.url), error) from error


class ResultData(_Strict):
    """The result of the newest completed run of a deployment, or of one of its tasks."""

    kind: Literal["result"] = Field(description="result: what a run of yours returned")
    deployment: str = Field(
        pattern=r"^[^/]+/[^/]+$", description="the deployment, as flow/deployment"
    )
    task: str | None = Field(
        None, min_length=1, description="a task of it by its name; null: the flow's own result"
    )
    path: str = Field("", max_length=1_000, description=f"in a result of dictionaries: {_PATH}")

    def warnings(self) -> Warnings:
        """Nothing is known before the check."""
        return []

    @contextmanager
    def open(self) -> Iterator[Table]:
        """A frame, or a list of dictionaries, as a table."""
        found = self.document()
        try:
            is_json = isinstance(found, list | dict)
            yield frame_table(records_frame(found) if is_json else found)
        except SourceError as error:
            raise _named(f"the result of {self.deployment}", error) from error

    def document(self) -> Any:
        """The result itself."""
        return _value(newest_result(self.deployment, self.task), self.path)


DataSource = Annotated[
    FileData | SqlData | HttpData | ResultData,
    Field(discriminator="kind", json_schema_extra=any_of),
]
"""`kind` says which fields belong to it."""


def _named(where: str, error: SourceError) -> SourceError:
    said = str(error)
    return type(error)(said if said.startswith(where) else f"{where}: {said}", code=error.code)


def _value(document: Any, path: str) -> Any:
    if not path:
        return document
    found = value_at(document, path)
    if found is MISSING:
        raise NoDataError(f"there is nothing at {path}")
    return found
