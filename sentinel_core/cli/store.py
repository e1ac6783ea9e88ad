"""The event store for commands: opened, or a sentence that says why not."""

from collections.abc import Iterator
from contextlib import contextmanager
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
    from sentinel_core.store.db.engine import masked

    return masked(url)


def exists(url: str) -> bool:
    """False for an SQLite file that nobody has made yet: looking must not make it."""
    from sentinel_core.store.db.engine import sqlite_file

    file = sqlite_file(url)
    return file is None or file.exists()


@contextmanager
def opened(url: str) -> Iterator["Engine"]:
    """An engine over the store. Raises StoreUnavailableError when it can't be reached."""
    from sentinel_core.store.db.engine import open_engine

    with explained(url):
        engine = open_engine(url, create=False)
        try:
            yield engine
        finally:
            engine.dispose()


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Raise StoreUnavailableError, which says why and what to do, when the store can't be used."""
    from sentinel_core.store.db import failure

    with failure.explained(url):
        yield


@contextmanager
def event_store() -> Iterator["Engine"]:
    """The event store as it is; looking at it creates none.

    Raises StoreUnavailableError and StoreRefusedError, each with what to do.
    """
    from sentinel_core.store.db.schema import identity_of

    url = settings().database_url
    absent = (
        f"there is no event store at {masked(url)} yet: `sentinel db upgrade` creates it; if it is "
        "elsewhere, set SENTINEL_DATABASE_URL"
    )
    if not exists(url):
        raise StoreUnavailableError(absent)
    with opened(url) as engine:
        if identity_of(engine) is None:
            raise StoreUnavailableError(absent)
        yield engine


def stored_rules() -> "list[RowMapping]":
    """The rules in the event store, none where there is no store: looking must not make one."""
    from sentinel_core.store.db.schema import identity_of
    from sentinel_core.store.state.rules import all_rules

    url = settings().database_url
    if exists(url):
        with opened(url) as engine:
            if identity_of(engine) is not None:
                return all_rules(engine)
    return []


@contextmanager
def writable_store() -> Iterator["Engine"]:
    """As `event_store`, for changes: another store than the registered one is refused.

    A value it refuses becomes a UsageError.
    """
    from sentinel_core.flow.opening import refuse_other
    from sentinel_core.store.db.schema import require_schema

    try:
        with event_store() as engine:
            refuse_other(settings(), require_schema(engine))
            yield engine
    except ValueError as error:
        raise UsageError(f"nothing was changed: {error}") from error
