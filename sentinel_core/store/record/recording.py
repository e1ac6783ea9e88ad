"""Records one run in one transaction: evaluations, series, events and notifications."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine, update

from sentinel_core.decide.effects import apply_run
from sentinel_core.decide.lifecycle import Lifecycle
from sentinel_core.decide.observe import Observation
from sentinel_core.model.rule import Meaning
from sentinel_core.model.run import Rule, Run
from sentinel_core.store.db.bulk import gc_paused
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.tables import RULE
from sentinel_core.store.record.apply import SqlLedger
from sentinel_core.store.state.rows import last_run
from sentinel_core.store.state.rules import touch
from sentinel_core.store.state.snapshot import RuleSnapshot


@dataclass(slots=True)
class Recorded:
    """What one recording changed; all empty if the run was on record already."""

    evaluations: int = 0
    opened: list[int] = field(default_factory=list)
    resolved: list[int] = field(default_factory=list)
    notifications: list[int] = field(default_factory=list)


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
        rule_id = touch(connection, rule, now)
        snapshot = RuleSnapshot(connection, rule_id, run)
        fresh = snapshot.not_yet_recorded(observations)
        if not fresh:
            return Recorded()
        series = snapshot.series(fresh, everything=lifecycle.policy.on_missing is Meaning.EVENT)
        ledger = SqlLedger(connection, rule_id, rule, run, lifecycle, now, fresh, series)
        judged = apply_run(lifecycle, ledger, fresh, ran=run is not None)
        if run is not None:
            newest = RULE.c.last_evaluated_at.is_(None) | (RULE.c.last_evaluated_at <= run.at)
            shown = update(RULE).where(RULE.c.id == rule_id, newest).values(last_run(run, judged))
            connection.execute(shown)
        return Recorded(ledger.evaluations, *ledger.write())
