"""New databases, empty or with Sentinel's tables: migrated once, then copied."""

import contextlib
import hashlib
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, make_url, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import SQLModel

from sentinel_core.store.db.engine import open_engine, writing
from sentinel_core.store.db.schema import upgrade
from sentinel_core.store.db.tables import IDENTITY
from tests.support.shared import Shared

TABLES = SQLModel.metadata.sorted_tables
TEMPLATE = "sentinel_template"
TEMPLATE_IDENTITY = uuid.UUID("5e471e10-0000-4000-8000-000000000001")


@contextlib.contextmanager
def postgres_database(maintenance: str, template: str = "template1") -> Iterator[str]:
    """The URL of a new database, gone after; `template` is the one it is a copy of."""
    name = f"t{uuid.uuid4().hex}"
    _run(maintenance, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield _named(maintenance, name)
    finally:
        _run(maintenance, f"DROP DATABASE {name} WITH (FORCE)")


class StoreDatabase:
    """A PostgreSQL database with Sentinel's tables that one test after the other has to itself.

    Making one takes far longer than emptying it. A test that changed its schema or left
    connections behind has used it up: the next test gets a new one.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._new = contextlib.ExitStack()
        self._url: str | None = None
        self._fresh: list[Any] = []

    @contextlib.contextmanager
    def lent(self) -> Iterator[str]:
        """Its URL, for one test."""
        if self._url is None:
            self._make()
        assert self._url is not None
        try:
            yield self._url
        finally:
            if not self._emptied(self._url):
                self.end()

    def end(self) -> None:
        """Remove it."""
        self._new.close()
        self._url = None

    def _make(self) -> None:
        template = postgres_template(self._shared)
        self._url = self._new.enter_context(postgres_database(self._shared.postgres(), template))
        with _connected(self._url) as connection:
            self._fresh = [connection.scalar(text(query)) for query in _AS_MADE]

    def _emptied(self, url: str) -> bool:
        tables = ", ".join(table.name for table in TABLES if table is not IDENTITY)
        try:
            with _connected(url) as connection:
                if [connection.scalar(text(query)) for query in _AS_MADE] != self._fresh:
                    return False
                connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY"))
        except SQLAlchemyError:  # a table is gone, or the database
            return False
        return True


_AS_MADE = (
    # what is there, its statistics for the planner, and who else is connected
    "SELECT string_agg(oid || relname || relnatts || reltriggers, ',' ORDER BY oid) FROM ("
    "SELECT oid, relname, relnatts, relhastriggers::text AS reltriggers FROM pg_class"
    " WHERE relnamespace = 'public'::regnamespace) AS relations",
    "SELECT count(*) FROM pg_statistic JOIN pg_class ON pg_class.oid = starelid"
    " WHERE relnamespace = 'public'::regnamespace",
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()",
    "SELECT string_agg(store_identity::text, ',') FROM store_identity",
    "SELECT string_agg(sentinel_version::text, ',') FROM sentinel_version",
)


def postgres_template(shared: Shared) -> str:
    """The name of a database with the tables, for `postgres_database`."""

    def make() -> str:
        _run(shared.postgres(), f"CREATE DATABASE {TEMPLATE}")
        migrate(_named(shared.postgres(), TEMPLATE))
        return TEMPLATE

    return str(shared.once("postgres-template", make))


def copy_sqlite(shared: Shared, to: Path) -> None:
    """An event store with its tables at this path."""
    file = shared.folder / "template.db"

    def make() -> str:
        migrate(f"sqlite:///{file}")
        return str(file)

    shutil.copyfile(shared.once("sqlite-template", make), to)


def migrate(url: str) -> None:
    """Make the tables in an empty database.

    The stores of all tests have one identity, so that they can share a Prefect server, in which it
    is registered once. A test that makes a store of its own names a variable of its own, too.
    """
    engine = open_engine(url)
    upgrade(engine)
    with writing(engine) as connection:
        connection.execute(update(IDENTITY).values(id=TEMPLATE_IDENTITY))
    engine.dispose()


def variable_for(url: str) -> str:
    """A name for the Prefect variable of the store at this address, which no other store has."""
    return f"store_{hashlib.sha256(url.encode()).hexdigest()[:32]}"


def _named(maintenance: str, name: str) -> str:
    return make_url(maintenance).set(database=name).render_as_string(hide_password=False)


def _run(url: str, statement: str) -> None:
    with _connected(url) as connection:
        connection.execute(text(statement))


@contextlib.contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


_FIRST: dict[str, Engine] = {}


def share_dialect(engine: Engine) -> Engine:
    """The engine with the statements that earlier ones of its kind have compiled.

    A third of what a test of the store took was compiling the same statements again. What a test
    changes about the dialect itself, the later ones have, too.
    """
    kind = f"{engine.dialect.name}+{engine.dialect.driver}"
    if (first := _FIRST.get(kind)) is None:
        engine.connect().close()  # it asks once for the database's version
        _FIRST[kind] = engine
    else:
        engine.dialect = engine.pool._dialect = first.dialect
        engine._compiled_cache = first._compiled_cache
    return engine
