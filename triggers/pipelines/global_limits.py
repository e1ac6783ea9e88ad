"""Global concurrency limits that are full for long, and who holds them, as Prefect's events say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.responses import GlobalConcurrencyLimitResponse
from prefect.events import Event
from prefect.events.filters import EventFilter, EventNameFilter, EventResourceFilter

from sentinel_core import AlertOutput
from sentinel_core.model.times import span
from sentinel_core.prefect_io.client import PAGE
from sentinel_core.wording.text import counted, flat
from sentinel_core.wording.times import moment
from triggers.pipelines.selection import matches
from triggers.pipelines.starved import MOST_NAMED, Holder
from triggers.sources.readings import fitting_ticker

_ACQUIRED, _RELEASED = (f"prefect.concurrency-limit.{name}" for name in ("acquired", "released"))
_OF_PREFECT = ("tag:", "deployment:")  # limits with these names are kept by other means
_EVENTS = 50  # Prefect gives at most this many at once
_MOST = 500
_MOST_KEPT = 20


@dataclass(frozen=True)
class FullLimit:
    """A limit without a free slot. `changed`: when a slot was last taken or freed, if known."""

    name: str
    slots: int
    changed: datetime | None
    holders: Sequence[Holder] = ()

    @property
    def ticker(self) -> str:
        """The name of its series."""
        return fitting_ticker(f"limit:{self.name}")


def full_limits(
    client: SyncPrefectClient, patterns: Sequence[str]
) -> tuple[list[FullLimit], list[str]]:
    """The limits of these names or globs that are full, and the patterns that match no limit.

    Rate limits are no part of it: their slots become free by themselves.
    """
    limits: list[GlobalConcurrencyLimitResponse] = []
    while page := client.read_global_concurrency_limits(limit=PAGE, offset=len(limits)):
        limits += page
    named = [item for item in limits if not item.name.startswith(_OF_PREFECT)]
    unmatched = [one for one in patterns if not any(matches([one], (x.name,)) for x in named)]
    full = [
        _full(client, item)
        for item in named
        if matches(patterns, (item.name,))
        and item.active
        and item.slot_decay_per_second == 0
        and item.active_slots >= item.limit > 0
    ]
    return full, unmatched


def _full(client: SyncPrefectClient, limit: GlobalConcurrencyLimitResponse) -> FullLimit:
    wanted = EventFilter(
        event=EventNameFilter(name=[_ACQUIRED, _RELEASED]),
        resource=EventResourceFilter(id=[f"prefect.concurrency-limit.{limit.id}"]),
    )
    page = client.read_events(wanted, limit=_EVENTS)
    events = list(page.events)
    # The newest events name all holders, unless slots have changed hands around one that keeps its.
    while page.next_page and len(holders(events)) < limit.active_slots and len(events) < _MOST:
        page = client.read_events_page(str(page.next_page))
        events += page.events
    changed = max((event.occurred for event in events), default=None)
    return FullLimit(limit.name, limit.limit, changed, holders(events))


def holders(events: Sequence[Event]) -> list[Holder]:
    """The runs that took a slot and have not released it."""
    released = {event.follows for event in events if event.event == _RELEASED}
    return [
        _holder(event) for event in events if event.event == _ACQUIRED and event.id not in released
    ]


def _holder(event: Event) -> Holder:
    """The run that took the slot; its deployment, or else its flow."""
    by_role = {item.role: item for item in event.related}
    run = by_role.get("flow-run")
    owner = by_role.get("deployment") or by_role.get("flow")
    if run is None:
        return Holder(event.id, "a program", "outside of any run")
    id_ = UUID(run.id.rpartition(".")[2])
    return Holder(id_, run.name or str(id_), (owner.name if owner else None) or "no deployment")


def evaluate_limit(limit: FullLimit, wait_seconds: float, now: datetime) -> AlertOutput | None:
    """Triggered when no slot has changed hands for too long; None when one has since."""
    what = f"the global concurrency limit {flat(limit.name, 80)} is full"
    if limit.changed is None:
        return AlertOutput(
            triggered=False,
            ticker=limit.ticker,
            problem="no_data",
            message=f"Not checked: {what}, and Prefect has no event that says since when",
            metadata={"code": "not_known"},
        )
    waited = now - limit.changed
    if waited <= timedelta(seconds=wait_seconds):
        return None
    named = ", ".join(
        f"{flat(item.name, 60)} of {flat(item.owner, 60)}" for item in limit.holders[:MOST_NAMED]
    )
    more = len(limit.holders) - MOST_NAMED
    named += f" and {counted(more, 'other')}" if more > 0 else ""
    return AlertOutput(
        triggered=True,
        ticker=limit.ticker,
        message=f"{what}: none of its {counted(limit.slots, 'slot')} has changed hands since "
        f"{moment(limit.changed)}, for {span(waited.total_seconds())}"
        f" (held by {named or 'nobody that Prefect knows'})",
        metrics={
            "value": limit.slots,
            "oldest_seconds": waited.total_seconds(),
            "holders": len(limit.holders),
        },
        metadata={
            "unit": "slots",
            "cause": "global_limit",
            "slots": limit.slots,
            "slots_taken_by": [item.evidence for item in limit.holders[:_MOST_KEPT]],
        },
    )
