"""Enqueues notifications that were withheld while a rule was muted, once nothing mutes it.

The next run of a rule would send them too; a rule that is checked once a day must not wait for it.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine, select

from sentinel_core.decide.effects import release_withheld
from sentinel_core.decide.lifecycle import Lifecycle
from sentinel_core.decide.state import Status
from sentinel_core.model.run import Rule
from sentinel_core.store.db.engine import reading, writing
from sentinel_core.store.db.tables import RULE, SERIES
from sentinel_core.store.record.apply import SqlLedger
from sentinel_core.store.state.rules import touch
from sentinel_core.store.state.snapshot import RuleSnapshot

_WITHHELD = (SERIES.c.untold.is_not(None), SERIES.c.status == Status.FIRING.value)


def notify_unmuted(engine: Engine, rules: Mapping[UUID, Rule], now: datetime) -> list[int]:
    """Enqueue withheld notifications that nothing mutes now; returns their ids.

    `rules` are by deployment id.
    """
    enqueued: list[int] = []
    for deployment_id in _deployments(engine):
        rule = rules.get(deployment_id)
        if rule is None:
            continue
        lifecycle = Lifecycle(rule.settings)
        with writing(engine) as connection:
            rule_id = touch(connection, rule, now)
            series = RuleSnapshot(connection, rule_id, None).select_series(*_WITHHELD)
            ledger = SqlLedger(connection, rule_id, rule, None, lifecycle, now, (), series)
            release_withheld(lifecycle, ledger, list(series), now)
            enqueued += ledger.write()[2]
    return enqueued


def _deployments(engine: Engine) -> list[UUID]:
    """Deployments of rules with withheld notifications."""
    statement = select(RULE.c.deployment_id).join(SERIES, SERIES.c.rule_id == RULE.c.id)
    with reading(engine) as connection:
        return list(connection.scalars(statement.where(*_WITHHELD).distinct()))
