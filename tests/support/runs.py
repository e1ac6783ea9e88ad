"""Runs of a rule, made in one line each, and the rows they leave behind."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select
from sqlmodel import SQLModel

from sentinel_core.decide.observe import judge
from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule, Run, Schedule, StateType
from sentinel_core.model.silence import Matchers, Silence
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.tables import (
    AlertEvent,
    AlertRule,
    AlertSeries,
    Evaluation,
    Notification,
)
from sentinel_core.store.record.recording import Recorded, record

T0 = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
NOW = T0 + timedelta(days=1)
ROUTES = {
    "critical": ["slack-incoming-webhook/critical", "slack-incoming-webhook/everyone"],
    "high": ["slack-incoming-webhook/everyone"],
    "medium": ["slack-incoming-webhook/warnings"],
}
TABLES = {
    model.__tablename__: model.__table__  # type: ignore[attr-defined]
    for model in (AlertRule, Evaluation, AlertSeries, AlertEvent, Notification)
}


def at(minute: float) -> datetime:
    """That many minutes after nine."""
    return T0 + timedelta(minutes=minute)


def a_rule(name: str = "aapl-price-surge", **settings: Any) -> Rule:
    """A rule deployment; the same name is the same deployment."""
    chosen = {"importance": "high", "category": "Market", "notify": ROUTES, **settings}
    return Rule(
        deployment_id=uuid.uuid5(uuid.NAMESPACE_URL, name),
        name=name,
        flow_name="price-surge",
        settings=RuleSettings.model_validate(chosen),
        trigger="price-surge",
        cron="*/5 * * * *",
        schedules=(Schedule(cron="*/5 * * * *"),),
    )


def a_silence(start: float = 0, end: float = 60, **given: Any) -> Silence:
    """A mute of `disk-*` from one minute after nine to another; `given` are other fields."""
    return Silence(
        **{
            "matchers": Matchers(rule="disk-*"),
            "starts_at": at(start),
            "ends_at": at(end),
            "author": "ana",
            "comment": "new disks",
            **given,
        }
    )


def a_run(
    minute: float = 0,
    state: str = "COMPLETED",
    *,
    name: str | None = None,
    message: str = "",
    run_count: int = 1,
    ended: float | None = None,
    key: uuid.UUID | None = None,
) -> Run:
    """A run due `minute` minutes after nine that ended two seconds later (or at minute `ended`)."""
    return Run(
        id=key or uuid.uuid4(),
        name=f"run-{minute:g}",
        state_type=StateType(state),
        state_name=name or state.title(),
        state_message=message,
        state_at=at(minute) + timedelta(seconds=2) if ended is None else at(ended),
        expected_start=at(minute),
        started_at=at(minute) + timedelta(seconds=1),
        run_count=run_count,
    )


def fired(ticker: str = "AAPL", **fields: Any) -> AlertOutput:
    """An output that triggered."""
    return AlertOutput(
        **{
            "triggered": True,
            "ticker": ticker,
            "message": f"{ticker} trades at 151.2",
            "metrics": {"value": 151.2, "threshold": 150.0},
            "timestamp": T0,
            **fields,
        }
    )


def quiet(ticker: str = "AAPL", **fields: Any) -> AlertOutput:
    """An output that did not trigger."""
    return AlertOutput(
        **{"triggered": False, "ticker": ticker, "message": "below", "timestamp": T0, **fields}
    )


def told(
    engine: Engine,
    rule: Rule,
    run: Run,
    outputs: Sequence[AlertOutput] | None = None,
    now: datetime = NOW,
) -> Recorded:
    """Judge and record a run with the real policy, as the hook does."""
    return record(
        engine,
        rule,
        run,
        judge(run, rule.settings, outputs),
        now=now,
    )


def rows(engine: Engine, table: str, **where: Any) -> list[dict[str, Any]]:
    """A table's rows, oldest first."""
    chosen = SQLModel.metadata.tables[table]
    statement = select(chosen).order_by(chosen.c.id).filter_by(**where)
    with reading(engine) as connection:
        return [dict(row) for row in connection.execute(statement).mappings()]


def snapshot(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table that a recording writes."""
    return {name: rows(engine, name) for name in TABLES}
