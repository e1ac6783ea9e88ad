"""A cursor whose statement failed is closed by its connection's thread, not by the collector.

It would stay open in a traceback. When the main thread's garbage collector finds it while its
connection waits for a lock in another thread, closing it needs that connection's mutex: the main
thread waits with the interpreter's lock held, and whoever has the database lock can't get on to
release it. The server stands still until SQLite gives up, 60 s later. Closed where it failed, it
leaves nothing to collect.
"""

from collections.abc import Callable
from typing import Any

from aiosqlite import Cursor

from sentinel_core.patches.patch import Patch, replace

_EXECUTE = "aiosqlite.cursor:Cursor._execute"


def close_failed_cursors() -> None:
    """Make a cursor whose statement fails be closed by its connection's thread."""
    execute: Callable[..., Any] = Cursor._execute

    async def closing(self: Cursor, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return await execute(self, fn, *args, **kwargs)
        except BaseException:
            # Not awaited: the queue brings it to the right thread in its turn.
            self._conn._tx.put_nowait((None, self._cursor.close))
            raise

    replace(_EXECUTE, closing)


PATCH = Patch(
    name="sqlite-cursors",
    costs="the server may stand still for a minute",
    replaces={_EXECUTE: "0cf12d220d3deaca"},
    put_in=close_failed_cursors,
)
