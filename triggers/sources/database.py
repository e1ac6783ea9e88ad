"""Reads the rows of SQL statements in read-only mode. Judges nothing."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator

from sentinel_core.model.fault import Fault
from triggers.sources.allowed import allowed_file, file_warning, host_warning, require_resolved
from triggers.sources.errors import SourceError
from triggers.sources.secret import (
    ENVIRONMENT,
    is_reference,
    reference_warning,
    value_of,
    well_formed,
)
from triggers.sources.unusable import Warnings

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, CursorResult, Engine

STORE = ("SENTINEL_DATABASE_URL",)
"""Variables that a database URL may come from without being listed: the event store's."""
_STEPS = 10_000  # SQLite instructions between checks of the clock: well under a millisecond
_BUFFERED = 10_000  # rows fetched from PostgreSQL at a time
_CANCELED = "57014"  # SQLSTATE of a statement that was stopped


DatabaseUrl = Annotated[str, AfterValidator(well_formed)]
"""A database URL, `env:NAME` or `block:TYPE/NAME[/FIELD]`."""


def resolve_url(url: str) -> str:
    """`url` itself, or what the variable of `env:NAME` or the block of `block:TYPE/NAME` holds.

    So that no password stands in the rule file. Raises SourceError when there is no such value,
    AccessError when rules may not read the variable.
    """
    value = value_of("the database URL", url, STORE).strip()
    if not value:
        raise SourceError(f"{url} is empty; it should hold a database URL")
    return value


def backend(url: str) -> str:
    """The kind of database that a rule's URL leads to, as `postgresql`. Raises SourceError."""
    return _address(resolve_url(url)).get_backend_name()


def database_warnings(field: str, url: str) -> Warnings:
    """What is wrong with a database URL of a rule: unreadable, refused here, or with a password."""
    said = reference_warning(url, STORE)
    if not is_reference(url):
        try:
            address = _address(url)
        except SourceError as error:
            return [(field, str(error))]
        if address.password:
            said = "a password does not belong in a rule: give the URL as block:secret/NAME"
        elif address.get_backend_name() == "sqlite":
            said = file_warning(address.database or "")
        else:
            said = next(filter(None, map(host_warning, _hosts(address))), None)
    return [(field, said)] if said else []


def read_rows(
    url: str,
    query: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    timeout_seconds: float = 30,
    max_rows: int = 1_000_000,
) -> list[dict[str, Any]]:
    """The rows of `query` as dictionaries, in its order; more than `max_rows` is an error.

    Reads as `open_database` says. Raises SourceError.
    """
    with open_database(url, timeout_seconds) as database:
        return database.rows(query, parameters, max_rows=max_rows)


class Database:
    """An open connection that only reads, in one transaction. Its methods raise SourceError."""

    def __init__(self, connection: "Connection", timeout_seconds: float) -> None:
        self._connection = connection
        self._timeout_seconds = timeout_seconds
        self.dialect = connection.dialect.name

    def rows(
        self, query: str, parameters: Mapping[str, Any] | None = None, *, max_rows: int
    ) -> list[dict[str, Any]]:
        """The rows of a query; more than `max_rows` is an error."""
        rows = self.first_rows(query, parameters, most=max_rows + 1)
        if len(rows) > max_rows:
            raise SourceError(
                f"the query returns more than {max_rows:,} rows: narrow it down or raise max_rows"
            )
        return rows

    def first_rows(
        self, query: str, parameters: Mapping[str, Any] | None = None, *, most: int
    ) -> list[dict[str, Any]]:
        """The first rows of a query; the others are not fetched."""
        with (
            _explained(self._timeout_seconds),
            closing(_execute(self._connection, query, parameters or {})) as result,
        ):
            return _fetch(result, most)

    def columns(self, query: str) -> list[tuple[str, str]]:
        """Name and type of each column of a query; "" where the driver names no types."""
        with (
            _explained(self._timeout_seconds),
            closing(_execute(self._connection, query, {})) as result,
        ):
            described: Any = result.cursor.description if result.cursor is not None else ()
            return [(str(item[0]), str(getattr(item, "type_display", ""))) for item in described]

    def quoted(self, name: str) -> str:
        """A column's or a table's name as the database's SQL writes it."""
        return self._connection.dialect.identifier_preparer.quote_identifier(name)


@contextmanager
def open_database(url: str, timeout_seconds: float) -> Iterator[Database]:
    """A database to read from, closed after.

    `url` is any SQLAlchemy URL whose driver is installed, `env:NAME` or `block:TYPE/NAME`. A URL
    from a variable was put there by who runs the worker; any other leads only to files and hosts
    that rules may read. SQLite files are opened read-only. On PostgreSQL the statement is declared
    as a cursor in a read-only transaction: that takes one SELECT and nothing else. On both, a query
    that outlives `timeout_seconds` is stopped.
    Other databases are read in a transaction that is rolled back. Raises SourceError.
    """
    address = _address(resolve_url(url))
    if not url.startswith(ENVIRONMENT):
        address = _allowed(address)
    shown = address.render_as_string(hide_password=True)
    try:
        with ExitStack() as opened:
            with _explained(timeout_seconds):
                connection = opened.enter_context(_engine(address, timeout_seconds).connect())
                _restrict(connection, timeout_seconds)
            yield Database(connection, timeout_seconds)
    except SourceError as error:
        raise type(error)(f"{shown}: {error}", code=error.code) from error


