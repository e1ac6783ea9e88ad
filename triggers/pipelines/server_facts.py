"""How Prefect's own server is doing, as far as its API shows it. Each fact is one reading."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterNextScheduledStartTime,
    FlowRunFilterState,
    FlowRunFilterStateName,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.events.filters import EventFilter, EventIDFilter

from sentinel_core import SentinelError
from sentinel_core.model.times import span
from sentinel_core.prefect_io.client import PAGE, all_deployments, each_page, in_states
from sentinel_core.prefect_io.due import next_due
from sentinel_core.prefect_io.facts import schedule_facts
from sentinel_core.wording.text import counted, flat
from sentinel_core.wording.times import moment
from triggers.sources.database import backend, read_rows
from triggers.sources.errors import SourceError

_ASKED = 3  # requests; their median is the latency
_SECONDS = 10
_RECENT = timedelta(minutes=15)  # changes of state whose events are looked for
_CHANGES = 5
_FRESH = timedelta(minutes=5)  # the scheduler gets to a new or changed deployment within a minute
_FURTHEST = timedelta(days=99)  # the scheduler makes no runs beyond 100 days
_MOST_NAMED = 10
_SIZE = {
    "postgresql": "SELECT pg_database_size(current_database()) AS bytes",
    "sqlite": "SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()",
}


@dataclass(frozen=True)
class Reading:
    """One fact about the server. `value` None: it can't be known, and `text` says why."""

    aspect: str
    text: str
    value: float | None
    unit: str = "s"
    evidence: dict[str, Any] = field(default_factory=dict)


def latency(client: SyncPrefectClient) -> Reading:
    """How long the API takes to answer a question that needs its database."""
    took = []
    for _ in range(_ASKED):
        began = time.monotonic()
        client.read_flow_runs(limit=1)
        took.append(time.monotonic() - began)
    value = median(took)
    return Reading("api", f"the API answers in {value * 1_000:,.0f} ms", value)


def database(api_url: str) -> Reading:
    """0 when the server reaches its database, and 1 when it says that it does not."""
    try:
        status = httpx.get(f"{api_url.rstrip('/')}/ready", timeout=_SECONDS).status_code
    except httpx.TransportError as error:
        return Reading("database", f"the server does not say: {flat(str(error))}", None, "")
    if status == httpx.codes.OK:
        return Reading("database", "the server reaches its database", 0, "")
    if status == httpx.codes.SERVICE_UNAVAILABLE:
        return Reading("database", "the server does not reach its database", 1, "")
    return Reading("database", f"the server does not say: HTTP {status} from /ready", None, "")


def events(client: SyncPrefectClient, now: datetime, patience: float) -> Reading:
    """For how long the events of state changes have not been stored.

    The event of a run's state has the state's id. Only changes older than `patience` count.
    """
    ended = FlowRunFilterEndTime(after_=now - _RECENT, before_=now - timedelta(seconds=patience))
    runs = client.read_flow_runs(
        flow_run_filter=FlowRunFilter(end_time=ended),
        sort=FlowRunSort.END_TIME_DESC,
        limit=_CHANGES,
    )
    changes = {run.state_id: run.state.timestamp for run in runs if run.state and run.state_id}
    if not changes:
        return Reading(
            "events",
            "no run ended in the quarter of an hour before, so there is no event to look for",
            None,
        )
    wanted = EventFilter(id=EventIDFilter(id=list(changes)))
    stored = {event.id for event in client.read_events(wanted, limit=_CHANGES).events}
    if stored:
        return Reading("events", "the events of recent runs are stored", 0)
    oldest = min(changes.values())
    seconds = (now - oldest).total_seconds()
    text = (
        f"none of the events of the last {counted(len(changes), 'run')} is stored, the oldest of "
        f"{moment(oldest)}: automations and the event feed are behind, or events are off"
    )
    return Reading("events", text, seconds)


