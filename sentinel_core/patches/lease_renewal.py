"""A run's lease on its deployment's limit is renewed for the first time after some seconds.

The server has renewed it just now, when the run became Running. Prefect's loop renews it once more
at once, over a connection of its own: for a check that takes a second, most of the run's cost.
"""

import threading
from collections.abc import Callable
from uuid import UUID

from sentinel_core.patches.patch import Patch, original, replace

FIRST_SECONDS = 10.0  # a third of the shortest grace period that a server can be given (30 s)
_LOOP = "prefect.concurrency._leases:_lease_renewal_loop"
_OF_A_RUN = 300  # seconds: what flow_engine asks for; other leases are renewed as ever

Loop = Callable[[UUID, float, threading.Event], None]


def later(loop: Loop, first: float) -> Loop:
    """`loop`, which a run's lease enters after `first` seconds, unless it has ended by then."""

    def renewing(lease_id: UUID, lease_duration: float, stop_event: threading.Event) -> None:
        if lease_duration == _OF_A_RUN and stop_event.wait(first):
            return
        loop(lease_id, lease_duration, stop_event)

    return renewing


PATCH = Patch(
    name="lease-renewal",
    costs="a connection and a request more in each run with a concurrency limit",
    replaces={
        _LOOP: "a01ea723f1e37318",
        "prefect.concurrency._leases:_start_lease_renewal_thread": "ea91739f37806514",
        "prefect.flow_engine:FlowRunEngine.setup_run_context": "8f96c519e42c08fe",
    },
    put_in=lambda: replace(_LOOP, later(original(_LOOP), FIRST_SECONDS)),
)
