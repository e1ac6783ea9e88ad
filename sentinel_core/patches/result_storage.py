"""The server's default storage of results is asked for once a minute instead of in each run."""

import time
from collections.abc import Callable
from uuid import UUID

from sentinel_core.patches.patch import Patch, original, replace

_ASK = "prefect.results:_read_server_default_result_storage_block_id"
SECONDS = 60


def remembered(ask: Callable[[], UUID | None], seconds: float) -> Callable[[], UUID | None]:
    """`ask`, whose answer holds for so long."""
    answer: list[tuple[float, UUID | None]] = []

    def remembering() -> UUID | None:
        if not answer or answer[0][0] < time.monotonic():
            answer[:] = [(time.monotonic() + seconds, ask())]
        return answer[0][1]

    return remembering


PATCH = Patch(
    name="result-storage",
    costs="one request more in each run",
    replaces={_ASK: "0ce3dd0f74995643"},
    put_in=lambda: replace(_ASK, remembered(original(_ASK), SECONDS)),
)
