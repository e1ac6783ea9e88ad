"""Serves the API on this machine."""

import uvicorn

from sentinel_core.api.app import create_app

HOST = "127.0.0.1"
AT_ONCE = 100  # requests; more are refused with 503


def serve(port: int) -> None:
    """Serve until Ctrl-C, for this machine alone."""
    uvicorn.run(create_app(), host=HOST, port=port, limit_concurrency=AT_ONCE, server_header=False)
