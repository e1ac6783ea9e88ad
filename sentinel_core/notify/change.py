"""One change of an event or a storm, for anything that reacts to it. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5


@dataclass(frozen=True, slots=True)
class EventChange:
    """A change: its name, the time it became known, and its event.

    `name` is the part after "sentinel." in the name of Prefect's event. `key` identifies the change
    within its deployment, however often it is read from the record. `event` has the columns of the
    event; it is empty for a storm, which `subject` names instead.
    """

    name: str
    key: str
    at: datetime
    event: Mapping[str, Any] = field(default_factory=dict)
    deployment_id: UUID | None = None
    subject: tuple[str, str] = ("", "")
    flow_run_id: UUID | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> UUID:
        """The change's id, always the same, so that duplicates can be recognised."""
        return uuid5(self.deployment_id or NAMESPACE_URL, f"sentinel/{self.name}/{self.key}")


def of_event(
    name: str,
    event: Mapping[str, Any],
    at: datetime,
    which: str = "",
    *,
    flow_run_id: UUID | None = None,
    **detail: Any,
) -> EventChange:
    """A change of an event. `which` distinguishes changes of one event with the same name.

    A new store numbers its events from 1 again, so the key includes the time the event opened.
    """
    return EventChange(
        name=f"event.{name}",
        key=f"{event['id']}/{event['timestamp'].isoformat()}/{which}",
        at=at,
        event=event,
        deployment_id=event["deployment_id"],
        flow_run_id=flow_run_id or event["prefect_flow_run_id"],
        detail={key: value for key, value in detail.items() if value is not None},
    )
