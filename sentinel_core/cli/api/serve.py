"""`sentinel api`."""

from typing import Annotated

from cyclopts import Parameter, validators


def serve(
    *,
    port: Annotated[
        int, Parameter(validator=validators.Number(gte=1, lte=65535), help="Where it listens.")
    ] = 8502,
    address: Annotated[
        str,
        Parameter(
            help="The address it listens on. On another one than this machine's, every request "
            "needs a token, and monitors may ask for /health and /metrics by any IP address."
        ),
    ] = "127.0.0.1",
    name: Annotated[
        tuple[str, ...],
        Parameter(
            negative="",
            show_default=False,
            help="A host name that it also answers to, besides 127.0.0.1 and localhost.",
        ),
    ] = (),
) -> None:
    """Start the HTTP API; Ctrl-C stops it.

    Reading is open to every user of this machine until there is a token; changing anything always
    needs one with the role operate (`sentinel api token create`).

    `sentinel api --port 8502`
    """
    from sentinel_core.api.serve import serve as serve_api

    serve_api(port, address, name)
