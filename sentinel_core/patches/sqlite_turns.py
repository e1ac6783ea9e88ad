"""Transactions of Prefect's SQLite begin in turn, so that none makes another one fail.

Those that read before they write begin DEFERRED in Prefect; when another one has committed in
between, SQLite refuses the write at once whatever the busy timeout, the API answers 503 and the
client tries again two seconds later. Beginning them IMMEDIATE makes them wait their turn instead.
SQLite has those that wait look again after a while, up to 100 ms, during which nobody may be
writing; so they queue up in the server first, and the next one begins when the last has ended.

Two of Prefect's services write without such a beginning, events and task runs. Beside others that
come in turn, SQLite would hardly ever let them in: at 600 runs a minute the events fell minutes
behind, and from 10,000 on Prefect dropped them. They come in turn as well.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

from sentinel_core.patches.patch import Patch, original, replace

LONGEST_TURN_SECONDS = 5.0
_OF = "prefect.server.database.configurations:AioSqliteConfiguration"
_BEGIN = f"{_OF}.begin_transaction"
_PERSISTER = "prefect.server.events.services.event_persister"
_EVENTS = f"{_PERSISTER}:write_events"
_TASK_RUNS = "prefect.server.services.task_run_recorder:_record_bulk_task_run_events"
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
        async with _turn(), begin(self, session, with_for_update=True) as transaction:
            await session.connection()  # begins now, not with the first statement
            # Pausing a work queue reads in a second session, which would begin like this.
            mode = SQLITE_BEGIN_MODE.set("DEFERRED")
            try:
                yield transaction
            finally:
                SQLITE_BEGIN_MODE.reset(mode)

    replace(_BEGIN, immediate)
    _begin_events_and_task_runs()


def _begin_events_and_task_runs() -> None:
    """Make the two services that write without a beginning wait for their turn as well."""
    from prefect.server.database import provide_database_interface
    from prefect.server.database.configurations import SQLITE_BEGIN_MODE, AioSqliteConfiguration

    write_events, record_task_runs = original(_EVENTS), original(_TASK_RUNS)

    @wraps(write_events)
    async def events_in_turn(session: AsyncSession, events: list[Any]) -> None:
        async with provide_database_interface().database_config.begin_transaction(session):
            await write_events(session, events)

    @wraps(record_task_runs)
    async def task_runs_in_turn(events: list[Any]) -> None:
        """Opens its session and commits by itself."""
        configuration = provide_database_interface().database_config
        if _in_turn.get() or not isinstance(configuration, AioSqliteConfiguration):
            await record_task_runs(events)
            return
        async with _turn():
            mode = SQLITE_BEGIN_MODE.set("IMMEDIATE")
            try:
                await record_task_runs(events)
            finally:
                SQLITE_BEGIN_MODE.reset(mode)

    replace(_EVENTS, events_in_turn)
    replace(_TASK_RUNS, task_runs_in_turn)


@asynccontextmanager
async def _turn() -> AsyncGenerator[None, None]:
    """One writer of this event loop at a time, first come, first served.

    One that has waited too long goes on without its turn; SQLite locks in any case.
    """
    lock = _locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    held = False
    with suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_TURN_SECONDS):
            held = await lock.acquire()
    token = _in_turn.set(True)
    try:
        yield
    finally:
        _in_turn.reset(token)
        if held:
            lock.release()


PATCH = Patch(
    name="sqlite-turns",
    costs="requests fail with 'database is locked' and are tried again seconds later",
    replaces={
        _BEGIN: "406f00f12d310ed8",
        f"{_OF}.begin_sqlite_stmt": "5854b1aeacce2d79",
        f"{_PERSISTER}:create_handler": "8b6343d57ac9100b",
        _EVENTS: "e6286403ce41bbbc",
        _TASK_RUNS: "6880edb955c69b01",
    },
    put_in=begin_immediate,
)
