"""The silences, and the firing rules that inhibit others, which mute events now."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Select, and_, bindparam, func, select

from sentinel_core.decide.observe import Kind
from sentinel_core.decide.state import Status
from sentinel_core.model.alert import describe
from sentinel_core.model.reasons import Suppression, SuppressionCode
from sentinel_core.model.rule import Inhibition
from sentinel_core.model.silence import Inhibitor, Silence, Subject, muted
from sentinel_core.store.db.tables import EVENT, RULE, SERIES, SILENCE, Row

SILENCE_EXPIRED = "silence-expired"  # the audit's action of ending a silence by hand

logger = logging.getLogger("sentinel.store")


_CURRENT = (
    select(SILENCE)
    .where(SILENCE.c.starts_at <= bindparam("now"), SILENCE.c.ends_at > bindparam("now"))
    .order_by(SILENCE.c.id)
)


class Mutes:
    """The silences and inhibitors at one time, read on first use."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._read: tuple[list[Silence], list[Inhibitor]] | None = None

    def reason_for(self, subject: Subject) -> Suppression | None:
        """Why this series is muted now; None if it is not."""
        if self._read is None:
            current = self._connection.execute(_CURRENT, {"now": self._now}).mappings()
            silences = list(readable(dict(row) for row in current))
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
    return [
        Inhibitor(name, ticker, [Inhibition.model_validate(item) for item in inhibits])
        for name, inhibits, ticker in connection.execute(_inhibiting(connection.dialect.name))
    ]


@lru_cache
def _inhibiting(dialect: str) -> Select[Any]:
    return (
        select(RULE.c.name, RULE.c.inhibits, SERIES.c.ticker)
        .join(SERIES, and_(SERIES.c.rule_id == RULE.c.id, SERIES.c.kind == Kind.ALERT.value))
        .join(EVENT, EVENT.c.id == SERIES.c.event_id)
        .where(
            RULE.c.is_active,
            has_items(dialect),
            SERIES.c.status == Status.FIRING.value,
            EVENT.c.suppressed_code.is_distinct_from(SuppressionCode.INHIBITED.value),
        )
        .order_by(RULE.c.name, SERIES.c.ticker)
    )


def has_items(dialect: str) -> Any:
    """SQL condition: the rule inhibits others."""
    length = "json_array_length" if dialect == "sqlite" else "jsonb_array_length"
    return getattr(func, length)(RULE.c.inhibits) > 0
