"""The latest values of a series, for the small chart in a message."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select

from sentinel_core.decide.observe import Kind
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import EVALUATION

SHOWN = 40


def latest_values(engine: Engine, event: Mapping[str, Any]) -> list[tuple[datetime, float]]:
    """(time, value) of an event's series up to its newest run, oldest first, at most SHOWN.

    The value is the metric `value`, else the event's first metric by name; [] without metrics.
    """
    metrics = event["metrics"]
    if not metrics:
        return []
    name = "value" if "value" in metrics else min(metrics)
    v = EVALUATION.c
    statement = (
        select(v.at, v.metrics)
        .where(
            v.rule_id == event["rule_id"],
            v.kind == Kind.ALERT.value,
            v.ticker == event["ticker"],
            v.at <= event["last_seen"],
        )
        .order_by(v.at.desc(), v.id.desc())
        .limit(SHOWN)
    )
    with reading(engine) as connection:
        rows = connection.execute(statement).all()
    return [(at, values[name]) for at, values in reversed(rows) if name in values]
