"""Filling a real event store the way hooks do: through judge, decide and record."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine

from sentinel_core.decide.observe import judge
from sentinel_core.model.alert import AlertOutput, Importance
from sentinel_core.model.routing import Routes
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule, Run, Schedule, StateType
from sentinel_core.store.read import event_list
from sentinel_core.store.read.filters import EventFilter
from sentinel_core.store.record.recording import Recorded, record
from sentinel_core.store.state.rules import sync

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def a_rule(
    name: str = "disk",
    importance: str = "high",
    category: str = "System",
    *,
    cron: str | None = "*/5 * * * *",
    display_minutes: int = 1440,
    notify: dict[str, list[str]] | None = None,
    runbook: str | None = None,
) -> Rule:
    """A rule deployment with these settings and an id of its own."""
    settings = RuleSettings(
        importance=Importance(importance),
        category=category,
        display_duration_minutes=display_minutes,
        notify=Routes.model_validate(notify or {}),
        runbook=runbook,
    )
    return Rule(
        uuid4(),
        name,
        name,
        settings,
        trigger=name,
        cron=cron,
        schedules=(Schedule(cron=cron),) if cron else (),
        description=f"The rule {name}.",
    )


def a_run(at: datetime, state: str = "COMPLETED", name: str = "", message: str = "") -> Run:
    """A run that was due at `at` and ended two seconds later."""
    ended = at + timedelta(seconds=2)
    return Run(
        id=uuid4(),
        name="tuned-otter",
        state_type=StateType(state),
        state_name=name or state.title(),
        state_message=message,
        state_at=ended,
        expected_start=at,
        started_at=at + timedelta(seconds=1),
        run_count=1,
    )


def observe(
    engine: Engine,
    rule: Rule,
    run: Run,
    outputs: Sequence[AlertOutput] | None = None,
    *,
    known: bool = True,
) -> Recorded:
    """Record one run of one rule; `known` also writes the rule's row as Prefect describes it."""
    if known:
        sync(engine, [rule], run.state_at)
    seen = judge(run, rule.settings, outputs)
    return record(engine, rule, run, seen, now=run.state_at)


def fire(
    engine: Engine,
    rule: Rule,
    at: datetime,
    *,
    ticker: str = "",
    message: str = "Too much.",
    importance: str | None = None,
    **more: Any,
) -> int:
    """A triggered run that opens an event; its id."""
    output = AlertOutput(
        triggered=True,
        ticker=ticker,
        message=message,
        importance=Importance(importance) if importance else None,
        timestamp=at,
        **more,
    )
    [event_id] = observe(engine, rule, a_run(at, name="Triggered"), [output]).opened
    return event_id


def calm(engine: Engine, rule: Rule, at: datetime, *, ticker: str = "", **more: Any) -> None:
    """A run that found nothing: resolves what was open."""
    observe(
        engine,
        rule,
        a_run(at),
        [AlertOutput(triggered=False, ticker=ticker, timestamp=at, **more)],
    )


def event_ids(engine: Engine, now: datetime = NOON, **wanted: Any) -> list[int]:
    """Ids of the events that a filter of these values lists, newest first; sets may be plain."""
    chosen = {k: frozenset(v) if isinstance(v, set) else v for k, v in wanted.items()}
    listed = event_list.page(engine, EventFilter(**chosen), now=now, size=100)
    return [row["id"] for row in listed.rows]
