"""Rules as Prefect last described them, their latest evaluations, and checkpoints of jobs."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Connection,
    Engine,
    RowMapping,
    and_,
    bindparam,
    exists,
    false,
    func,
    or_,
    select,
    update,
)

from sentinel_core.model.run import Rule
from sentinel_core.store.db.bulk import insert_into
from sentinel_core.store.db.engine import reading, writing
from sentinel_core.store.db.tables import CHECKPOINT, EVALUATION, EVENT, RULE
from sentinel_core.store.state.system_rule import OWN

_DEFINES_CHECKING = ("schedules", "is_active", "parameters")
RECONCILE = "reconcile"  # the checkpoint up to which every ended run is on record
RETENTION = "retention"  # evaluations of runs that ended before it may have been deleted

_LOCK = (
    update(RULE)
    .where(RULE.c.flow_name == bindparam("flow"), RULE.c.name == bindparam("rule"))
    .values(deployment_id=bindparam("deployment_id"))
    .returning(RULE.c.id)
)


def lock_rule(connection: Connection, rule: Rule, now: datetime) -> int:
    """The id of this rule's row, created if missing and locked until the transaction ends.

    Only `sync` changes the definition in an existing row.
    """
    known = {"flow": rule.flow_name, "rule": rule.name, "deployment_id": rule.deployment_id}
    if (found := connection.scalar(_LOCK, known)) is not None:
        return int(found)
    statement = insert_into(connection, RULE).values(**_definition(rule), **_birth(now))
    statement = statement.on_conflict_do_update(
        index_elements=["flow_name", "name"], set_={"deployment_id": rule.deployment_id}
    ).returning(RULE.c.id)
    return int(connection.execute(statement).scalar_one())


def sync(engine: Engine, rules: Iterable[Rule], now: datetime) -> int:
    """Write the rules' definitions as Prefect has them, and return the number of rules.

    `changed_at` is set only when the schedules, the parameters or `is_active` have changed.
    """
    written = 0
    with writing(engine) as connection:
        for rule in rules:
            values = _definition(rule)
            stored = select(RULE).where(
                RULE.c.flow_name == rule.flow_name, RULE.c.name == rule.name
            )
            previous = connection.execute(stored).mappings().first()
            moved = previous is None or any(previous[k] != values[k] for k in _DEFINES_CHECKING)
            changed = {"changed_at": now} if moved else {}
            statement = insert_into(connection, RULE).values(
                **values, **_birth(now), last_prefect_sync=now
            )
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["flow_name", "name"],
                    set_={**values, **changed, "last_prefect_sync": now},
                )
            )
            written += 1
    return written


def _definition(rule: Rule) -> dict[str, Any]:
    settings = rule.settings
    return {
        "name": rule.name,
        "flow_name": rule.flow_name,
        "deployment_id": rule.deployment_id,
        "trigger": rule.trigger,
        "description": rule.description,
        "parameters": rule.parameters,
        "tags": list(rule.tags),
        "importance": settings.importance.value,
        "category": settings.category,
        "display_duration_minutes": settings.display_duration_minutes,
        "runbook": settings.runbook,
        "cron": rule.cron,
        "interval_seconds": rule.interval_seconds,
        "timezone": rule.timezone,
        "schedules": [asdict(schedule) for schedule in rule.schedules],
        "is_active": rule.active,
        "inhibits": [item.model_dump() for item in settings.inhibitions],
    }


def _birth(now: datetime) -> dict[str, Any]:
    return {"first_seen_at": now, "changed_at": now, "last_output": [], "told": []}


def deactivate_missing(engine: Engine, present: Sequence[UUID]) -> list[str]:
    """Mark rules whose deployment is not present as inactive, and return their names."""
    with writing(engine) as connection:
        statement = (
            update(RULE)
            .where(RULE.c.is_active, RULE.c.deployment_id.not_in(present))
            .values(is_active=False)
            .returning(RULE.c.name)
        )
        return list(connection.scalars(statement))


def all_rules(engine: Engine) -> list[RowMapping]:
    """All rules, ordered by name."""
    with reading(engine) as connection:
        return list(connection.execute(select(RULE).order_by(RULE.c.name)).mappings())


def rules_with_open_events(engine: Engine) -> list[RowMapping]:
    """The rules that have an unresolved event, ordered by name; not Sentinel's own."""
    unresolved = exists().where(EVENT.c.rule_id == RULE.c.id, EVENT.c.resolved_at.is_(None))
    own = RULE.c.deployment_id.in_(OWN)
    with reading(engine) as connection:
        statement = select(RULE).where(unresolved, ~own).order_by(RULE.c.name)
        return list(connection.execute(statement).mappings())


def rule_of_deployment(engine: Engine, deployment_id: UUID) -> RowMapping | None:
    """The row of a deployment's rule; None if it is not on record."""
    with reading(engine) as connection:
        statement = select(RULE).where(RULE.c.deployment_id == deployment_id)
        return connection.execute(statement).mappings().first()


def latest_evaluations(
    engine: Engine, deployment_id: UUID, limit: int, ticker: str | None = None
) -> list[RowMapping]:
    """A rule's latest measurements, newest first, of one ticker or of all.

    Evaluations that the conditions could not decide count too: they were measured. `acknowledged`
    is true where a person has acknowledged the event since, and not only until a time or a value.
    """
    acknowledged = (
        EVENT.c.is_acknowledged,
        EVENT.c.acknowledged_until.is_(None),
        EVENT.c.acknowledged_above.is_(None),
        EVENT.c.acknowledged_below.is_(None),
        EVENT.c.acknowledged_at >= EVALUATION.c.recorded_at,
    )
    measured = or_(EVALUATION.c.kind == "alert", EVALUATION.c.reported.is_not(None))
    statement = (
        select(EVALUATION, func.coalesce(and_(*acknowledged), false()).label("acknowledged"))
        .join(RULE, RULE.c.id == EVALUATION.c.rule_id)
        .outerjoin(EVENT, EVENT.c.id == EVALUATION.c.event_id)
        .where(RULE.c.deployment_id == deployment_id, measured)
        .order_by(EVALUATION.c.at.desc(), EVALUATION.c.id.desc())
        .limit(limit)
    )
    if ticker is not None:
        statement = statement.where(EVALUATION.c.ticker == ticker)
    with reading(engine) as connection:
        return list(connection.execute(statement).mappings())


def checkpoint(engine: Engine, name: str) -> datetime | None:
    """The time up to which the job `name` is done; None before its first run."""
    with reading(engine) as connection:
        return connection.scalar(select(CHECKPOINT.c.at).where(CHECKPOINT.c.name == name))


def set_checkpoint(engine: Engine, name: str, at: datetime) -> None:
    """Set the time up to which the job `name` is done, unless it is already later."""
    with writing(engine) as connection:
        statement = insert_into(connection, CHECKPOINT).values(name=name, at=at)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["name"], set_={"at": at}, where=CHECKPOINT.c.at < at
            )
        )
