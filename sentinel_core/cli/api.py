"""`sentinel api`."""

from typing import Annotated

from cyclopts import Parameter, validators


def api(
    *,
    port: Annotated[
        int, Parameter(validator=validators.Number(gte=1, lte=65535), help="Where it listens.")
    ] = 8502,
) -> None:
    """Start the HTTP API, for this machine alone; Ctrl-C stops it.

    It only reads: /health, /status, /metrics, /events and /rules.
    """
    from sentinel_core.api.serve import serve

    serve(port)
