"""One step in the life of an event or a storm, for whoever wants to react to it. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5


@dataclass(frozen=True, slots=True)
class EventChange:
    """What happened, when it became known, and to what.

    `name` is what comes after "sentinel." in the name of Prefect's event. `key` tells this step
    from every other one of its deployment, whoever reads it from the record and however often.
    `event` are the columns of the event it is about; a storm's step has none, and `subject` names
    what it is about instead.
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
        """The same for the same step, so that who is told of it twice can see that."""
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
    """A step of an event. `which` tells steps of one name apart that the same event can have.

    Ids of events begin anew in a new store: the time the event opened is part of the key as well.
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
