"""Silent rules: two of their due times have passed without a run."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine

from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.schedule import Standing
from sentinel_core.model.run import Rule
from sentinel_core.prefect_io.due import schedule_status
from sentinel_core.store.db.engine import reading
from sentinel_core.store.state.rules import all_rules
from sentinel_core.store.state.snapshot import firing_rules


def silence_observations(
    engine: Engine, rules: Mapping[UUID, Rule], now: datetime
) -> Iterator[tuple[Rule, list[Observation]]]:
    """Observations of rules that are silent, and of rules that no longer are."""
    with reading(engine) as connection:
        firing = firing_rules(connection, Kind.SILENT)
    for row in all_rules(engine):
        rule = rules.get(row["deployment_id"])
        if rule is None:
            continue
        since = max(filter(None, (row["last_evaluated_at"], row["changed_at"])))
        grace = rule.settings.policy.grace_seconds
        status = schedule_status(rule.schedules, since, now, grace)
        # Checked on time, with nothing to resolve: no reason to write.
        if row["id"] in firing or (rule.active and status.overdue):
            yield rule, [_observation(rule, status, now, ticker) for ticker in ("", "schedule")]


def _observation(rule: Rule, status: Standing, now: datetime, ticker: str) -> Observation:
    """The observation; an unreadable schedule has its own series, which no run resolves."""
    is_this = status.unreadable == (ticker == "schedule")
    overdue = rule.active and status.overdue and is_this
    return Observation(
        Kind.SILENT,
        ticker,
        now,
        overdue,
        rule.settings.importance,
        f"Rule {rule.name} is silent: {status.sentence}." if overdue else "Checked again.",
        evaluated=False,
    )
