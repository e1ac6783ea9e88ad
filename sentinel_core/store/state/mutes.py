"""The silences, and the firing rules that inhibit others, which mute events now."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, and_, func, select

from sentinel_core.decide.observe import Kind
from sentinel_core.decide.state import Status
from sentinel_core.model.alert import describe
from sentinel_core.model.reasons import Suppression, SuppressionCode
from sentinel_core.model.rule import Inhibition
from sentinel_core.model.silence import Inhibitor, Silence, Subject, muted
from sentinel_core.store.db.engine import rows
from sentinel_core.store.db.tables import EVENT, RULE, SERIES, SILENCE, Row

SILENCE_EXPIRED = "silence-expired"  # the audit's action of ending a silence by hand

logger = logging.getLogger("sentinel.store")


class Mutes:
    """The silences and inhibitors at one time, read on first use."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._read: tuple[list[Silence], list[Inhibitor]] | None = None

    def reason_for(self, subject: Subject) -> Suppression | None:
        """Why this series is muted now; None if it is not."""
        if self._read is None:
            c = SILENCE.c
            current = select(SILENCE).where(c.starts_at <= self._now, c.ends_at > self._now)
            silences = list(readable(rows(self._connection, current.order_by(c.id))))
            self._read = silences, inhibitors(self._connection)
        return muted(subject, self._now, *self._read)


def readable(stored: Iterable[Row]) -> Iterator[Silence]:
    """The silences of these rows, without unreadable ones, which are logged.

    An unreadable silence mutes nothing: a needless notification is better than a missing one.
    """
    for row in stored:
        try:
            yield silence_of(row)
        except ValidationError as error:
            logger.warning("silence %s can't be read: %s", row["id"], describe(error))


def silence_of(row: Mapping[str, Any]) -> Silence:
    """The silence of a row."""
    return Silence.model_validate({k: v for k, v in row.items() if k in Silence.model_fields})


def inhibitors(connection: Connection) -> list[Inhibitor]:
    """Firing series of rules that inhibit others.

    An inhibited series inhibits nothing, so that two rules can't mute each other.
    """
    statement = (
        select(RULE.c.name, RULE.c.inhibits, SERIES.c.ticker)
        .join(SERIES, and_(SERIES.c.rule_id == RULE.c.id, SERIES.c.kind == Kind.ALERT.value))
        .join(EVENT, EVENT.c.id == SERIES.c.event_id)
        .where(
            RULE.c.is_active,
            has_items(connection),
            SERIES.c.status == Status.FIRING.value,
            EVENT.c.suppressed_code.is_distinct_from(SuppressionCode.INHIBITED.value),
        )
        .order_by(RULE.c.name, SERIES.c.ticker)
    )
    return [
        Inhibitor(name, ticker, [Inhibition.model_validate(item) for item in inhibits])
        for name, inhibits, ticker in connection.execute(statement)
    ]


def has_items(connection: Connection) -> Any:
    """SQL condition: the rule inhibits others."""
    length = "json_array_length" if connection.dialect.name == "sqlite" else "jsonb_array_length"
    return getattr(func, length)(RULE.c.inhibits) > 0
