"""What the worker knows of the registered event store, so that its runs need not ask Prefect."""

import time

from prefect.client.orchestration import PrefectClient
from prefect.logging import get_logger

from sentinel_core.base.settings import get_settings
from sentinel_core.prefect_io.registration import Answer, answer_of, to_hand_down

REFRESH_SECONDS = 30.0

logger = get_logger("sentinel.worker")


class RegisteredStore:
    """The registration, asked for again after a while: a person may register another store."""

    def __init__(self) -> None:
        self._asked = 0.0
        self._answer: Answer | None = None

    async def refresh(self, client: PrefectClient) -> None:
        """Ask Prefect, if the last answer is old; keep that one while Prefect does not answer."""
        if time.monotonic() - self._asked < REFRESH_SECONDS:
            return
        try:
            found = await client.read_variable_by_name(get_settings().store_variable)
        except Exception:
            logger.warning("Prefect could not be asked for the event store", exc_info=True)
            return
        self._asked = time.monotonic()
        self._answer = answer_of(found.value if found else None)

    @property
    def environment(self) -> dict[str, str]:
        """What is added to a run's environment; empty when there is nothing to know yet."""
        return to_hand_down(get_settings().store_variable, self._answer) if self._answer else {}
