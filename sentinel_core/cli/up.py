"""`sentinel up`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

Port = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=65535))]


def up(
    *,
    file: Path = Path("prefect.yaml"),
    server_port: Port = 4200,
    viewer_port: Port = 8501,
    api_port: Port = 8502,
    api: bool = True,
    server_workers: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=64))] = 1,
    worker_limit: Annotated[int | None, Parameter(validator=validators.Number(gte=1))] = None,
    first_run: bool = True,
    logs: Path | None = None,
    read_only: Annotated[bool, Parameter(negative="")] = False,
    debug: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Start everything, deploy the rules, print the addresses; Ctrl-C stops it all again.

    Uses the Prefect server that PREFECT_API_URL (or your Prefect profile) names, or the one that
    already listens on --server-port; starts one of its own when there is none.

    Parameters
    ----------
    file
        The rule file.
    server_port
        Where to start, or find, a local Prefect server.
    server_workers
        In how many processes to start a Prefect server; more than one need PostgreSQL and Redis.
    viewer_port
        Where the blotter listens.
    api_port
        Where the HTTP API listens.
    api
        Start the HTTP API.
    worker_limit
        How many rules may run at once. Without it: 16 on a sentinel pool, as many as there are
        cores on a process pool, where each takes a process of about 100 MB.
    first_run
        Run every active rule once right away, but for those that are due within a minute.
    logs
        The folder for the logs of what it starts; without it, the user's folder for logs.
    read_only
        Let nobody change anything from the blotter, as on a wall display.
    debug
        Have everything that it starts log in detail.
    """
    from sentinel_core.up.system import Up, default_logs

    folder = logs.resolve() if logs else default_logs()
    served = api_port if api else None
    return Up(
        file,
        server_port,
        viewer_port,
        worker_limit,
        first_run,
        folder,
        debug,
        served,
        read_only,
        server_workers,
    ).run()
