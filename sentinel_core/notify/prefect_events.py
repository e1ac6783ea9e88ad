"""Emits changes of events as Prefect events, so that Prefect's automations can react to them.

Changes made by a recording are emitted at once. All others (changes by people, and those of a
process that died first) are read from the record and sent by the flow deliver.
"""

import json
from collections.abc import Iterator, Sequence
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.context import FlowRunContext, TaskRunContext
from prefect.events import Event, emit_event
from prefect.events.filters import EventFilter, EventIDFilter, EventOccurredFilter
from prefect.events.schemas.events import RelatedResource, Resource
from prefect.logging import get_logger
from prefect.settings import PREFECT_API_URL
from sqlalchemy import Engine

from sentinel_core.base.settings import Settings
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.run import Run
from sentinel_core.notify import changes
from sentinel_core.notify.change import EventChange
from sentinel_core.store.record.recording import Recorded
from sentinel_core.store.state import system_rule
from sentinel_core.store.state.rules import checkpoint, set_checkpoint
from sentinel_core.store.state.watched import WATCHED, deployment_of
from sentinel_core.wording.text import shorten

CHECKPOINT = "prefect-events"
AT_ONCE = 200  # of one recording; the rest is for the flow deliver, which sends in bulk
MOST = 5_000  # in one round of that
PAGE = 50  # how many events Prefect's API gives
SETTLE = timedelta(seconds=45)  # Prefect stores an event a few seconds after it is emitted
OVERLAP = timedelta(minutes=3)  # for changes committed late
_TEXT, _METADATA = 2_000, 20_000  # characters of a payload's parts
_LEFT_OUT = ("parameters", "trigger", "rule_id", "metadata")
_LABELS = ("kind", "ticker", "category", "importance")

logger = get_logger("sentinel")


def announce(engine: Engine, settings: Settings, run: Run | None, recorded: Recorded) -> int:
    """Emit the changes made by a recording; returns the number of events. Never raises.

    Prefect's client sends them in the background; nothing is emitted without an API.
    """
    if not settings.prefect_events or not PREFECT_API_URL.value():
        return 0
    if not (recorded.evaluations or recorded.opened or recorded.resolved):
        return 0
    try:
        pending = changes.of_recording(engine, run.id if run else None, recorded, datetime.now(UTC))
        for change in pending[:AT_ONCE]:
            copy_context().run(_emit, event_of(change, settings))
    except Exception as error:
        logger.warning("Prefect events could not be emitted: %r", error)
        return 0
    return len(pending[:AT_ONCE])


def _emit(event: Event) -> None:
    """Emit an event outside of any run: Prefect adds the current run, which may be reconcile."""
    for context in (FlowRunContext, TaskRunContext):
        context.__var__.set(None)  # type: ignore[arg-type]
    emit_event(
        event.event,
        resource=dict(event.resource),
        related=[dict(resource) for resource in event.related],
        payload=event.payload,
        occurred=event.occurred,
        id=event.id,
    )


def keep_up(engine: Engine, settings: Settings) -> int:
    """Catch up on Prefect events, once a minute in the flow deliver; returns their number.

    Changes made while Prefect events are switched off are never sent: automations would react to
    them on the day they are switched on.
    """
    if settings.prefect_events:
        with get_client(sync_client=True) as client:
            return catch_up(client, engine, settings)
    set_checkpoint(engine, CHECKPOINT, datetime.now(UTC))
    return 0


def catch_up(client: SyncPrefectClient, engine: Engine, settings: Settings) -> int:
    """Send the changes that Prefect does not have yet; returns their number. Never raises.

    Changes that recordings made just now are left out: recordings announce them. The checkpoint
    moves once Prefect has accepted everything; an event that is sent twice has the same id. The
    first call sends nothing.
    """
    now = datetime.now(UTC)
    try:
        done = checkpoint(engine, CHECKPOINT)
        if done is None:
            set_checkpoint(engine, CHECKPOINT, now - SETTLE)
            return 0
        missing: list[EventChange] = []
        for some in _pages(changes.since(engine, done - OVERLAP, now, now - SETTLE)):
            known = known_ids(client, [change.id for change in some])
            missing += (change for change in some if change.id not in known)
        for some in _pages(missing[:MOST]):
            send(client, [event_of(change, settings) for change in some])
        until = missing[MOST].at if len(missing) > MOST else now
        set_checkpoint(engine, CHECKPOINT, min(until, now - SETTLE))
    except Exception as error:
        logger.warning("Prefect events could not be sent, and will be: %r", error)
        return 0
    return len(missing[:MOST])


def known_ids(client: SyncPrefectClient, ids: Sequence[UUID]) -> set[UUID]:
    """The ids (at most fifty) for which Prefect has an event."""
    now = datetime.now(UTC)
    wanted = EventFilter(
        id=EventIDFilter(id=list(ids)),
        occurred=EventOccurredFilter(since=now - timedelta(days=30), until=now + timedelta(days=1)),
    )
    return {event.id for event in client.read_events(wanted, limit=PAGE).events}


def send(client: SyncPrefectClient, events: Sequence[Event]) -> None:
    """Send events to Prefect's API and wait for its answer. Raises what its client raises."""
    body = [event.model_dump(mode="json") for event in events]
    response: httpx.Response = client.request("POST", "/events", json=body)
    response.raise_for_status()


def _pages(items: Sequence[EventChange]) -> Iterator[Sequence[EventChange]]:
    for start in range(0, len(items), PAGE):
        yield items[start : start + PAGE]


def event_of(change: EventChange, settings: Settings) -> Event:
    """The Prefect event of a change: its resource is the rule; deployment and run are related.

    The resource of a storm is the storm. Labels are for automations to match.
    """
    deployment, run = change.deployment_id, change.flow_run_id
    kind, name = change.subject
    labels, related = {}, []
    if change.event:
        kind, name = f"rule.{deployment}", change.event["rule_name"]
        labels = {f"sentinel.{key}": shorten(str(change.event[key]), 250) for key in _LABELS}
        if change.event.get("environment"):
            labels["sentinel.environment"] = change.event["environment"]
        if change.event.get("trigger") == WATCHED:
            deployment = deployment_of(change.event["parameters"])
        if deployment is not None and deployment not in system_rule.OWN:
            related.append(_related("deployment", deployment, name))
    if run is not None:
        related.append(_related("flow-run", run))
    resource = {"prefect.resource.id": f"sentinel.{kind}", "prefect.resource.name": name, **labels}
    return Event(
        id=change.id,
        event=f"sentinel.{change.name}",
        occurred=change.at,
        resource=Resource.model_validate(resource),
        related=related,
        payload=_payload(change, settings),
    )


def _related(role: str, key: UUID | None, name: str = "") -> RelatedResource:
    labels = {"prefect.resource.id": f"prefect.{role}.{key}", "prefect.resource.role": role}
    if name:
        labels["prefect.resource.name"] = name
    return RelatedResource.model_validate(labels)


def _payload(change: EventChange, settings: Settings) -> dict[str, Any]:
    """The event's columns, the details of the change, and the event's URL."""
    payload = {key: _json(value) for key, value in change.event.items() if key not in _LEFT_OUT}
    if change.event:
        metadata = change.event["metadata"]
        small = len(json.dumps(metadata, default=str)) <= _METADATA
        payload["metadata"] = metadata if small else {"left_out": "too large: see the blotter"}
        payload["url"] = settings.event_url(change.event["id"])
    return payload | {key: _json(value) for key, value in change.detail.items()}


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return shorten(clean_text(value), _TEXT) if isinstance(value, str) else value
