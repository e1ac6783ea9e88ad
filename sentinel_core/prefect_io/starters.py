"""The runs that started a run: as a subflow, by run_deployment, by an automation or by its tag."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterId,
)
from prefect.client.schemas.objects import FlowRun
from prefect.events.filters import EventFilter, EventIDFilter, EventNameFilter, EventRelatedFilter
from prefect.events.schemas.events import ReceivedEvent

from sentinel_core.prefect_io.client import PAGE

MOST_LEVELS = 20  # of runs that started each other
_EVENTS = 50  # events with all they relate to, at once
_TAG = re.compile(r"parent:([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})")
_EXECUTED = "prefect.automation.action.executed"
_TRIGGERING = "triggering-event"  # the role of the event that made an automation act
_RUN, _EVENT = "prefect.flow-run.", "prefect.event."

T = TypeVar("T")


def read_starters(
    client: SyncPrefectClient, runs: Iterable[FlowRun], *, levels: int = MOST_LEVELS
) -> dict[UUID, tuple[FlowRun, ...]]:
    """The runs that started each of these, nearest first; only of those that a run started.

    A run that Prefect has no longer ends the row. Raises what Prefect's client raises.
    """
    known: dict[UUID, FlowRun] = {}
    starter: dict[UUID, UUID] = {}
    first = level = list(runs)
    for _ in range(levels):
        above = _starters_of(client, level)
        starter |= above
        level = _read_runs(client, set(above.values()) - known.keys())
        known |= {run.id: run for run in level}
        if not level:
            break
    rows = {run.id: tuple(known[key] for key in _row(run.id, starter, known)) for run in first}
    return {key: row for key, row in rows.items() if row}


def starter_tag(run_id: UUID) -> str:
    """The tag that names the run which started another one, where Prefect does not know it."""
    return f"parent:{run_id}"


def _row(run_id: UUID, starter: Mapping[UUID, UUID], known: Collection[UUID]) -> Iterator[UUID]:
    passed = {run_id}
    while (above := starter.get(run_id)) in known and above is not None and above not in passed:
        yield above
        passed.add(above)
        run_id = above


def _starters_of(client: SyncPrefectClient, runs: Sequence[FlowRun]) -> dict[UUID, UUID]:
    """The run that started each of these, where there is one."""
    found: dict[UUID, UUID] = {}
    by_task = {run.id: run.parent_task_run_id for run in runs if run.parent_task_run_id}
    flow_runs = _flow_runs_of_tasks(client, set(by_task.values())) if by_task else {}
    for run in runs:
        if (task := by_task.get(run.id)) is not None:
            if task in flow_runs:
                found[run.id] = flow_runs[task]
        elif (tagged := _tagged(run.tags)) is not None:
            found[run.id] = tagged
    automated = [run.id for run in runs if run.id not in found and _by_automation(run)]
    return found | (_triggering_runs(client, automated) if automated else {})


def _tagged(tags: Iterable[str]) -> UUID | None:
    matches = (_TAG.fullmatch(tag) for tag in tags)
    return next((UUID(match[1]) for match in matches if match), None)


def _by_automation(run: FlowRun) -> bool:
    return run.created_by is not None and run.created_by.type == "AUTOMATION"


def _flow_runs_of_tasks(client: SyncPrefectClient, tasks: Collection[UUID]) -> dict[UUID, UUID]:
    return {
        task.id: task.flow_run_id
        for task in _in_pages(
            tasks,
            lambda some: client.read_task_runs(
                task_run_filter=TaskRunFilter(id=TaskRunFilterId(any_=some)), limit=PAGE
            ),
        )
        if task.flow_run_id is not None
    }


def _read_runs(client: SyncPrefectClient, ids: Collection[UUID]) -> list[FlowRun]:
    return _in_pages(
        ids,
        lambda some: client.read_flow_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=some)), limit=PAGE
        ),
    )


def _triggering_runs(client: SyncPrefectClient, runs: Collection[UUID]) -> dict[UUID, UUID]:
    """The run whose event made an automation start each of these."""
    executed = _in_pages(
        runs,
        lambda some: _events(
            client,
            event=EventNameFilter(name=[_EXECUTED]),
            related=EventRelatedFilter(id=[f"{_RUN}{run}" for run in some]),
        ),
        _EVENTS,
    )
    cause: dict[UUID, UUID] = {}  # of a run, the event
    for event in executed:
        started = _first([str(resource.id) for resource in event.related], _RUN, runs)
        triggers = [str(one.id) for one in event.related if one.role == _TRIGGERING]
        if started is not None and (trigger := _first(triggers, _EVENT)) is not None:
            cause[started] = trigger
    triggering = _in_pages(
        set(cause.values()),
        lambda some: _events(client, id=EventIDFilter(id=some)),
        _EVENTS,
    )
    run_of = {event.id: _first([str(event.resource.id)], _RUN) for event in triggering}
    return {run: above for run, event in cause.items() if (above := run_of.get(event)) is not None}


def _first(resources: Iterable[str], kind: str, among: Collection[UUID] = ()) -> UUID | None:
    ids = (UUID(text.removeprefix(kind)) for text in resources if text.startswith(kind))
    return next((key for key in ids if not among or key in among), None)


def _events(client: SyncPrefectClient, **wanted: Any) -> list[ReceivedEvent]:
    return client.read_events(EventFilter(**wanted), limit=_EVENTS).events


def _in_pages(
    ids: Collection[UUID], read: Callable[[list[UUID]], Sequence[T]], size: int = PAGE
) -> list[T]:
    ordered = sorted(ids, key=lambda key: key.int)
    return [
        item
        for start in range(0, len(ordered), size)
        for item in read(ordered[start : start + size])
    ]
