"""What one does on PostgreSQL while another transaction holds rows that it needs."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Engine, Executable, text

from tests.support.patience import patient

T = TypeVar("T")
_WAITING = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def behind(engine: Engine, statement: Executable, act: Callable[[], T]) -> T:
    """What `act` returns if it begins while another transaction has executed the statement.

    The other commits as soon as `act` waits for it. Fails if `act` does not wait.
    """
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as other:
            other.execute(statement)
            acting = pool.submit(act)
            _until_it_waits(engine, acting)
        return acting.result(patient(60))


def _until_it_waits(engine: Engine, acting: Any) -> None:
    given_up = time.monotonic() + patient(60)
    while time.monotonic() < given_up:
        with engine.connect() as connection:
            if connection.scalar(_WAITING):
                return
        assert not acting.done(), "it did not wait for the other transaction"
        time.sleep(0.01)
    raise AssertionError("it neither ended nor waited for the other transaction")
