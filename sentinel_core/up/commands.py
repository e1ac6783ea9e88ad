"""The commands of the programs that `sentinel up` starts. Pure."""

from sentinel_core.up.process import HOST, program

SENTINEL = "sentinel_core.cli"


def server_command(port: int) -> list[str]:
    """Prefect's server."""
    command = [*program("sentinel_core.up.prefect_server"), "server", "start"]
    return [*command, "--host", HOST, "--port", str(port)]


def worker_command(pool: str, limit: int | None) -> list[str]:
    """A worker of this pool, for so many runs at once; None leaves that to the worker."""
    command = [*program("prefect"), "worker", "start", "--pool", pool]
    return [*command, "--limit", str(limit)] if limit else command


def viewer_command(port: int, *, read_only: bool) -> list[str]:
    """The blotter."""
    command = [*program(SENTINEL), "viewer", "--port", str(port), "--address", HOST]
    return [*command, "--read-only"] if read_only else command


def api_command(port: int) -> list[str]:
    """The HTTP API."""
    return [*program(SENTINEL), "api", "--port", str(port)]
