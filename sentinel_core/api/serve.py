"""Serves the API."""

from collections.abc import Sequence
from ipaddress import ip_address

import uvicorn
from uvicorn.config import LOGGING_CONFIG

from sentinel_core.api.app import create_app
from sentinel_core.base import logs

AT_ONCE = 100  # connections; more are refused with 503


def serve(port: int, address: str, names: Sequence[str] = ()) -> None:
    """Serve until Ctrl-C. The host names are those it answers to besides this machine's own."""
    app = create_app(names, loopback=_is_loopback(address))
    uvicorn.run(
        app,
        host=address,
        port=port,
        limit_concurrency=AT_ONCE,
        server_header=False,
        access_log=False,  # monitors ask all day; changes are in the audit
        proxy_headers=False,  # who asks is who connects
        # Its own handlers would write text: without them its loggers write as all others do.
        log_config=None if logs.wanted() else LOGGING_CONFIG,
        log_level="info",
    )


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
