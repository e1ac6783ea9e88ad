"""The `prefect` command with its server's SQLite made to stand many small writes at once.

Two things of Prefect 3.8 on SQLite stop a busy server; both are fixed here from outside, for the
server that `sentinel up` starts. A server on PostgreSQL needs neither.

*Transactions that read before they write.* They begin DEFERRED; when another one has committed in
between, SQLite refuses the write at once whatever the busy timeout, the API answers 503 and the
client tries again two seconds later. Beginning them IMMEDIATE makes them wait their turn instead.
SQLite has those that wait look again after a while, up to 100 ms, during which nobody may be
writing; so they queue up in the server first, and the next one begins when the last has ended.

*Cursors of failed statements.* They stay open in a traceback. When the main thread's garbage
collector finds one while its connection waits for a lock in another thread, closing it needs that
connection's mutex: the main thread waits with the interpreter's lock held, and whoever has the
database lock can't get on to release it. The server stands still until SQLite gives up, 60 s
later. Closed where they failed, in the connection's own thread, they leave nothing to collect.
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

from aiosqlite import Cursor
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

LONGEST_TURN_SECONDS = 5.0
SETTINGS = {
    # In memory, a restart forgets who held a rule's slot, and the slot is never freed.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
        "prefect.server.concurrency.lease_storage.filesystem"
    ),
    # Marking many runs late at once is what Prefect's own SQLite stumbles over first.
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "60",
    # In each of its loops the scheduler makes all runs of this time ahead anew, to find that most
    # are there: with the defaults, an hour ahead each minute, 300 rules of a minute are 18,000
    # insertions a minute, and the server does little else.
    "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME": "PT5M",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "150",
    # Without a network its telemetry is an error at every start.
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
"""The server's settings where its environment has none."""
_in_turn: ContextVar[bool] = ContextVar("_in_turn", default=False)  # of this request
_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def begin_immediate() -> None:
    """Make every transaction that may write wait for its turn at its beginning."""
    from prefect.server.database.configurations import SQLITE_BEGIN_MODE, AioSqliteConfiguration

    begin = AioSqliteConfiguration.begin_transaction

    @asynccontextmanager
    async def immediate(
        self: AioSqliteConfiguration,
        session: AsyncSession,
        with_for_update: bool = False,
    ) -> AsyncGenerator[AsyncSessionTransaction, None]:
        if _in_turn.get():  # a second one inside the first would wait for its own request's lock
            async with begin(self, session, with_for_update=with_for_update) as transaction:
                yield transaction
            return
        async with _turn():
            token = _in_turn.set(True)
            try:
                async with begin(self, session, with_for_update=True) as transaction:
                    await session.connection()  # begins now, not with the first statement
                    # Pausing a work queue reads in a second session, which would begin like this.
                    mode = SQLITE_BEGIN_MODE.set("DEFERRED")
                    try:
                        yield transaction
                    finally:
                        SQLITE_BEGIN_MODE.reset(mode)
            finally:
                _in_turn.reset(token)

    setattr(AioSqliteConfiguration, "begin_transaction", immediate)  # noqa: B010


@asynccontextmanager
async def _turn() -> AsyncGenerator[None, None]:
    """One writer of this event loop at a time, first come, first served.

    One that has waited too long goes on without its turn; SQLite locks in any case.
    """
    lock = _locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    try:
        async with asyncio.timeout(LONGEST_TURN_SECONDS):
            await lock.acquire()
    except TimeoutError:
        yield
        return
    try:
        yield
    finally:
        lock.release()


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

    setattr(Cursor, "_execute", closing)  # noqa: B010


def main() -> None:
    """Run the `prefect` command with these changes."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    from prefect.cli import app

    begin_immediate()
    close_failed_cursors()
    sys.argv[0] = "prefect"
    app()


if __name__ == "__main__":
    main()
