"""A running `sentinel demo`, and the visitor's own things around it."""

import socket
from pathlib import Path

from sqlalchemy import Engine

from sentinel_core.store.db.engine import open_engine
from tests.support.prefect import clean_environment
from tests.support.processes import free_port


class Demo:
    """A demo on ports of its own, started with a `sentinel` in this environment."""

    def __init__(self, folder: Path, sentinel: str) -> None:
        self.sentinel = sentinel
        self.home, self.temporary = folder / "home", folder / "tmp"
        self.home.mkdir()
        self.temporary.mkdir()
        self.log, self.real_store = folder / "demo.log", folder / "real.db"
        self.server, self.viewer, self.page = free_port(), free_port(), free_port()
        self.env = {
            **clean_environment(self.home),
            "TMPDIR": str(self.temporary),
            # What the visitor works with otherwise: nothing of it may be touched.
            "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api",
            "PREFECT_HOME": str(self.home / ".prefect"),
            "SENTINEL_DATABASE_URL": f"sqlite:///{self.real_store}",
        }

    @property
    def command(self) -> list[str]:
        ports = {"server": self.server, "viewer": self.viewer, "page": self.page}
        options = [part for name, port in ports.items() for part in (f"--{name}-port", str(port))]
        return [self.sentinel, "demo", *options]

    def said(self) -> str:
        return self.log.read_text()

    def store(self) -> Engine:
        [folder] = self.temporary.glob("sentinel-demo-*")
        return open_engine(f"sqlite:///{folder / 'sentinel.db'}", create=False)

    def require_gone(self) -> None:
        """Fail if anything of an ended demo is left, or anything of the visitor's was touched."""
        listening = [port for port in (self.server, self.viewer, self.page) if _listens(port)]
        assert listening == []
        assert list(self.temporary.glob("sentinel-demo-*")) == []
        assert not self.real_store.exists()
        assert list(self.home.iterdir()) == []
        assert "Traceback" not in self.said()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