@contextmanager
def _explained(timeout_seconds: float) -> Iterator[None]:
    """Errors of SQLAlchemy and drivers as SourceError."""
    from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

    try:
        yield
    except ImportError as error:
        raise SourceError(f"the database driver is not installed ({error})") from error
    except (SQLAlchemyError, sqlite3.Error, ValueError) as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        said = " ".join(str(cause).split())[:500] or type(cause).__name__
        slow = said == "interrupted" or getattr(cause, "sqlstate", None) == _CANCELED
        if said == "interrupted":
            said = f"the query took longer than {timeout_seconds:g} s"
        away = isinstance(error, OperationalError) and getattr(cause, "sqlstate", "") is None
        code = Fault.TIMEOUT if slow else Fault.CONNECTION if away else None
        raise SourceError(f"the query failed: {said}", code=code) from error


def _address(url: str) -> "URL":
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:
        # The text is not repeated: it may hold a password.
        raise SourceError(
            "not a database URL; expected for example postgresql://user:password@host/database, "
            "sqlite:///path, block:secret/NAME or env:NAME"
        ) from error
    if address.drivername in ("postgres", "postgresql"):
        return address.set(drivername="postgresql+psycopg")
    return address


def _allowed(address: "URL") -> "URL":
    """The address, links to a file followed. Raises AccessError for what rules may not read."""
    if address.get_backend_name() == "sqlite":
        return address.set(database=str(allowed_file(address.database or "")))
    for host in _hosts(address):
        require_resolved(host)
    return address


def _hosts(address: "URL") -> list[str]:
    """The hosts of a URL; drivers read some from its query. A path is a socket of this machine."""
    found = [address.host or ""]
    for name in ("host", "hostaddr"):
        value = address.query.get(name, ())
        found += [value] if isinstance(value, str) else value
    hosts = [host for text in found for host in text.split(",")]
    return [
        host.partition(":")[0] if host.count(":") == 1 else host
        for host in hosts
        if host and not host.startswith("/")
    ]


def _engine(address: "URL", timeout_seconds: float) -> "Engine":
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    if address.get_backend_name() == "sqlite":
        path = Path(address.database or "").absolute()
        if not path.is_file():
            raise SourceError(f"there is no SQLite file {path}")
        return create_engine(
            "sqlite://", creator=lambda: _open_sqlite(path, timeout_seconds), poolclass=NullPool
        )
    patience = {}
    if address.get_backend_name() == "postgresql":
        patience = {"connect_timeout": max(2, round(timeout_seconds))}
    return create_engine(address, poolclass=NullPool, connect_args=patience)


def _open_sqlite(path: Path, timeout_seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=timeout_seconds)
    connection.text_factory = lambda raw: raw.decode("utf-8", errors="replace")
    connection.set_authorizer(_stay_in_this_file)
    deadline = monotonic() + timeout_seconds
    connection.set_progress_handler(lambda: monotonic() > deadline, _STEPS)
    return connection


def _stay_in_this_file(action: int, *_names: str | None) -> int:
    """`mode=ro` binds the file that was opened, not those a statement attaches or copies it to."""
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK


def _restrict(connection: "Connection", timeout_seconds: float) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        connection.exec_driver_sql(
            f"SET LOCAL statement_timeout = {max(1, round(timeout_seconds * 1000))}"
        )


def _execute(
    connection: "Connection", query: str, parameters: Mapping[str, Any]
) -> "CursorResult[Any]":
    from sqlalchemy import bindparam, text

    # A cursor on the server's side can be declared for one SELECT only, and keeps its rows there.
    connection = connection.execution_options(stream_results=True, max_row_buffer=_BUFFERED)
    if not parameters:  # unchanged: its colons and per cent signs are no placeholders
        return connection.execution_options(no_parameters=True).exec_driver_sql(query)
    bound: list[Any] = [
        bindparam(name, value, expanding=isinstance(value, list))
        for name, value in parameters.items()
    ]
    return connection.execute(text(query).bindparams(*bound))


def _fetch(result: "CursorResult[Any]", most: int) -> list[dict[str, Any]]:
    if not result.returns_rows:
        raise SourceError("the statement returns no rows: write a SELECT")
    names = list(result.keys())
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SourceError(f"two columns have the same name, give one an alias: {twice}")
    rows = result.fetchmany(most)
    return [dict(zip(names, row, strict=True)) for row in rows]