def overdue(client: SyncPrefectClient, now: datetime) -> Reading:
    """For how long the oldest due run has not been marked as late, as Prefect does in seconds."""
    waiting = FlowRunFilter(
        state=FlowRunFilterState(
            type=FlowRunFilterStateType(any_=[StateType.SCHEDULED]),
            name=FlowRunFilterStateName(any_=["Scheduled"]),
        ),
        next_scheduled_start_time=FlowRunFilterNextScheduledStartTime(before_=now),
    )
    runs = client.read_flow_runs(
        flow_run_filter=waiting, sort=FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC, limit=1
    )
    due = [run.next_scheduled_start_time for run in runs if run.next_scheduled_start_time]
    seconds = max([0.0, *((now - time_).total_seconds() for time_ in due)])
    if not due:
        return Reading("overdue", "no run is due without being marked", 0)
    total = client.count_flow_runs(flow_run_filter=waiting)
    text = (
        f"{counted(total, 'run is', 'runs are')} due and not marked as late, the oldest for "
        f"{span(seconds)}: the service that marks them is behind or off"
    )
    return Reading("overdue", text, seconds, evidence={"runs": total})


def scheduler(client: SyncPrefectClient, now: datetime, ahead: float) -> Reading:
    """How many deployments have no run as far ahead as their schedules ask for."""
    until = now + timedelta(seconds=ahead)
    made = set(_with_runs_after(client, until))
    active, unknown, behind = 0, [], []
    for item, flow in all_deployments(client):
        if item.paused or not any(one.active for one in item.schedules):
            continue
        if item.updated is not None and item.updated > now - _FRESH:
            continue
        active += 1
        name = flat(f"{flow}/{item.name}", 120)
        try:
            if item.id not in made and _has_due_times(item, until):
                behind.append(name)
        except SentinelError:
            unknown.append(name)
    evidence = {
        "deployments": active,
        "behind": behind[:_MOST_NAMED],
        "unknown": unknown[:_MOST_NAMED],
    }
    if not behind and unknown:
        text = f"the schedules of {', '.join(unknown[:_MOST_NAMED])} can't be computed"
        return Reading("scheduler", text, None, "deployments", evidence)
    if behind:
        text = (
            f"{counted(len(behind), 'deployment has', 'deployments have')} no run scheduled "
            f"{span(ahead)} ahead ({', '.join(behind[:_MOST_NAMED])}): the scheduler is behind, "
            "or off"
        )
    else:
        text = (
            f"{counted(active, 'deployment')} with a schedule, each with runs {span(ahead)} ahead"
        )
    return Reading("scheduler", text, len(behind), "deployments", evidence)


def _has_due_times(item: DeploymentResponse, until: datetime) -> bool:
    """True if a schedule has a time after `until` for which the scheduler makes a run ahead.

    Raises ScheduleError for a schedule that Prefect can't iterate.
    """
    schedules = [schedule_facts(one.schedule) for one in item.schedules if one.active]
    due = next_due(schedules, until)
    return due is not None and due < until + _FURTHEST


def _with_runs_after(client: SyncPrefectClient, until: datetime) -> Iterator[UUID]:
    """The deployments that have a scheduled run after that."""
    later = FlowRunFilter(
        state=in_states([StateType.SCHEDULED.value]),
        expected_start_time=FlowRunFilterExpectedStartTime(after_=until),
    )

    def page(offset: int) -> list[DeploymentResponse]:
        return client.read_deployments(flow_run_filter=later, limit=PAGE, offset=offset)

    for some in each_page(page):
        yield from (item.id for item in some)


def size(url: str) -> Reading:
    """The size of Prefect's database in MB."""
    try:
        query = _SIZE.get(kind := backend(url))
        if query is None:
            return Reading("size", f"{flat(kind, 40)} can't be asked for its size", None, "MB")
        [row] = read_rows(url, query, timeout_seconds=_SECONDS)
    except SourceError as error:
        return Reading("size", flat(str(error), 400), None, "MB")
    value = float(row["bytes"]) / 1e6
    return Reading("size", f"the database has {value:,.0f} MB", value, "MB")
