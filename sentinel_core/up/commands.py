"""The commands of the programs that `sentinel up` starts. Pure."""

from sentinel_core.up.process import HOST, program

SENTINEL = "sentinel_core.cli"


_SERVER = "sentinel_core.up.prefect_server"


def server_command(port: int, workers: int = 1) -> list[str]:
    """Prefect's server, in so many processes; with more than one, without its services."""
    command = [*program(_SERVER), "server", "start", "--host", HOST, "--port", str(port)]
    return [*command, "--workers", str(workers)] if workers > 1 else command


def services_command() -> list[str]:
    """The services of a server in several processes: scheduler, late runs, events."""
    return [*program(_SERVER), "server", "services", "start"]


def database_commands() -> list[list[str]]:
    """What brings Prefect's own database to its version: several processes at once can't."""
    upgrade = [*program(_SERVER), "server", "database", "upgrade", "--yes"]
    return [upgrade, program("sentinel_core.up.prefect_blocks")]


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
