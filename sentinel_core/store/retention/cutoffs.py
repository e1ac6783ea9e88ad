"""What may be deleted, as points in time. Pure: no clock, no database.

Deleting must change no decision and no answer to "was this run recorded?". So nothing goes that a
rule's conditions, its policy or a late run may still need, whatever the settings say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from sentinel_core.base.settings import Settings
from sentinel_core.decide.lifecycle import Lifecycle
from sentinel_core.model.rule import RuleSettings

RECONCILE_MARGIN = timedelta(hours=1)  # reconcile looks again at what ended shortly before
LATEST_RUNS = 100  # before the cutoff, for triggers that read their own past


@dataclass(frozen=True, slots=True)
class Periods:
    """How long rows are kept; None is for ever."""

    evaluations: timedelta | None
    hours: timedelta | None
    events: timedelta | None
    series: timedelta | None

    @classmethod
    def of(cls, settings: Settings) -> "Periods":
        """The periods of these settings, where 0 days are for ever."""
        return cls(
            *(
                timedelta(days=days) if days else None
                for days in (
                    settings.retention_evaluation_days,
                    settings.retention_hourly_days,
                    settings.retention_event_days,
                    settings.retention_series_days,
                )
            )
        )


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """Rows that are older may go; None: nothing goes.

    `evaluations` is compared with the end of a run. A rule's conditions may need older ones.
    """

    evaluations: datetime | None
    hours: datetime | None
    events: datetime | None
    series: datetime | None


def cutoffs(periods: Periods, now: datetime, reconciled: datetime | None) -> Cutoffs:
    """The cutoffs at this moment. `reconciled`: every run that ended before is on record.

    A run that ended before the cutoff of evaluations counts as recorded from then on, which is true
    only of those that reconcile has looked at: without a reconcile, nothing goes.
    """
    if reconciled is None:
        return Cutoffs(None, None, None, None)
    latest = min(now, reconciled - RECONCILE_MARGIN)

    def before(period: timedelta | None) -> datetime | None:
        return None if period is None else min(_earlier(now, period), latest)

    evaluations = before(periods.evaluations)
    hours = None if periods.hours is None else _earlier(now, periods.hours)
    series = before(periods.series)
    if series is not None and evaluations is not None:
        # A run that may still be recorded must find the state that later runs have left.
        series = min(series, evaluations)
    return Cutoffs(evaluations, hours, before(periods.events), series)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a rule's settings need of its past.

    `look_back`: the age of the oldest value of its conditions. `runs`: the number of runs before
    the cutoff that stay, whatever their age. `cooldown`: how long the end of an event matters.
    """

    look_back: timedelta
    runs: int
    cooldown: timedelta


def needs_of(parameters: Mapping[str, Any]) -> Needs | None:
    """The needs of a rule with these parameters; None if its settings can't be read.

    Nobody knows then what it needs once they are corrected, so nothing of it goes.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    try:
        lifecycle = Lifecycle(RuleSettings.model_validate(given))
    except ValidationError:
        return None
    return Needs(
        look_back=lifecycle.look_back,
        runs=max(LATEST_RUNS, lifecycle.late_neighbours + 1),
        cooldown=timedelta(seconds=lifecycle.policy.cooldown_seconds),
    )


def evaluations_before(cutoff: datetime, needs: Needs, oldest_run: datetime) -> datetime:
    """Evaluations of a rule due before this may go, if their runs ended before `cutoff`.

    A run that was due at the cutoff may be recorded late, and looks back from there: on values, and
    on the runs before it. `oldest_run` is when the oldest one of the runs that stay was due.
    """
    return min(_earlier(cutoff, needs.look_back), oldest_run)


def series_before(
    cutoff: datetime,
    period: timedelta,
    needs: Needs,
    *,
    evaluated: datetime | None,
    synced: datetime | None,
    newest_sync: datetime | None,
) -> datetime | None:
    """Series of a rule last observed before this may go; None: none of them.

    A series is not missed while its rule is not checked, so its age counts up to the rule's latest
    evaluation (`evaluated`). A rule that Prefect no longer has (not `synced` for the whole period)
    will not be checked again.
    """
    removed = (
        synced is not None and newest_sync is not None and synced < _earlier(newest_sync, period)
    )
    if removed:
        return _earlier(cutoff, needs.cooldown)
    if evaluated is None:
        return None
    return min(cutoff, _earlier(evaluated, max(period, needs.cooldown)))


def _earlier(moment: datetime, period: timedelta) -> datetime:
    """The moment that long before; the first one there is, for a period of more than all time."""
    try:
        return moment - period
    except OverflowError:
        return datetime.min.replace(tzinfo=moment.tzinfo)
