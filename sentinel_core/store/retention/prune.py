"""One pruning: what the periods allow goes, table by table; or it is only counted."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, RowMapping

from sentinel_core.model.system_actions import SystemAction
from sentinel_core.store.db.engine import reading
from sentinel_core.store.retention.cutoffs import (
    Cutoffs,
    Needs,
    Periods,
    cutoffs,
    evaluations_before,
    needs_of,
    series_before,
)
from sentinel_core.store.retention.evaluations import RuleEvaluations, oldest_of_latest_runs
from sentinel_core.store.retention.events import count_events, delete_events
from sentinel_core.store.retention.old_hours import count_hours, delete_hours
from sentinel_core.store.retention.pace import Pace, Progress
from sentinel_core.store.retention.series import count_series, delete_series
from sentinel_core.store.state.audit import audit_system
from sentinel_core.store.state.rules import (
    RECONCILE,
    RETENTION,
    all_rules,
    checkpoint,
    set_checkpoint,
)
from sentinel_core.wording.text import counted

TABLES = ("evaluation", "evaluation_hour", "alert_event", "notification", "alert_series")


@dataclass(slots=True)
class Pruned:
    """Rows that went, or would go, by table. `reconciled`: whether a reconcile has ever been done,
    without which nothing goes. `unreadable`: rules that keep everything."""

    cutoffs: Cutoffs
    reconciled: bool
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES, 0))
    unreadable: list[str] = field(default_factory=list)
    dry_run: bool = False
    finished: bool = True
    longest_seconds: float = 0.0

    def sentence(self) -> str:
        """The result in one line."""
        if not self.reconciled:
            return "Nothing can go before the first reconcile, which records what is missing"
        rows = self.rows
        text = (
            f"{'Would delete' if self.dry_run else 'Deleted'} "
            f"{counted(rows['evaluation'], 'evaluation')}, "
            f"{counted(rows['evaluation_hour'], 'hourly row')}, "
            f"{counted(rows['alert_event'], 'event')} with "
            f"{counted(rows['notification'], 'notification')}, {rows['alert_series']:,} series"
        )
        if self.longest_seconds:
            text += f"; the longest transaction took {self.longest_seconds * 1000:.0f} ms"
        if self.unreadable:
            text += f"; settings that can't be read keep all of: {', '.join(self.unreadable)}"
        return text + ("" if self.finished else "; the time was up, the next pruning goes on")


def prune(
    engine: Engine,
    periods: Periods,
    now: datetime,
    *,
    pace: Pace | None = None,
    progress: Progress = lambda _table, _rows: None,
) -> Pruned:
    """Delete what may go, in transactions of a few milliseconds.

    It can be stopped at any moment and run twice at once: each transaction leaves a store in which
    nothing is missing but what was to go. What was deleted until then is an entry of the audit.
    """
    pace, began = pace or Pace(), time.monotonic()
    pruned, work = _planned(engine, periods, now)

    def went(table: str, rows: int) -> None:
        pruned.rows[table] += rows
        progress(table, rows)

    if (cutoff := pruned.cutoffs.evaluations) is not None:
        # Before anything goes: whoever misses an evaluation finds that it was deleted.
        set_checkpoint(engine, RETENTION, cutoff)
    try:
        _delete(engine, pruned.cutoffs, work, pace, went)
    finally:
        if gone := {table: count for table, count in pruned.rows.items() if count}:
            ended = now + timedelta(seconds=time.monotonic() - began)
            audit_system(engine, SystemAction.RETENTION, ended, gone)
    pruned.finished, pruned.longest_seconds = not pace.is_over, pace.longest
    return pruned


def would_prune(engine: Engine, periods: Periods, now: datetime) -> Pruned:
    """Count what may go, and delete nothing. Events are counted at most: one stays while it has an
    evaluation."""
    pruned, work = _planned(engine, periods, now)
    pruned.dry_run = True
    for rule in work:
        with reading(engine) as connection:
            if rule.evaluations is not None:
                pruned.rows["evaluation"] += rule.evaluations.count(connection)
            if rule.series is not None:
                count = count_series(connection, rule.id, rule.series)
                pruned.rows["alert_series"] += count
            if (hours := pruned.cutoffs.hours) is not None:
                pruned.rows["evaluation_hour"] += count_hours(connection, rule.id, hours)
    if (events := pruned.cutoffs.events) is not None:
        with reading(engine) as connection:
            both = count_events(connection, events)
            pruned.rows["alert_event"], pruned.rows["notification"] = both
    return pruned


@dataclass(frozen=True, slots=True)
class _RuleWork:
    """What of one rule goes."""

    id: int
    evaluations: RuleEvaluations | None
    series: datetime | None


def _delete(
    engine: Engine, before: Cutoffs, work: Sequence[_RuleWork], pace: Pace, went: Progress
) -> None:
    for rule in work:
        if rule.evaluations is not None:
            rule.evaluations.delete(engine, pace, went)
        if rule.series is not None:
            delete_series(engine, rule.id, rule.series, pace, went)
        if before.hours is not None:
            delete_hours(engine, rule.id, before.hours, pace, went)
    if before.events is not None:
        delete_events(engine, before.events, pace, went)


def _planned(engine: Engine, periods: Periods, now: datetime) -> tuple[Pruned, list[_RuleWork]]:
    reconciled = checkpoint(engine, RECONCILE)
    chosen = cutoffs(periods, now, reconciled)
    pruned = Pruned(chosen, reconciled is not None)
    if reconciled is None:
        return pruned, []
    rules = all_rules(engine)
    newest_sync = max(filter(None, (rule["last_prefect_sync"] for rule in rules)), default=None)
    with reading(engine) as connection:
        work = []
        for rule in rules:
            needs = needs_of(rule["parameters"])
            if needs is None:
                pruned.unreadable.append(rule["name"])
                work.append(_RuleWork(rule["id"], None, None))
                continue
            work.append(
                _RuleWork(
                    rule["id"],
                    _evaluations(connection, rule["id"], chosen.evaluations, needs),
                    _series(rule, chosen.series, periods.series, needs, newest_sync),
                )
            )
    return pruned, work


def _evaluations(
    connection: Connection, rule_id: int, cutoff: datetime | None, needs: Needs
) -> RuleEvaluations | None:
    if cutoff is None:
        return None
    oldest = oldest_of_latest_runs(connection, rule_id, cutoff, needs.runs)
    if oldest is None:  # fewer runs than stay
        return None
    return RuleEvaluations(rule_id, evaluations_before(cutoff, needs, oldest), cutoff)


def _series(
    rule: RowMapping,
    cutoff: datetime | None,
    period: timedelta | None,
    needs: Needs,
    newest_sync: datetime | None,
) -> datetime | None:
    if cutoff is None or period is None:
        return None
    return series_before(
        cutoff,
        period,
        needs,
        evaluated=rule["last_evaluated_at"],
        synced=rule["last_prefect_sync"],
        newest_sync=newest_sync,
    )
