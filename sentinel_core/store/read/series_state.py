"""The current state of a rule's series."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine, select

from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import RULE, SERIES


@dataclass(frozen=True, slots=True)
class SeriesState:
    """One series: its kind, its status, and when it was last evaluated."""

    deployment_id: UUID
    kind: str
    ticker: str
    status: str
    last_at: datetime


def series_of(engine: Engine, deployments: Collection[UUID]) -> list[SeriesState]:
    """The series of the rules with these deployments."""
    s = SERIES.c
    columns = (RULE.c.deployment_id, s.kind, s.ticker, s.status, s.last_at)
    statement = (
        select(*columns)
        .join(RULE, RULE.c.id == s.rule_id)
        .where(RULE.c.deployment_id.in_(deployments))
        .order_by(s.ticker, s.kind)
    )
    with reading(engine) as connection:
        return [SeriesState(*row) for row in connection.execute(statement)]
