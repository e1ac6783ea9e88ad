"""The HTTP API on a port of this process."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sentinel_core.api.app import create_app
from sentinel_core.api.rates import Rates
from sentinel_core.api.serve import server_of
from tests.support.processes import wait_for


@contextmanager
def api_port(rates: Rates | None = None, *, loopback: bool = True) -> Iterator[int]:
    """The port on which it listens; without `loopback` as if it listened for everybody."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = server_of(create_app(["sentinel-api"], loopback=loopback, rates=rates))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        wait_for(lambda: server.started, what="the API")
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
