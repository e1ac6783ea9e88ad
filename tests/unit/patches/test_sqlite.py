"""Prefect's own SQLite, as its server opens it, with and without what is mended.

Each case is a program of its own: the patches change classes that other tests use.
"""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.prefect import clean_environment
from tests.support.processes import ROOT

COMMON = """
import asyncio, sys, threading
import sqlalchemy as sa
from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy.exc import IntegrityError, OperationalError

from sentinel_core.patches import sqlite_cursors, sqlite_turns

config = AioSqliteConfiguration(connection_url="sqlite+aiosqlite:///" + sys.argv[1], timeout=20)

async def prepare():
    engine = await config.engine()
    async with engine.begin() as connection:
        await connection.execute(sa.text("CREATE TABLE IF NOT EXISTS counter (n INTEGER)"))
        await connection.execute(sa.text("DELETE FROM counter"))
        await connection.execute(sa.text("INSERT INTO counter VALUES (0)"))
    return engine
"""

PARALLEL = """
WRITERS = 4
everyone_began = asyncio.Event()
began = 0

async def write(engine, together):
    '''Read, then write, as Prefect's API does. With `together`, all read before any writes.'''
    global began
    session = await config.session(engine)
    async with session, config.begin_transaction(session):
        n = (await session.execute(sa.text("SELECT n FROM counter"))).scalar_one()
        began += 1
        if began == WRITERS:
            everyone_began.set()
        if together:
            await asyncio.wait_for(everyone_began.wait(), 20)
        else:
            await asyncio.sleep(0.05)
        await session.execute(sa.text("UPDATE counter SET n = :n"), {"n": n + 1})

async def main(together):
    engine = await prepare()
    found = await asyncio.gather(
        *(write(engine, together) for _ in range(WRITERS)), return_exceptions=True
    )
    session = await config.session(engine)
    async with session:
        n = (await session.execute(sa.text("SELECT n FROM counter"))).scalar_one()
    kinds = sorted(str(getattr(error, "orig", error)) for error in found if error is not None)
    print(n, kinds)
    await engine.dispose()
"""

FAILED_CURSOR = """
import sqlite3
import aiosqlite.core

closed_in, main_thread = [], threading.get_ident()

class Watched(sqlite3.Cursor):
    '''A real cursor that remembers who closed it.'''
    def close(self):
        closed_in.append(threading.get_ident())
        super().close()

async def main():
    engine = await prepare()
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        real = raw.driver_connection
        cursor = aiosqlite.Cursor(real, await real._execute(lambda: real._conn.cursor(Watched)))
        try:
            await cursor.execute("INSERT INTO nowhere VALUES (1)")
        except sqlite3.OperationalError as error:
            kept = error  # its traceback holds the cursor, as a logged error's does
        await real.execute("SELECT 1")  # whatever was queued before has been done now
        print([ident == real._thread.ident for ident in closed_in], main_thread in closed_in)
        try:
            await cursor.execute("SELECT 1")
        except sqlite3.ProgrammingError as error:
            print(error)
        else:
            print("still open")
        good = aiosqlite.Cursor(real, await real._execute(lambda: real._conn.cursor(Watched)))
        await good.execute("SELECT 7")
        print(await good.fetchone())
    await engine.dispose()
"""


def run(tmp_path: Path, *parts: str) -> list[str]:
    """The lines the program prints."""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(parts), str(tmp_path / "prefect.db")],
        env=clean_environment(tmp_path),
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_transactions_that_read_before_they_write_fail_one_another_in_prefects_sqlite(
    tmp_path: Path,
) -> None:
    """What is mended. Should this stop failing, Prefect has mended it and ours can go."""
    [line] = run(tmp_path, COMMON, PARALLEL, "asyncio.run(main(together=True))")
    assert line == "1 " + str(["database is locked"] * 3)


