"""`sentinel viewer`."""

from typing import Annotated

from cyclopts import Parameter, validators


def viewer(
    *,
    port: Annotated[
        int | None,
        Parameter(
            validator=validators.Number(gte=1, lte=65535), help="Where it listens; 8501 by default."
        ),
    ] = None,
    address: Annotated[
        str | None,
        Parameter(
            help="The address it listens on; this machine alone by default. The blotter has no "
            "password: configure a login (docs/people.md), or put it behind a proxy that "
            "authenticates, before you open it to others."
        ),
    ] = None,
    read_only: Annotated[
        bool, Parameter(negative="", help="Let nobody change anything, as on a wall display.")
    ] = False,
) -> None:
    """Start the blotter; Ctrl-C stops it.

    It reads the event store and needs no Prefect server. Streamlit's own settings can be given as
    environment variables (STREAMLIT_SERVER_BASE_URL_PATH and so on).
    """
    from sentinel_core.up.viewer import serve

    serve(port, address, read_only=read_only)
