"""The SQLSTATE with which a PostgreSQL server refuses a connection.

libpq reports a refused connection in words only. Its trace of the messages that it receives has
the code, so the connection is tried once more with the trace on.
"""

import re
import select
import tempfile
import time
from typing import Any

from sqlalchemy import make_url

_PATIENCE_SECONDS = 3.0
_CODE = re.compile(rb'^B\t\d+\tErrorResponse\t.*? C "(?P<code>[0-9A-Z]{5})"', re.MULTILINE)


def refusal_code(url: str) -> str | None:
    """The code of the server's refusal; None if no server answers, or it lets this user in."""
    import psycopg
    from psycopg.conninfo import make_conninfo
    from psycopg.pq import PGconn, Trace

    address = make_url(url)
    try:
        _, values = address.get_dialect()().create_connect_args(address)
        attempt = PGconn.connect_start(make_conninfo(**values).encode())
        with tempfile.TemporaryFile() as trace:
            attempt.trace(trace.fileno())
            attempt.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)
            _connect(attempt)
            attempt.untrace()  # writes what is left of it
            attempt.finish()
            trace.seek(0)
            found = _CODE.search(trace.read())
    except (psycopg.Error, OSError):  # also where this libpq or this system has no such trace
        return None
    return found["code"].decode() if found else None


def _connect(attempt: Any) -> None:
    """Try to connect until it succeeds, fails or takes too long."""
    from psycopg.pq import ConnStatus, PollingStatus

    deadline = time.monotonic() + _PATIENCE_SECONDS
    waits_for = PollingStatus.WRITING
    while attempt.status != ConnStatus.BAD and time.monotonic() < deadline:
        reads = [attempt.socket] if waits_for == PollingStatus.READING else []
        writes = [attempt.socket] if waits_for == PollingStatus.WRITING else []
        if not (reads or writes):
            return
        select.select(reads, writes, [], _PATIENCE_SECONDS)
        waits_for = attempt.connect_poll()
