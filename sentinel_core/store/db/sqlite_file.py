"""The file of an SQLite store: its connections stay with the file that the path leads to.

A deleted file lives on for those who have it open, and whoever opens its path makes an empty one.
"""

import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Dialect, Engine, event
from sqlalchemy.exc import DisconnectionError

from sentinel_core.base.errors import StoreIdentityError

_OPENED = "sentinel_file"


class SqliteFile:
    """The file at a path. With `must_exist`, connecting makes none where there is none."""

    def __init__(self, path: Path, *, must_exist: bool) -> None:
        self.path = path
        self.must_exist = must_exist

    def watch(self, engine: Engine) -> None:
        """Keep the engine's connections on this file."""
        event.listen(engine, "do_connect", self._connect)
        event.listen(engine, "connect", self._connected)
        event.listen(engine, "checkout", self._checked_out)

    def refuse_replaced(self, connection: Connection) -> None:
        """Raise StoreIdentityError if the path no longer leads to the connection's file."""
        if connection.info.get(_OPENED) != self._number():
            raise StoreIdentityError(
                f"the event store's file {self.path} was deleted or replaced during this "
                "transaction, which was not recorded: restore the file"
            )

    def _connect(
        self, dialect: Dialect, _record: object, _arguments: object, options: dict[str, Any]
    ) -> Any:
        if not self.must_exist:
            return None  # as usual
        if self._number() is None:
            raise StoreIdentityError(
                f"the event store's file {self.path} is missing or out of reach: restore it, or "
                "correct SENTINEL_DATABASE_URL; `sentinel db adopt` begins anew with an empty store"
            )
        # Not even in the moment after that look is an empty file made.
        address = f"file:{quote(str(self.path))}?mode=rw"
        return dialect.connect(address, **{**options, "uri": True})

    def _connected(self, _connection: sqlite3.Connection, record: Any) -> None:
        record.info[_OPENED] = self._number()

    def _checked_out(self, _connection: object, record: Any, _proxy: object) -> None:
        if record.info.get(_OPENED) != self._number():
            raise DisconnectionError  # the pool opens another connection instead

    def _number(self) -> tuple[int, int] | None:
        """The device and inode behind the path; None where no file can be reached."""
        try:
            found = os.stat(self.path)  # noqa: PTH116 (a third of the time)
        except OSError:
            return None
        return found.st_dev, found.st_ino
