"""The event store for commands: opened, or a sentence that says why not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sentinel_core.base.errors import SetupError, StoreUnavailableError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from sentinel_core.base.settings import Settings


def settings() -> "Settings":
    """The settings of this process. Raises SetupError for a variable that makes no sense."""
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
