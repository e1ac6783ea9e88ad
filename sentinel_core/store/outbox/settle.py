"""Writes the outcomes of attempts, and schedules failed notifications again."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, update

from sentinel_core.decide.fanout import dropped_columns
from sentinel_core.model.reasons import Suppression
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.tables import NOTIFICATION
from sentinel_core.store.outbox.enqueue import (
    IS_FAILED,
    IS_PENDING,
    PENDING,
    SENT,
    lock_notifications,
)

_N = NOTIFICATION.c


def settle(
    engine: Engine,
    ids: int | Collection[int],
    *,
    status: str,
    error: Suppression | str | None,
    now: datetime,
    next_attempt_at: datetime | None = None,
    reference: str | None = None,
    unknown: bool = False,
    claimed_at: datetime | None = None,
) -> None:
    """Write the outcome of an attempt: sent, pending (until `next_attempt_at`) or failed.

    A sent notification stays sent, and a notification suppressed meanwhile (its event was resolved
    by hand) is not tried again. `unknown`: it may have arrived. `claimed_at` identifies
    the claim: once its lease has ended and another deliverer has claimed the notification, the
    only outcome still written is that it was sent.
    """
    keys = [ids] if isinstance(ids, int) else sorted(ids)
    values: dict[str, Any] = {"status": status, "claimed_at": None}
    if isinstance(error, Suppression):
        values |= dropped_columns(error)
    else:
        values |= {"last_error": error, "dropped_code": None}
    if status != PENDING:
        values["settled_at"] = now
    if status == SENT:
        values["sent_at"] = now
    if reference is not None:
        values["reference"] = reference
    if next_attempt_at is not None:
        values["next_attempt_at"] = next_attempt_at
    if unknown:
        values["unknown"] = _N.unknown + 1
    which = [_N.id.in_(keys), _N.status != SENT if status == SENT else IS_PENDING]
    if status != SENT and claimed_at is not None:
        which.append(_N.claimed_at == claimed_at)
    _update(engine, which, values)


def postpone_channel(engine: Engine, channel: str, until: datetime) -> None:
    """Postpone everything pending in this channel until then, as its provider asked."""
    which = (
        IS_PENDING,
        _N.channel == channel,
        _N.claimed_at.is_(None),
        _N.next_attempt_at < until,
    )
    _update(engine, which, {"next_attempt_at": until})


def retry_failed(engine: Engine, channel: str, since: datetime, now: datetime) -> int:
    """Schedule again what failed in this channel since then; returns the number of them."""
    which = (IS_FAILED, _N.channel == channel, _N.settled_at >= since)
    again = {"status": PENDING, "attempts": 0, "next_attempt_at": now}
    again |= {"settled_at": None, "dropped_code": None}
    return _update(engine, which, again)


def _update(engine: Engine, which: Sequence[ColumnElement[bool]], values: dict[str, Any]) -> int:
    with writing(engine) as connection:
        lock_notifications(connection, *which)
        return connection.execute(update(NOTIFICATION).where(*which).values(**values)).rowcount
