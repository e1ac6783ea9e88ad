"""Who changed an event last, as the audit has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, func, select

from sentinel_core.store.db.bulk import chunks, storable_ids
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import AUDIT


@dataclass(frozen=True, slots=True)
class Doer:
    """Who did something to an event, and when; without a time if that is not known."""

    by: str
    at: datetime | None


def last_changes(engine: Engine, ids: Sequence[int], actions: Sequence[str]) -> dict[int, Doer]:
    """Who did one of these actions last, by the id of the event; none of those to which nobody did.

    Raises StoreUnavailableError.
    """
    a = AUDIT.c
    found: dict[int, Doer] = {}
    if not ids or not actions:
        return found
    with answering(engine), reading(engine) as connection:
        for some in chunks(sorted(storable_ids(ids))):
            newest = (
                select(func.max(a.id))
                .where(a.event_id.in_(some), a.action.in_(sorted(actions)))
                .group_by(a.event_id)
            )
            rows = select(a.event_id, a.actor, a.at).where(a.id.in_(newest))
            found |= {key: Doer(by, at) for key, by, at in connection.execute(rows)}
    return found
