"""A rule's past evaluations, read from the event store when its trigger needs them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from prefect.context import FlowRunContext

from sentinel_core.base.errors import (
    HistoryUnavailableError,
    StoreRefusedError,
    StoreUnavailableError,
)
from sentinel_core.model.trigger import History, NoHistory, PastEvaluation

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from sentinel_core.decide.hosts import Endings, Host


class _StoreHistory:
    """The recorded evaluations of one deployment."""

    def __init__(self, deployment_id: UUID) -> None:
        self.deployment_id = deployment_id

    def latest(self, limit: int, ticker: str | None = None) -> list[PastEvaluation]:
        from sentinel_core.store.state.rules import latest_evaluations

        with _store("this rule's past") as engine:
            rows = latest_evaluations(engine, self.deployment_id, limit, ticker)
        return [
            # The time of the measurement, which differs from the due time after a backlog.
            PastEvaluation(
                row["measured_at"] or row["at"],
                row["ticker"],
                row["triggered"],
                row["metrics"],
                row["metadata"],
                row["acknowledged"],
            )
            for row in rows
        ]

    def pings(self, keys: Sequence[str]) -> dict[str, datetime]:
        from sentinel_core.store.read.pings import last_pings

        with _store("the pings") as engine:
            return last_pings(engine, keys)

    def hosts(self, window: timedelta) -> "tuple[Host, ...]":
        from sentinel_core.store.read.hosts import hosts_lately

        with _store("the samples of the hosts") as engine:
            return hosts_lately(engine, datetime.now(UTC), window)

    def endings(self, window: timedelta) -> "Endings":
        from sentinel_core.store.read.throughput import endings

        with _store("how the runs ended") as engine:
            return endings(engine, datetime.now(UTC), window)


@contextmanager
def _store(what: str) -> Iterator["Engine"]:
    """The event store, to read something from. Raises HistoryUnavailableError."""
    from sentinel_core.base.settings import get_settings
    from sentinel_core.flow.opening import open_store
    from sentinel_core.store.db.failure import explained
    from sentinel_core.store.db.kept import kept_engine

    try:
        with explained(url := get_settings().database_url), kept_engine(url) as engine:
            yield open_store(get_settings(), using=engine)
    except (StoreUnavailableError, StoreRefusedError) as error:
        raise HistoryUnavailableError(f"{what} could not be read: {error}") from error


def history_of(deployment_id: UUID | None) -> History:
    """The recorded past of a deployment; an empty one for a run without a deployment."""
    return NoHistory() if deployment_id is None else _StoreHistory(deployment_id)


def history_of_this_run() -> History:
    """The recorded past of the rule that this process runs."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return history_of(run.deployment_id if run else None)
