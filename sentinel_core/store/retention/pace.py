"""The pace of deletions: short transactions, with pauses in which others write."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from sentinel_core.store.db.engine import writing

Progress = Callable[[str, int], None]
"""Called with a table's name and the number of rows that went from it."""

_TARGET_SECONDS = 0.03  # how long one transaction should take: others wait for it
_FEWEST, _MOST = 100, 500  # rows in one transaction; with fewer, most of it is the commit
_PAUSE_SECONDS = 0.03  # at least; a waiting SQLite writer looks again after 1 to 25 ms
_PAUSE_RATIO = 2.0  # pauses take at least this many times as long as the transactions
_LOCK = 7_736_368_456  # any number, the same in every Sentinel


class Pace:
    """How many rows go in the next transaction. `ends` is when to stop (time.monotonic())."""

    def __init__(
        self,
        *,
        ends: float | None = None,
        sleep: Callable[[float], None] = time.sleep,
        size: int = _FEWEST,
    ) -> None:
        self.size = size
        self._fewest = min(size, _FEWEST)
        self.longest = 0.0
        self._ends = ends
        self._sleep = sleep

    @property
    def is_over(self) -> bool:
        """True once the time is up."""
        return self._ends is not None and time.monotonic() >= self._ends

    @contextmanager
    def deleting(self, engine: Engine) -> Iterator[Connection]:
        """One transaction, then a pause. Two prunings take turns."""
        began = time.perf_counter()
        with writing(engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            began = time.perf_counter()  # waiting for the lock holds nobody up
            yield connection
        took = time.perf_counter() - began
        self.longest = max(self.longest, took)
        self.size = adapted(self.size, took, self._fewest)
        self._sleep(max(_PAUSE_SECONDS, took * _PAUSE_RATIO))


def adapted(size: int, seconds: float, fewest: int = _FEWEST) -> int:
    """The number of rows after a transaction of `size` rows that took this long."""
    factor = min(1.5, max(0.25, _TARGET_SECONDS / max(seconds, 1e-6)))
    return min(_MOST, max(fewest, int(size * factor)))
