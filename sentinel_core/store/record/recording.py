"""Records one run in one transaction; without a run, ends acknowledgements whose time is over and
enqueues what was withheld while its rule was muted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Engine, Update, bindparam, select, update

from sentinel_core.decide.effects import apply_run, end_snoozes, release_withheld
from sentinel_core.decide.lifecycle import Lifecycle
from sentinel_core.decide.observe import Observation
from sentinel_core.decide.state import Key, Status
from sentinel_core.model.rule import Meaning
from sentinel_core.model.run import Rule, Run
from sentinel_core.store.db.bulk import gc_paused
from sentinel_core.store.db.engine import reading, writing
from sentinel_core.store.db.tables import EVENT, RULE, SERIES
from sentinel_core.store.record.apply import SqlLedger
from sentinel_core.store.state.rows import last_run
from sentinel_core.store.state.rules import lock_rule
from sentinel_core.store.state.snapshot import RuleSnapshot
from sentinel_core.store.state.watched import WATCHED

_WITHHELD = (SERIES.c.untold.is_not(None), SERIES.c.status == Status.FIRING.value)


@dataclass(slots=True)
class Recorded:
    """The changes of one recording; all empty if the run was on record already."""

    evaluations: int = 0
    opened: list[int] = field(default_factory=list)
    resolved: list[int] = field(default_factory=list)
    notifications: list[int] = field(default_factory=list)
    reactions: list[int] = field(default_factory=list)
    """Those to be started now."""


def record(
    engine: Engine,
    rule: Rule,
    run: Run | None,
    observations: Sequence[Observation],
    *,
    now: datetime,
    lifecycle: Lifecycle | None = None,
) -> Recorded:
    """Record what a run observed: evaluations, series, events and notifications, all or nothing.

    Recording the same run again changes nothing (the evaluation's key is the run and the series),
    unless the run itself was started once more. `run` is None for observations without a run, such
    as silence. `lifecycle` defaults to that of the rule's settings.
    """
    lifecycle = lifecycle or Lifecycle(rule.settings)
    with gc_paused(len(observations)), writing(engine) as connection:
        rule_id = lock_rule(connection, rule, now)
        snapshot = RuleSnapshot(connection, rule_id, run, apart=rule.trigger == WATCHED)
        fresh = snapshot.not_yet_recorded(observations)
        if not fresh:
            return Recorded()
        series = snapshot.read_series(
            fresh, everything=lifecycle.policy.on_missing is Meaning.EVENT
        )
        ledger = SqlLedger(connection, rule_id, rule, run, lifecycle, now, fresh, series)
        judged = apply_run(lifecycle, ledger, fresh, ran=run is not None)
        if run is not None:
            shown = last_run(run, judged)
            connection.execute(_show(tuple(shown)), {"rule": rule_id, "at": run.at, **shown})
        return Recorded(ledger.evaluations, *ledger.write())


@lru_cache
def _show(columns: tuple[str, ...]) -> Update:
    """Sets these columns of a rule, unless a later run has."""
    newest = RULE.c.last_evaluated_at.is_(None) | (RULE.c.last_evaluated_at <= bindparam("at"))
    values: dict[str, Any] = {name: bindparam(name) for name in columns}
    return update(RULE).where(RULE.c.id == bindparam("rule"), newest).values(values)


def notify_unmuted(
    engine: Engine, rules: Mapping[UUID, Rule], now: datetime, *, ticker: str | None = None
) -> list[int]:
    """Enqueue withheld notifications that nothing mutes now; returns their ids.

    The next run of a rule would enqueue them too; a rule that is checked once a day must not wait
    for it. `rules` are by deployment id; with `ticker`, only its series.
    """
    return _between_runs(engine, rules, now, ticker, _WITHHELD, release_withheld)


def end_due_snoozes(
    engine: Engine, rules: Mapping[UUID, Rule], now: datetime, *, ticker: str | None = None
) -> list[int]:
    """End the acknowledgements of open events whose time is over; returns ids of notifications.

    The next run of a rule would end them too; a rule that is paused has none. `rules` and `ticker`
    as for `notify_unmuted`.
    """
    over = (
        EVENT.c.acknowledged_until <= now,
        EVENT.c.is_acknowledged,
        EVENT.c.resolved_at.is_(None),
    )
    return _between_runs(engine, rules, now, ticker, over, end_snoozes)


def _between_runs(
    engine: Engine,
    rules: Mapping[UUID, Rule],
    now: datetime,
    ticker: str | None,
    conditions: Sequence[ColumnElement[bool]],
    act: Callable[[Lifecycle, SqlLedger, list[Key], datetime], None],
) -> list[int]:
    """Do this to the series that meet the conditions, with one transaction for each rule."""
    wanted = conditions if ticker is None else (*conditions, SERIES.c.ticker == ticker)
    found = (
        select(RULE.c.deployment_id)
        .join(SERIES, SERIES.c.rule_id == RULE.c.id)
        .join(EVENT, EVENT.c.id == SERIES.c.event_id)
    )
    with reading(engine) as connection:
        deployments = connection.scalars(found.where(*wanted).distinct()).all()
    enqueued: list[int] = []
    for rule in (rules[key] for key in deployments if key in rules):
        lifecycle = Lifecycle(rule.settings)
        with writing(engine) as connection:
            rule_id = lock_rule(connection, rule, now)
            series = RuleSnapshot(connection, rule_id, None).select_series(*wanted)
            ledger = SqlLedger(connection, rule_id, rule, None, lifecycle, now, (), series)
            act(lifecycle, ledger, list(series), now)
            enqueued += ledger.write()[2]
    return enqueued
