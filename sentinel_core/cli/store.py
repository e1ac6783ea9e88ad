"""The event store for commands: opened, or a sentence that says why not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sentinel_core.base.errors import SetupError, StoreUnavailableError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Engine, RowMapping

    from sentinel_core.base.settings import Settings


def settings() -> "Settings":
    """The settings of this process. Raises SetupError for an invalid variable."""
    from pydantic import ValidationError

    from sentinel_core.base.settings import get_settings

    try:
        return get_settings()
    except ValidationError as error:
        item = error.errors()[0]
        name = f"SENTINEL_{'_'.join(str(part) for part in item['loc']).upper()}"
        raise SetupError(f"{name}: {item['msg'].removeprefix('Value error, ')}") from error


def masked(url: str) -> str:
    """A database URL without its password, wherever it is written."""
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    secrets = {key: "***" for key in parsed.query if "password" in key.lower()}
    return parsed.update_query_dict(secrets).render_as_string(hide_password=True)


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite store; None for a server."""
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)


def exists(url: str) -> bool:
    """False for an SQLite file that nobody has made yet: looking must not make it."""
    file = sqlite_file(url)
    return file is None or file.exists()


@contextmanager
def opened(url: str) -> Iterator["Engine"]:
    """An engine over the store. Raises StoreUnavailableError when it can't be reached."""
    from sqlalchemy.exc import ArgumentError, DBAPIError

    from sentinel_core.store.db.engine import open_engine

    try:
        engine = open_engine(url)
        try:
            yield engine
        finally:
            engine.dispose()
    except (DBAPIError, ArgumentError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()
        raise StoreUnavailableError(
            f"the event store {masked(url)} can't be used: {reason[0] if reason else error}. "
            "Start it, or correct SENTINEL_DATABASE_URL"
        ) from error


@contextmanager
def event_store() -> Iterator["Engine"]:
    """The event store as it is; looking at it creates none.

    Raises StoreUnavailableError and StoreRefusedError, each with what to do.
    """
    from sentinel_core.store.db.schema import check_schema, schema_revision

    url = settings().database_url
    absent = (
        f"there is no event store at {masked(url)} yet: `sentinel db upgrade` creates it; if it is "
        "elsewhere, set SENTINEL_DATABASE_URL"
    )
    if not exists(url):
        raise StoreUnavailableError(absent)
    with opened(url) as engine:
        revision = schema_revision(engine)
        if revision is None:
            raise StoreUnavailableError(absent)
        check_schema(engine, revision)
        yield engine


def stored_rules() -> "list[RowMapping]":
    """The rules in the event store, none where there is no store: looking must not make one."""
    from sentinel_core.store.db.schema import check_schema, schema_revision
    from sentinel_core.store.state.rules import all_rules

    url = settings().database_url
    if exists(url):
        with opened(url) as engine:
            if revision := schema_revision(engine):
                check_schema(engine, revision)
                return all_rules(engine)
    return []


@contextmanager
def writable_store() -> Iterator["Engine"]:
    """As `event_store`, and a value it refuses becomes a UsageError."""
    try:
        with event_store() as engine:
            yield engine
    except ValueError as error:
        raise UsageError(f"nothing was changed: {error}") from error
