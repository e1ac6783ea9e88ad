"""No watch for suspension in each run: the worker asks for all its runs at once.

Prefect's own watch is a thread, an event loop and a websocket for each run.
"""

import contextlib
from collections.abc import Iterator

from sentinel_core.patches.patch import Patch, replace

_WATCH = "prefect.flow_engine:observe_flow_run_suspension"


@contextlib.contextmanager
def _unobserved(*_: object, **__: object) -> Iterator[None]:
    yield


PATCH = Patch(
    name="suspension",
    costs="a thread and a websocket for each run",
    replaces={
        _WATCH: "e12c6007b0c75954",
        "prefect.flow_engine:FlowRunEngine.setup_flow_run_suspension_request": "c6840af159e96682",
    },
    put_in=lambda: replace(_WATCH, _unobserved),
)
