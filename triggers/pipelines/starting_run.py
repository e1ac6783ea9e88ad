"""The runs that started a failed run, as an evaluation sees them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun

from sentinel_core.prefect_io.starters import read_starters
from triggers.pipelines.ended_run import Ending, ended_run
from triggers.pipelines.selection import Pipeline


@dataclass(frozen=True, slots=True)
class StartingRun:
    """A run that started another one.

    `ticker` is its series, None if the rule does not watch it; `ending` is None as long as it has
    not ended, by what the evaluation looks at.
    """

    ticker: str | None
    ending: Ending | None


def read_starting_runs(
    client: SyncPrefectClient,
    failed: Iterable[FlowRun],
    pipelines: Sequence[Pipeline],
    until: datetime,
) -> dict[UUID, tuple[StartingRun, ...]]:
    """The runs that started each of these failed ones, nearest first, as they were at `until`."""
    tickers = {one.id: one.ticker for one in pipelines}
    return {
        key: tuple(_starting_run(run, tickers, until) for run in row)
        for key, row in read_starters(client, failed).items()
    }


def _starting_run(run: FlowRun, tickers: dict[UUID, str], until: datetime) -> StartingRun:
    ended = ended_run(run)
    over = ended is not None and ended.position <= until
    ticker = tickers.get(run.deployment_id) if run.deployment_id else None
    return StartingRun(ticker, ended.ending if ended and over else None)
