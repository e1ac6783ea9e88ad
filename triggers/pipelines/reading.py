"""What watchers read from Prefect's API: deployments, and runs in pages, within a bound."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterEndTime,
)
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse

from sentinel_core import SentinelError
from sentinel_core.model.run import TERMINAL
from sentinel_core.prefect_io.client import PAGE, all_deployments, in_states, runs_of
from sentinel_core.prefect_io.facts import is_rule
from triggers.pipelines.late_cause import Limit
from triggers.pipelines.selection import Pipeline

HOUSEKEEPING_TAG = "sentinel"
_SHORTEST = timedelta(seconds=1)


class WatchError(SentinelError):
    """Prefect has more runs than one evaluation can read. Narrow the filter."""


@dataclass(frozen=True)
class Deployments:
    """All deployments of Prefect, with each one's parameter schema, limit and time of creation."""

    pipelines: tuple[Pipeline, ...]
    schemas: dict[UUID, dict[str, Any]]
    limits: dict[UUID, Limit] = field(default_factory=dict)
    created: dict[UUID, datetime] = field(default_factory=dict)


def read_deployments(client: SyncPrefectClient) -> Deployments:
    """Every deployment, Sentinel's own marked as such."""
    found = all_deployments(client)
    return Deployments(
        tuple(_pipeline(item, flow) for item, flow in found),
        {item.id: item.parameter_openapi_schema or {} for item, _ in found},
        {
            item.id: Limit(limit.limit, limit.active_slots)
            for item, _ in found
            if (limit := item.global_concurrency_limit) is not None and limit.active
        },
        {item.id: item.created for item, _ in found if item.created is not None},
    )


def _pipeline(item: DeploymentResponse, flow: str) -> Pipeline:
    return Pipeline(
        id=item.id,
        flow_id=item.flow_id,
        flow=flow,
        deployment=item.name,
        tags=tuple(item.tags),
        work_pool=item.work_pool_name,
        work_queue=item.work_queue_name,
        own=is_rule(item) or HOUSEKEEPING_TAG in item.tags,
    )


@dataclass(frozen=True)
class Slice:
    """The end of a period that can be read whole, and how many runs were left for later."""

    until: datetime
    left: int = 0


def readable_slice(
    count: Callable[[datetime], int], since: datetime, until: datetime, most: int
) -> Slice:
    """The period from `since`, halved until it has at most `most` runs.

    `count` returns how many runs there are up to a moment. Raises WatchError if a second has more.
    """
    everything = remaining = count(until)
    end = until
    while remaining > most:
        if end - since <= _SHORTEST:
            raise WatchError(
                f"{remaining:,} runs ended until {end:%F %T} UTC, more than the {most:,} that one "
                "evaluation reads: narrow the filter, or share the deployments among several rules"
            )
        end = since + (end - since) / 2
        remaining = count(end)
    return Slice(end, everything - remaining)


def readable_overlap(count: Callable[[timedelta], int], overlap: timedelta, most: int) -> timedelta:
    """The overlap with the evaluation before, halved until it has at most `most` runs.

    `count` returns how many runs an overlap has. Without this, more runs at once than can be read
    would keep every later evaluation from going on.
    """
    while overlap > _SHORTEST and count(overlap) > most:
        overlap /= 2
    return overlap


def ended_between(since: datetime, until: datetime | None) -> FlowRunFilter:
    """A filter for runs that ended then."""
    end = FlowRunFilterEndTime(after_=since)
    if until is not None:
        end = FlowRunFilterEndTime(after_=since, before_=until)
    return FlowRunFilter(state=in_states(TERMINAL), end_time=end)


def count_runs(
    client: SyncPrefectClient, deployments: Sequence[UUID], wanted: FlowRunFilter
) -> int:
    """How many runs of these deployments the filter takes."""
    return sum(
        client.count_flow_runs(flow_run_filter=some) for some in _of_some(deployments, wanted)
    )


def each_run(
    client: SyncPrefectClient, deployments: Sequence[UUID], wanted: FlowRunFilter
) -> Iterator[FlowRun]:
    """The runs of these deployments that the filter takes, each once."""
    for page in runs_of(client, deployments, wanted):
        yield from page


def _of_some(deployments: Sequence[UUID], wanted: FlowRunFilter) -> Iterator[FlowRunFilter]:
    """The filter for some of the deployments at a time: one request can't name them all."""
    for start in range(0, len(deployments), PAGE):
        chosen = FlowRunFilterDeploymentId(any_=list(deployments[start : start + PAGE]))
        yield wanted.model_copy(update={"deployment_id": chosen})
