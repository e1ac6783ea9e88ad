"""An engine that is used again and again, with no connection left open between two uses.

A new engine prepares its dialect and compiles each statement anew, which takes longer than a run's
whole recording.
"""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from sentinel_core.store.db.engine import open_engine

_lock = threading.Lock()
_engines: dict[str, Engine] = {}
_users: Counter[str] = Counter()


@contextmanager
def kept_engine(url: str) -> Iterator[Engine]:
    """The engine of this address. Its connections are kept until nobody uses it any more.

    Each user has options of its own, above all the check of each transaction. As `open_engine`
    without `create`: no SQLite file is made.
    """
    with _lock:
        engine = _engines.get(url)
        if engine is None:
            for other in [other for other in _engines if not _users[other]]:
                del _engines[other]  # a process has one store; tests have one after the other
            engine = _engines[url] = open_engine(url, pooled=True, unlimited=True, create=False)
        _users[url] += 1
    try:
        yield engine.execution_options()
    finally:
        with _lock:
            if _engines.get(url) is engine:  # or this is the copy of the process that opened it
                _users[url] -= 1
                if not _users[url]:
                    engine.dispose()


def _forget() -> None:
    """A forked process shares no connection with the one it comes from."""
    global _lock  # noqa: PLW0603 (a thread of the other process may hold it)
    _lock = threading.Lock()
    _engines.clear()
    _users.clear()


os.register_at_fork(after_in_child=_forget)
