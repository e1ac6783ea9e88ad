"""Messages that were held back while somebody was mute, told as soon as nothing mutes them.

The next run of a rule would tell them too; a rule that is checked once a day must not wait for it.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine, RowMapping, select, update

from sentinel_core.decide.fanout import Fanout
from sentinel_core.decide.observe import Kind
from sentinel_core.decide.policy import DecisionContext, Series, Status, policy_for, released
from sentinel_core.model.reasons import Suppression
from sentinel_core.model.run import Rule
from sentinel_core.store.db.engine import reading, writing
from sentinel_core.store.db.tables import EVENT, RULE, SERIES
from sentinel_core.store.outbox.enqueue import drop_steps, insert_messages
from sentinel_core.store.record.recording import BEGUN_ANEW, NOBODY
from sentinel_core.store.state.mutes import Mutes
from sentinel_core.store.state.rows import reason_of, suppressed_columns
from sentinel_core.store.state.rules import touch
from sentinel_core.store.state.snapshot import RuleSnapshot, series_of


def release(engine: Engine, rules: Mapping[UUID, Rule], now: datetime) -> list[int]:
    """Owe what nothing mutes any longer; ids of the messages. `rules` by deployment id."""
    owed: list[int] = []
    for deployment_id in _held(engine):
        rule = rules.get(deployment_id)
        if rule is not None:
            with writing(engine) as connection:
                owed += _release(connection, rule, now)
    return owed


def _held(engine: Engine) -> list[UUID]:
    """Deployments of the rules with something that was not told."""
    statement = (
        select(RULE.c.deployment_id)
        .join(SERIES, SERIES.c.rule_id == RULE.c.id)
        .where(SERIES.c.untold.is_not(None), SERIES.c.status == Status.FIRING.value)
        .distinct()
    )
    with reading(engine) as connection:
        return list(connection.scalars(statement))


def _release(connection: Connection, rule: Rule, now: datetime) -> list[int]:
    rule_id = touch(connection, rule, now)
    muting = Mutes(connection, now)
    told = RuleSnapshot(connection, rule_id, None).told()
    owing = Fanout(rule, rule_id, now)
    owed: list[int] = []
    for row in _waiting(connection, rule_id):
        series, kind = series_of(dict(row)), Kind(row["kind"])
        importance = series.event_importance or rule.settings.importance
        world = DecisionContext(muting.why(rule, kind, row["ticker"], importance), told)
        decision = released(policy_for(kind, rule.settings.effective_policy), series, world, now)
        if decision is None:
            if world.muted is not None and world.muted.sentence != row["suppressed"]:
                _write_reason(connection, row, world.muted)
            continue
        told.append(now)
        _write(connection, row, decision.series)
        if decision.reopen:  # or the next run would tell the same once more
            mine = EVENT.c.id == row["event_id"]
            connection.execute(update(EVENT).where(mine).values(**NOBODY))
            drop_steps(connection, [row["event_id"]], BEGUN_ANEW, now)
        reason = reason_of(decision, importance)
        messages = owing.rows(
            row["event_id"],
            row["ticker"],
            importance,
            reason,
            sequence=decision.series.tells - 1,
            anew=decision.reopen,
        )
        if messages:
            owed += insert_messages(connection, messages, now)
    if most := rule.settings.policy.max_notifications_per_hour:
        latest = [moment.isoformat() for moment in sorted(told)[-most:]]
        connection.execute(update(RULE).where(RULE.c.id == rule_id).values(told=latest))
    return owed


def _waiting(connection: Connection, rule_id: int) -> list[RowMapping]:
    statement = (
        select(SERIES, EVENT.c.is_acknowledged, EVENT.c.acknowledged_until, EVENT.c.suppressed)
        .join(EVENT, EVENT.c.id == SERIES.c.event_id)
        .where(SERIES.c.rule_id == rule_id, SERIES.c.untold.is_not(None))
        .where(SERIES.c.status == Status.FIRING.value)
        .order_by(SERIES.c.id)
    )
    return list(connection.execute(statement).mappings())


def _write(connection: Connection, row: RowMapping, series: Series) -> None:
    connection.execute(
        update(SERIES)
        .where(SERIES.c.id == row["id"])
        .values(told_at=series.told_at, tells=series.tells, untold=None)
    )
    _write_reason(connection, row, None)


def _write_reason(connection: Connection, row: RowMapping, muted: Suppression | None) -> None:
    """Why nobody is told now: what muted it first may have ended before what mutes it since."""
    mine = EVENT.c.id == row["event_id"]
    connection.execute(update(EVENT).where(mine).values(**suppressed_columns(muted)))
