"""Steps in the life of events as Prefect events, so that Prefect's automations can react to them.

A recording tells of what it did at once. What nobody told of (what people do by hand, and what a
process that died took with it) is found in the record and sent by flows/deliver.py.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events import Event, emit_event
from prefect.events.filters import EventFilter, EventIDFilter, EventOccurredFilter
from prefect.events.schemas.events import RelatedResource, Resource
from prefect.logging import get_logger
from prefect.settings import PREFECT_API_URL
from sqlalchemy import Engine

from sentinel_core.base.settings import Settings
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.run import Run
from sentinel_core.notify import changes as steps
from sentinel_core.notify.change import EventChange
from sentinel_core.store.record.recording import Recorded
from sentinel_core.store.state import system_rule
from sentinel_core.store.state.rules import checkpoint, set_checkpoint
from sentinel_core.wording.text import shorten

CHECKPOINT = "prefect-events"
AT_ONCE = 200  # of one recording; the rest is for flows/deliver.py, which sends in bulk
MOST = 5_000  # in one round of that
PAGE = 50  # how many events Prefect's API gives
SETTLE = timedelta(seconds=45)  # Prefect writes down what it is told a few seconds later
OVERLAP = timedelta(minutes=3)  # what was committed late
_TEXT, _METADATA = 2_000, 20_000  # characters of a payload's parts
_LEFT_OUT = ("parameters", "rule_id", "metadata")

logger = get_logger("sentinel")


# -- at once -------------------------------------------------------------------------------


def announce(engine: Engine, settings: Settings, run: Run | None, recorded: Recorded) -> int:
    """Emit what a recording did; how many events that were. Never raises.

    Prefect's client sends them in the background; without an API to send them to there are none.
    """
    if not settings.prefect_events or not PREFECT_API_URL.value():
        return 0
    if not (recorded.evaluations or recorded.opened or recorded.resolved):
        return 0
    try:
        found = steps.of_recording(engine, run.id if run else None, recorded, datetime.now(UTC))
        for step in found[:AT_ONCE]:
            _emit(event_of(step, settings))
    except Exception as error:
        logger.warning("Prefect events could not be emitted: %r", error)
        return 0
    return len(found[:AT_ONCE])


def _emit(event: Event) -> None:
    emit_event(
        event.event,
        resource=dict(event.resource),
        related=[dict(one) for one in event.related],
        payload=event.payload,
        occurred=event.occurred,
        id=event.id,
    )


# -- later ---------------------------------------------------------------------------------


def keep_up(engine: Engine, settings: Settings) -> int:
    """What flows/deliver.py does each minute: catch up.

    What happens while it is switched off is never told, or automations would react to it on the
    day it is switched on.
    """
    if settings.prefect_events:
        with get_client(sync_client=True) as client:
            return catch_up(client, engine, settings)
    set_checkpoint(engine, CHECKPOINT, datetime.now(UTC))
    return 0


def catch_up(client: SyncPrefectClient, engine: Engine, settings: Settings) -> int:
    """Send the steps that Prefect does not know yet; how many. Never raises.

    Up to now, but for what recordings did just now, as they tell of it themselves. The checkpoint
    moves once Prefect has taken everything: what is asked for twice is known by its id. The first
    time there is nothing to catch up on.
    """
    try:
        return _catch_up(client, engine, settings)
    except Exception as error:
        logger.warning("Prefect events could not be sent, and will be: %r", error)
        return 0


def _catch_up(client: SyncPrefectClient, engine: Engine, settings: Settings) -> int:
    now = datetime.now(UTC)
    done = checkpoint(engine, CHECKPOINT)
    if done is None:
        set_checkpoint(engine, CHECKPOINT, now - SETTLE)
        return 0
    found = steps.since(engine, done - OVERLAP, now, now - SETTLE)
    missing = list(_unknown(client, found))
    for some in _pages(missing[:MOST]):
        send(client, [event_of(step, settings) for step in some])
    until = missing[MOST].at if len(missing) > MOST else now
    set_checkpoint(engine, CHECKPOINT, min(until, now - SETTLE))
    return len(missing[:MOST])


def _unknown(client: SyncPrefectClient, found: Sequence[EventChange]) -> Iterator[EventChange]:
    for some in _pages(found):
        known = known_ids(client, [step.id for step in some])
        yield from (step for step in some if step.id not in known)


def known_ids(client: SyncPrefectClient, ids: Sequence[UUID]) -> set[UUID]:
    """Those of at most fifty ids that are Prefect events."""
    now = datetime.now(UTC)
    wanted = EventFilter(
        id=EventIDFilter(id=list(ids)),
        occurred=EventOccurredFilter(since=now - timedelta(days=30), until=now + timedelta(days=1)),
    )
    return {event.id for event in client.read_events(wanted, limit=PAGE).events}


def send(client: SyncPrefectClient, events: Sequence[Event]) -> None:
    """Hand events to Prefect's API and know that it took them. Raises what its client raises."""
    body = [event.model_dump(mode="json") for event in events]
    response: httpx.Response = client.request("POST", "/events", json=body)
    response.raise_for_status()


def _pages(items: Sequence[EventChange]) -> Iterator[Sequence[EventChange]]:
    for start in range(0, len(items), PAGE):
        yield items[start : start + PAGE]


# -- a step as Prefect's event -----------------------------------------------------------------


def event_of(step: EventChange, settings: Settings) -> Event:
    """The event: the rule as its resource, the deployment and the run related, the evidence."""
    return Event(
        id=step.id,
        event=f"sentinel.{step.name}",
        occurred=step.at,
        resource=Resource.model_validate(_resource(step)),
        related=[RelatedResource.model_validate(one) for one in _related(step)],
        payload=_payload(step, settings),
    )


def _resource(step: EventChange) -> dict[str, str]:
    """What happens to a rule's event happens to the rule; its labels are what triggers match."""
    if not step.event:
        kind, name = step.subject
        return {"prefect.resource.id": f"sentinel.{kind}", "prefect.resource.name": name}
    labels = {f"sentinel.{key}": str(step.event[key]) for key in _LABELS}
    return {
        "prefect.resource.id": f"sentinel.rule.{step.deployment_id}",
        "prefect.resource.name": step.event["rule_name"],
        **{key: shorten(value, 250) for key, value in labels.items()},
    }


_LABELS = ("kind", "ticker", "category", "importance")


def _related(step: EventChange) -> Iterator[dict[str, str]]:
    if step.event and step.deployment_id != system_rule.DEPLOYMENT_ID:
        yield {
            "prefect.resource.id": f"prefect.deployment.{step.deployment_id}",
            "prefect.resource.role": "deployment",
            "prefect.resource.name": step.event["rule_name"],
        }
    if step.flow_run_id is not None:
        yield {
            "prefect.resource.id": f"prefect.flow-run.{step.flow_run_id}",
            "prefect.resource.role": "flow-run",
        }


def _payload(step: EventChange, settings: Settings) -> dict[str, Any]:
    """The event's columns, what else is known of the step, and where to look."""
    payload = {key: _json(value) for key, value in step.event.items() if key not in _LEFT_OUT}
    if step.event:
        metadata = step.event["metadata"]
        small = len(json.dumps(metadata, default=str)) <= _METADATA
        payload["metadata"] = metadata if small else {"left_out": "too large: see the blotter"}
        payload["url"] = settings.event_url(step.event["id"])
    return payload | {key: _json(value) for key, value in step.detail.items()}


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return shorten(clean_text(value), _TEXT) if isinstance(value, str) else value
