"""The engine and the two kinds of transaction. Knows no table."""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Executable, Select, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool, QueuePool, StaticPool
from tenacity import (
    Retrying,
    retry,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from sentinel_core.store.db.sqlite_file import SqliteFile

Check = Callable[[Connection, bool], None]
"""Given the transaction that has begun, and whether it may write; raises to refuse it."""
_QUERY_PASSWORD = re.compile(r"([?&][^=&]*password[^=&]*=)[^&]*", re.IGNORECASE)
_BUSY_MS = 30_000  # how long a writer waits for another, on either database
_LIVENESS = {  # a network that swallows packets is noticed in about half a minute
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
# A statement that psycopg prepares after its fifth time is planned for any value: of a million
# events, all are read where the index has the few that are critical (1.2 s instead of 20 ms).
_UNPREPARED = {"prepare_threshold": None}


def open_engine(
    url: str,
    *,
    pooled: bool = False,
    unlimited: bool = False,
    create: bool = True,
    connect_timeout_seconds: int = 5,
) -> Engine:
    """An engine for `sqlite:///…` or `postgresql+psycopg://…`. Does not connect yet.

    `pooled` keeps connections from one transaction to the next, until `dispose`: opening one takes
    longer than most transactions. Without, each has its own. A pool has fifteen at most, and who
    finds none waits for one, unless it is `unlimited`.
    An SQLite file and its folder are created if they are missing, unless `create` is False; then
    connecting raises StoreIdentityError.
    """
    parsed = make_url(url)
    pool: dict[str, Any] = {"poolclass": QueuePool if pooled else NullPool}
    if pooled and unlimited:
        pool["max_overflow"] = -1
    if parsed.get_backend_name() != "sqlite":
        if pooled:
            pool["pool_pre_ping"] = True  # a restarted database costs one retry, not a page
        arguments = {"connect_timeout": connect_timeout_seconds, **_LIVENESS, **_UNPREPARED}
        return create_engine(url, **pool, connect_args=arguments)
    options: dict[str, Any] = {"timeout": _BUSY_MS / 1000}
    file = sqlite_file(url)
    if file is not None:
        if create:
            file.parent.mkdir(parents=True, exist_ok=True)
    else:  # in memory, for tests: it is gone with its connection, so there is only one
        pool["poolclass"] = StaticPool
        options["check_same_thread"] = False
    engine = create_engine(url, **pool, connect_args=options, json_serializer=_to_json)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    if file is not None:
        watched = SqliteFile(file, must_exist=not create)
        watched.watch(engine)
        engine.update_execution_options(sentinel_file=watched)
    return engine


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite store; None for a server, and in memory."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    return Path(str(parsed.database)).expanduser()


def masked(url: str) -> str:
    """A database URL without its password, wherever it is written."""
    if has_unescaped_password(url):  # where it ends is not certain, so all of it is hidden
        scheme, _, rest = url.partition("://")
        login, _, server = rest.rpartition("@")
        user = f"{login.partition(':')[0]}:" if ":" in login else ""
        server = _QUERY_PASSWORD.sub(r"\1***", server)
        return f"{scheme}://{user}***@{server}"
    parsed = make_url(url)
    secrets = {key: "***" for key in parsed.query if "password" in key.lower()}
    return parsed.update_query_dict(secrets).render_as_string(hide_password=True)


def has_unescaped_password(url: str) -> bool:
    """True if a password seems to hold an @: its tail would be read as the host or the database."""
    return not url.startswith("sqlite") and url.partition("://")[2].count("@") > 1


_encode = json.JSONEncoder(check_circular=False).encode  # model/cleaning.py rejects circles


def _to_json(value: object) -> str:
    """JSON as text, quick for an empty dictionary: most evidence is empty."""
    return "{}" if value.__class__ is dict and not value else _encode(value)


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver starts no transactions, `_begin_sqlite` does
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    _use_wal(cursor)
    cursor.execute("PRAGMA synchronous=FULL")  # an acknowledged record survives a power loss
    cursor.execute("PRAGMA cache_size=-8000")  # 8 MB for each connection
    cursor.close()


@retry(
    retry=retry_if_exception_type(sqlite3.OperationalError),
    wait=wait_random_exponential(multiplier=0.01, max=0.5),
    stop=stop_after_delay(_BUSY_MS / 1000),
    reraise=True,
)
def _use_wal(cursor: sqlite3.Cursor) -> None:
    """Switch the file to WAL for good, with retries: SQLite ignores the busy timeout here."""
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        cursor.execute("PRAGMA journal_mode=WAL")


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("sentinel_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN DEFERRED")


LIMIT_WAITS = f"set_config('lock_timeout', '{_BUSY_MS}', true)"
"""PostgreSQL's expression that has this transaction wait no longer for a lock."""


@contextmanager
def transaction(engine: Engine, *, write: bool, limits_waits: bool = True) -> Iterator[Connection]:
    """One transaction, without the engine's check; commits at the end, or not at all.

    On SQLite one that may write takes the write lock at once: a deferred transaction that reads
    first and writes later fails with "database is locked" whatever the busy timeout says. On
    PostgreSQL it waits for locks as long as SQLite does, if `limits_waits`.
    """
    with engine.connect() as connection:
        if write:
            connection.execution_options(sentinel_write=True)
        with connection.begin():
            if write and limits_waits and connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT {LIMIT_WAITS}")
            yield connection


def check_each_transaction(engine: Engine, check: Check) -> None:
    """From now on, `reading` and `writing` begin with this check, and make no file anew.

    A check limits how long PostgreSQL waits for locks (`LIMIT_WAITS`), before it waits for one.
    """
    engine.update_execution_options(sentinel_check=check)
    if (file := engine.get_execution_options().get("sentinel_file")) is not None:
        file.must_exist = True


@contextmanager
def _checked(engine: Engine, *, write: bool) -> Iterator[Connection]:
    check: Check | None = engine.get_execution_options().get("sentinel_check")
    with transaction(engine, write=write, limits_waits=check is None) as connection:
        if check is not None:
            check(connection, write)
        yield connection
        file: SqliteFile | None = engine.get_execution_options().get("sentinel_file")
        if write and file is not None:
            file.refuse_replaced(connection)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that may write; commits at the end, or not at all.

    Raises what the engine's check raises, before anything is written, and StoreIdentityError when
    the SQLite file is replaced before the end.
    """
    with _checked(engine, write=True) as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent snapshot that takes no write lock. Raises what the engine's check raises."""
    with _checked(engine, write=False) as connection:
        yield connection


def rows(
    connection: Connection, statement: Executable, given: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The rows of a query, each with its columns by name; `given` are its parameters."""
    found = connection.execute(statement, given)
    names = tuple(found.keys())
    return [dict(zip(names, row, strict=True)) for row in found.all()]


def count_up_to(
    connection: Connection, counted: Select[Any], cap: int, given: Mapping[str, Any] | None = None
) -> int:
    """The number of rows; `cap + 1` if there are more than `cap`, as counting on costs too much.

    `given` are the query's parameters.
    """
    return int(connection.scalar(up_to(counted, cap), given) or 0)


def up_to(counted: Select[Any], cap: int) -> Select[tuple[int]]:
    """The query of `count_up_to`, for those who keep it."""
    return select(func.count()).select_from(counted.limit(cap + 1).subquery())


def retrying(seconds: float) -> Retrying:
    """Attempts that repeat while the database does not answer, for at most this long."""
    return Retrying(
        retry=retry_if_exception_type(OperationalError),
        stop=stop_after_delay(seconds),
        wait=wait_random_exponential(multiplier=0.1, max=2),
        reraise=True,
    )
