"""The `prefect` command with the settings and patches that a server with many small runs needs.

`sentinel up` starts its server with it; docs/server.md has the settings for a server of your own.
"""

import gc
import os
import sys

LATE_AFTER = "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS"
SETTINGS = {
    # In memory, a restart forgets who held a rule's slot, and the slot is never freed.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
        "prefect.server.concurrency.lease_storage.filesystem"
    ),
    # Marking many runs late at once is what Prefect's own SQLite stumbles over first.
    LATE_AFTER: "60",
    # In each of its loops the scheduler makes all runs of this time ahead anew, to find that most
    # are there: with the defaults, an hour ahead each minute, 300 rules of a minute are 18,000
    # insertions a minute, and the server does little else.
    "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME": "PT5M",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "150",
    # A worker that sees only the first 200 runs that are due starts the others late.
    "PREFECT_SERVER_API_DEFAULT_LIMIT": "1000",
    # Written together: a task run or an event is seen up to so many seconds later.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "2",
    # Without a network its telemetry is an error at every start.
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
"""The server's settings where its environment has none."""
COLLECTIONS = (50_000, 50, 100)
"""Thresholds of the garbage collector where objects are many, and nearly all stay."""


def spare_the_collector() -> None:
    """Take what is imported out of the garbage collector's sight, and have it look less often."""
    import prefect.server.api.server  # noqa: F401 (most of what stays)

    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTIONS)


def prepare() -> None:
    """Make these changes in this process."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    from sentinel_core.patches.of_server import PATCHES
    from sentinel_core.patches.patch import apply

    apply(PATCHES)
    spare_the_collector()


def main() -> None:
    """Run the `prefect` command with these changes."""
    prepare()
    from prefect.cli import app

    sys.argv[0] = "prefect"
    app()


if __name__ == "__main__":
    main()
elif __name__ == "__mp_main__":  # one of the processes of `server start --workers N`
    prepare()
