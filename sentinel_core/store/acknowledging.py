"""Acknowledging events: exactly those named, each with an entry in the audit."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Engine, Table, insert, select, update

from sentinel_core.alert import clean_text
from sentinel_core.models import AuditEntry
from sentinel_core.store.engine import answering, writing
from sentinel_core.store.filters import UNACKNOWLEDGED
from sentinel_core.store.recording import EVENT

AUDIT: Table = AuditEntry.__table__  # type: ignore[attr-defined]

COMMENT_LIMIT = 2_000
BY_LIMIT = 200
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Handled:
    """An event somebody had acknowledged before."""

    id: int
    by: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What one acknowledgement did: to which events, and to which not."""

    done: tuple[int, ...] = ()
    handled: tuple[Handled, ...] = ()
    missing: tuple[int, ...] = field(default=())


def acknowledge(
    engine: Engine, ids: Sequence[int], *, by: str, comment: str = "", now: datetime
) -> Acknowledged:
    """Acknowledge exactly these events, each with an audit entry, all in one transaction.

    Whatever somebody else acknowledged first stays theirs and is told in `handled`. Raises
    ValueError without a name: an acknowledgement nobody made helps nobody; raises
    StoreUnavailableError when nothing was written because the store did not answer.
    """
    who = " ".join(clean_text(by).split())[:BY_LIMIT]
    if not who:
        raise ValueError("say who acknowledges: the name is part of the record")
    said = clean_text(comment).strip()[:COMMENT_LIMIT]
    wanted = sorted(set(ids))
    with answering(engine), writing(engine) as connection:
        done: list[int] = []
        rest: dict[int, Handled] = {}
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            done.extend(_acknowledge(connection, chunk, who, said, now))
            rest.update(_handled(connection, set(chunk).difference(done)))
        if done:
            detail = {"comment": said} if said else {}
            entry = {"at": now, "actor": who, "action": "acknowledged", "detail": detail}
            connection.execute(insert(AUDIT), [{**entry, "event_id": key} for key in done])
    missing = tuple(key for key in wanted if key not in rest and key not in set(done))
    return Acknowledged(tuple(sorted(done)), tuple(rest[key] for key in sorted(rest)), missing)


def _acknowledge(
    connection: Connection, ids: Sequence[int], by: str, comment: str, now: datetime
) -> list[int]:
    e = EVENT.c
    # Locked in one order, so that two people who chose overlapping rows never wait for each other
    connection.execute(select(e.id).where(e.id.in_(ids)).order_by(e.id).with_for_update())
    statement = (
        update(EVENT)
        .where(e.id.in_(ids), UNACKNOWLEDGED)
        .values(
            is_acknowledged=True, acknowledged_at=now, acknowledged_by=by, comment=comment or None
        )
        .returning(e.id)
    )
    return list(connection.scalars(statement))


def _handled(connection: Connection, ids: set[int]) -> dict[int, Handled]:
    e = EVENT.c
    statement = select(e.id, e.acknowledged_by, e.acknowledged_at).where(e.id.in_(ids))
    return {key: Handled(key, by or "", at) for key, by, at in connection.execute(statement)}
