"""Debian's PostgreSQL and Redis, for Prefect's server in several processes.

The PostgreSQL that other tests use lacks an extension which Prefect's own database needs.
`scripts/need-databases` installs both.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from tests.support.processes import free_port, running, wait_for

_USER = "postgres"  # Debian's package makes it; PostgreSQL refuses to run as root


def missing() -> str:
    """What has to be installed; empty when both are there."""
    found = [] if _postgres_programs() else ["postgresql"]
    return " and ".join(found + ([] if shutil.which("redis-server") else ["redis-server"]))


def _postgres_programs() -> Path | None:
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


@contextlib.contextmanager
def debian_postgres() -> Iterator[str]:
    """A PostgreSQL of its own with an empty database: its postgresql:// URL."""
    programs = _postgres_programs()
    assert programs, "run scripts/need-databases"
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="sentinel-pg-") as name:
        folder = Path(name)
        who = _owner(folder)
        initdb = (str(programs / "initdb"), "-D", name, "-U", "prefect", "-A", "trust")
        subprocess.run([*who, *initdb], check=True, capture_output=True)
        server = (str(programs / "postgres"), "-D", name, "-p", str(port), "-k", name)
        options = ("-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300")
        with running(*who, *server, *options, env=os.environ, log=folder / "log") as process:
            url = f"postgresql://prefect@127.0.0.1:{port}/postgres"
            ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
            wait_for(
                lambda: subprocess.run(ready, check=False).returncode == 0,
                what="PostgreSQL",
                progress=process.poll,
            )
            yield url


def _owner(folder: Path) -> tuple[str, ...]:
    """Gives the folder to whom PostgreSQL runs as; what starts its programs."""
    if os.geteuid() != 0:
        return ()
    user = pwd.getpwnam(_USER)
    os.chown(folder, user.pw_uid, user.pw_gid)
    ids = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    return ("setpriv", *ids)


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A Redis of its own that keeps nothing: its redis:// URL."""
    port = free_port()
    command = ("redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "")
    url = f"redis://127.0.0.1:{port}/0"
    with running(
        *command, "--dir", str(folder), env=os.environ, log=folder / "redis.log"
    ) as process:
        wait_for(lambda: _pings(url), what="Redis", progress=process.poll)
        yield url


def _pings(url: str) -> bool:
    with Redis.from_url(url) as redis, contextlib.suppress(RedisError):
        return bool(redis.ping())
    return False