def test_with_the_mend_they_wait_their_turn_and_none_is_lost(tmp_path: Path) -> None:
    [line] = run(
        tmp_path,
        COMMON,
        PARALLEL,
        "sqlite_turns.begin_immediate()",
        "asyncio.run(main(together=False))",
    )
    assert line == "4 []"


def test_a_transaction_that_is_undone_lets_the_next_one_begin(tmp_path: Path) -> None:
    program = """
        sqlite_turns.begin_immediate()

        async def main():
            engine = await prepare()
            for n in range(3):
                session = await config.session(engine)
                try:
                    async with session, config.begin_transaction(session):
                        await session.execute(sa.text("UPDATE counter SET n = n + 1"))
                        if n == 1:
                            raise KeyError("changed its mind")
                except KeyError:
                    print("undone")
            async with engine.connect() as connection:
                print((await connection.execute(sa.text("SELECT n FROM counter"))).scalar_one())
            await engine.dispose()

        asyncio.run(main())
    """
    assert run(tmp_path, COMMON, textwrap.dedent(program)) == ["undone", "2"]


def test_reading_waits_for_no_writer(tmp_path: Path) -> None:
    program = """
        import contextvars

        sqlite_turns.begin_immediate()

        async def read(engine):
            session = await config.session(engine)
            async with session:
                return (await session.execute(sa.text("SELECT n FROM counter"))).scalar_one()

        async def main():
            engine = await prepare()
            elsewhere = contextvars.copy_context()  # another request: not within the transaction
            writer = await config.session(engine)
            async with writer, config.begin_transaction(writer):
                await writer.execute(sa.text("UPDATE counter SET n = 5"))
                task = asyncio.create_task(read(engine), context=elsewhere)
                print(await asyncio.wait_for(task, 10))
            await engine.dispose()

        asyncio.run(main())
    """
    assert run(tmp_path, COMMON, textwrap.dedent(program)) == ["0"]


def test_a_request_that_writes_may_read_in_a_second_session(tmp_path: Path) -> None:
    """As pausing a work queue does: with the lock of its own request it would wait for itself."""
    program = """
        sqlite_turns.begin_immediate()

        async def main():
            engine = await prepare()
            writer, reader, inner = [await config.session(engine) for _ in range(3)]
            async with writer, config.begin_transaction(writer):
                await writer.execute(sa.text("UPDATE counter SET n = 5"))
                async with asyncio.timeout(10), reader:
                    print((await reader.execute(sa.text("SELECT n FROM counter"))).scalar_one())
                async with asyncio.timeout(10), inner, config.begin_transaction(inner):
                    print((await inner.execute(sa.text("SELECT n FROM counter"))).scalar_one())
            async with engine.connect() as connection:
                print((await connection.execute(sa.text("SELECT n FROM counter"))).scalar_one())
            await engine.dispose()

        asyncio.run(main())
    """
    assert run(tmp_path, COMMON, textwrap.dedent(program)) == ["0", "0", "5"]


def test_a_failed_statements_cursor_is_closed_by_its_connections_thread(tmp_path: Path) -> None:
    closed, said, row = run(
        tmp_path,
        COMMON,
        FAILED_CURSOR,
        "sqlite_cursors.close_failed_cursors()",
        "asyncio.run(main())",
    )
    assert closed == "[True] False"
    assert "closed cursor" in said
    assert row == "(7,)"


def test_without_the_mend_it_stays_open(tmp_path: Path) -> None:
    """What is mended. Should this stop failing, aiosqlite has mended it and ours can go."""
    closed, said, row = run(tmp_path, COMMON, FAILED_CURSOR, "asyncio.run(main())")
    assert (closed, said, row) == ("[] False", "still open", "(7,)")


