"""Why a database can't be used, and what to do about it.

The cause follows from the database's codes (SQLite's result code, PostgreSQL's SQLSTATE, the
system's error number); its own words are only quoted.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Engine
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
)

from sentinel_core.base.errors import StoreUnavailableError
from sentinel_core.store.db.engine import has_unescaped_password, masked, sqlite_file
from sentinel_core.store.db.postgres_refusal import refusal_code


class Failure(NamedTuple):
    """Why a database can't be used, and what to do; both go on a sentence."""

    cause: str
    advice: str


_RESTORE = "restore it from a backup, or begin a new store with `sentinel db adopt`"
_DAMAGED = Failure("the file is damaged, or it is no SQLite database", _RESTORE)
_FULL = Failure("the disk is full", "free some space on it; nothing else needs to be done")
_FORBIDDEN = Failure(
    "this user may not read and write it",
    "give this user access to the file and its folder, or correct SENTINEL_DATABASE_URL",
)
_LOCKED = Failure(
    "another process has kept it locked for half a minute", "see which process that is, and end it"
)
_DISK = Failure("its disk reports errors", "look at the disk and at the system's log")
_NO_MEMORY = Failure("there is not enough memory", "free some, and try again")
_UNREADABLE_URL = Failure("this is no address of a database", "correct SENTINEL_DATABASE_URL")
_AWAY = Failure("the database server does not answer", "start it, or correct SENTINEL_DATABASE_URL")
_OTHER = Failure(
    "the database reports an error", "see what it says here, or correct SENTINEL_DATABASE_URL"
)

_SQLITE = {  # by primary result code (sqlite.org/rescode.html)
    3: _FORBIDDEN,
    5: _LOCKED,
    6: _LOCKED,
    7: _NO_MEMORY,
    8: _FORBIDDEN,
    10: _DISK,
    11: _DAMAGED,
    13: _FULL,
    23: _FORBIDDEN,
    26: _DAMAGED,
}
_SQLITE_CANTOPEN = 14

_SYSTEM = {
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _FORBIDDEN,
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EIO: _DISK,
}

_CREDENTIALS = Failure(
    "the database server refuses the user or the password",
    "correct them in SENTINEL_DATABASE_URL, or let the user in on the server",
)
_NO_DATABASE = Failure(
    "the database server has no such database",
    "create it there, or correct SENTINEL_DATABASE_URL",
)
_STARTING = Failure("the database server is starting or stopping", "wait until it is up")
_POSTGRES = {  # by SQLSTATE, or its class: the first two characters
    "08": _AWAY,
    "28": _CREDENTIALS,
    "3D": _NO_DATABASE,
    "53100": _FULL,
    "53200": _NO_MEMORY,
    "53300": Failure(
        "the database server has no connection left",
        "close some, or raise its max_connections",
    ),
    "55P03": _LOCKED,
    "57P01": _STARTING,
    "57P02": _STARTING,
    "57P03": _STARTING,
    "42501": Failure(
        "this user has no rights to the tables", "grant them, or correct SENTINEL_DATABASE_URL"
    ),
    "25006": Failure(
        "the database can only be read", "let SENTINEL_DATABASE_URL name the primary server"
    ),
    "58030": _DISK,
    "XX001": Failure("the database is damaged", "restore it from a backup"),
    "XX002": Failure("the database is damaged", "restore it from a backup"),
}
_OUR_FAULT = (DataError, IntegrityError)  # a wrong value is no failure of the database


def unavailable(error: Exception, url: str) -> StoreUnavailableError:
    """The error that says why the store at this address can't be used, and what to do."""
    failure = failure_of(error, url)
    said = " ".join(str(getattr(error, "orig", None) or error).split())
    if has_unescaped_password(url):  # the driver would name its tail as the host
        said = "if the password holds @, / or :, write %40, %2F or %3A for it"
    return StoreUnavailableError(
        f"the event store {_shown(url)} can't be used: {failure.cause} ({said}). "
        f"{failure.advice[0].upper()}{failure.advice[1:]}"
    )


def failure_of(error: Exception, url: str) -> Failure:
    """Why the database at this address can't be used, by the code of the error."""
    if isinstance(error, ArgumentError):
        return _UNREADABLE_URL
    cause: Any = getattr(error, "orig", None) or error
    number = getattr(cause, "sqlite_errorcode", None)
    if number is not None:
        code = number & 0xFF
        return _not_opened(url) if code == _SQLITE_CANTOPEN else _SQLITE.get(code, _OTHER)
    if isinstance(cause, OSError):
        return (
            _not_opened(url)
            if cause.errno == errno.ENOENT
            else _SYSTEM.get(cause.errno or 0, _OTHER)
        )
    if not hasattr(cause, "sqlstate"):
        return _OTHER
    # Of a connection that failed, libpq keeps the code to itself.
    state: str | None = cause.sqlstate or refusal_code(url)
    if state is None:
        return _AWAY
    return _POSTGRES.get(state) or _POSTGRES.get(state[:2]) or _OTHER


def _not_opened(url: str) -> Failure:
    """Why SQLite could not open its file, by what is in its place."""
    file = sqlite_file(url)
    if file is not None and not file.parent.is_dir():
        return Failure(
            f"there is no folder {file.parent}",
            "create it, attach its disk, or correct SENTINEL_DATABASE_URL",
        )
    if file is not None and file.is_dir():
        return Failure(f"{file} is a folder", "correct SENTINEL_DATABASE_URL")
    return _FORBIDDEN


def _shown(url: str) -> str:
    try:
        return masked(url)
    except ArgumentError:
        return "in SENTINEL_DATABASE_URL"


def is_failure(error: Exception) -> bool:
    """True if the database can't be used; False for a mistake in what was asked of it."""
    if isinstance(error, OperationalError | InterfaceError | ArgumentError | OSError):
        return True
    if not isinstance(error, DBAPIError) or isinstance(error, _OUR_FAULT):
        return False
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state in _POSTGRES or state[:2] in _POSTGRES
    return type(error) is DatabaseError  # so SQLite reports a damaged file


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Raise StoreUnavailableError, which says why and what to do, when the store can't be used."""
    try:
        yield
    except (DBAPIError, ArgumentError, OSError) as error:
        if not is_failure(error):
            raise
        raise unavailable(error, url) from error


@contextmanager
def answering(engine: Engine) -> Iterator[None]:
    """As `explained`, for the database of an engine."""
    with explained(engine.url.render_as_string(hide_password=False)):
        yield
