"""`sentinel demo`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

Port = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=65535))]
Seconds = Annotated[float, Parameter(validator=validators.Number(gte=1, lte=3600))]


def demo(
    *,
    day_seconds: Seconds = 5,
    server_port: Port = 4280,
    viewer_port: Port = 8580,
    page_port: Port = 8581,
    keep: Path | None = None,
) -> int:
    """Show Sentinel at work for some minutes, on recorded quotes of 2012 and 2013.

    Starts a Prefect server, a worker and a blotter of its own, and a page that stands where Slack
    stands; then a day of quotes comes every few seconds, and three rules are checked after each.
    Needs no network and touches no other Prefect and no other store. Ctrl-C stops all of it.

    Parameters
    ----------
    day_seconds
        Seconds between two days of quotes; more on a slow machine.
    server_port
        Where the demo's Prefect server listens.
    viewer_port
        Where its blotter listens.
    page_port
        Where the page listens that shows the messages.
    keep
        A new folder for the demo's store and logs, which stays. Without it all is removed.
    """
    from sentinel_core.demo.run import Demo
    from sentinel_core.demo.system import Ports

    return Demo(Ports(server_port, viewer_port, page_port), day_seconds, keep).run()