def test_an_integrity_error_is_reported_as_before_and_the_connection_goes_on(
    tmp_path: Path,
) -> None:
    program = """
        sqlite_turns.begin_immediate()
        sqlite_cursors.close_failed_cursors()

        async def main():
            engine = await prepare()
            session = await config.session(engine)
            async with session:
                await session.execute(sa.text("CREATE UNIQUE INDEX one ON counter (n)"))
                await session.commit()
            for _ in range(20):
                session = await config.session(engine)
                try:
                    async with session, config.begin_transaction(session):
                        await session.execute(sa.text("INSERT INTO counter VALUES (0)"))
                except IntegrityError as error:
                    last = error
            print(last.orig)
            session = await config.session(engine)
            async with session, config.begin_transaction(session):
                await session.execute(sa.text("INSERT INTO counter VALUES (1)"))
            async with engine.connect() as connection:
                print((await connection.execute(sa.text("SELECT count(*) FROM counter"))).scalar())
            await engine.dispose()

        asyncio.run(main())
    """
    said, count = run(tmp_path, COMMON, textwrap.dedent(program))
    assert (said, count) == ("UNIQUE constraint failed: counter.n", "2")


@pytest.mark.parametrize("arguments", [["version"], ["server", "start", "--help"]])
def test_the_command_is_prefects_own(tmp_path: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sentinel_core.up.prefect_server", *arguments],
        env=clean_environment(tmp_path),
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert ("Version:" if arguments == ["version"] else "prefect server start") in done.stdout


def test_prefects_events_and_task_runs_are_written_in_their_turn(tmp_path: Path) -> None:
    """Else they wait for a moment in which nobody writes, which under load never comes."""
    program = """
        import os
        os.environ["PREFECT_API_DATABASE_CONNECTION_URL"] = config.connection_url
        from datetime import UTC, datetime
        from uuid import uuid4

        from prefect.server.database import provide_database_interface
        from prefect.server.events.schemas.events import ReceivedEvent
        from prefect.server.events.services import event_persister
        from prefect.server.services import task_run_recorder

        sqlite_turns.begin_immediate()
        order = []

        def event(name):
            at = datetime.now(UTC)
            return ReceivedEvent(
                id=uuid4(), occurred=at, received=at, event=name,
                resource={"prefect.resource.id": f"prefect.task-run.{uuid4()}"},
            )

        async def main():
            db = provide_database_interface()
            await db.create_db()
            begun, may_end = asyncio.Event(), asyncio.Event()

            async def turn(name, hold=False):
                async with db.session_context(begin_transaction=True) as session:
                    begun.set()
                    if hold:
                        await may_end.wait()
                    await session.execute(sa.text("SELECT 1"))
                order.append(name)

            async def events():
                async with event_persister.create_handler(batch_size=1) as handle:
                    message = type("M", (), {"data": event("seen").model_dump_json()})()
                    await handle(message)
                order.append("events")

            async def task_runs():
                run = event("prefect.task-run.Running")
                run.payload = {
                    "validated_state": {"type": "RUNNING", "name": "Running"},
                    "intended": {"from": None, "to": "RUNNING"},
                    "task_run": {
                        "task_key": "k", "dynamic_key": "d", "name": "n", "run_count": 1,
                        "empirical_policy": {}, "tags": [],
                    },
                }
                await task_run_recorder.record_bulk_task_run_events([run])
                order.append("task runs")

            tasks = [asyncio.create_task(turn("first", hold=True))]
            await begun.wait()
            for what in (events(), turn("second"), task_runs(), turn("third")):
                tasks.append(asyncio.create_task(what))
                await asyncio.sleep(0.1)
            may_end.set()
            await asyncio.gather(*tasks)
            print(order)
            async with db.session_context() as session:
                for table in ("events", "task_run"):
                    count = await session.execute(sa.text(f"SELECT count(*) FROM {table}"))
                    print(table, count.scalar_one())

        asyncio.run(main())
    """
    found = run(tmp_path, COMMON, textwrap.dedent(program))
    assert found == [
        "['first', 'events', 'second', 'task runs', 'third']",
        "events 1",
        "task_run 1",
    ]
