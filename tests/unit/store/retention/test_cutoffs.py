"""What may go, as points in time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from sentinel_core.base.settings import Settings
from sentinel_core.store.retention.cutoffs import (
    LATEST_RUNS,
    RECONCILE_MARGIN,
    Cutoffs,
    Needs,
    Periods,
    cutoffs,
    evaluations_before,
    needs_of,
    series_before,
)

NOW = datetime(2026, 11, 29, tzinfo=UTC)
PLAIN = Needs(timedelta(), LATEST_RUNS, timedelta())


def ago(days: float) -> datetime:
    """That many days before now."""
    return NOW - timedelta(days=days)


def periods(**days: int) -> Periods:
    """The periods of these settings."""
    named: dict[str, Any] = {f"retention_{name}_days": value for name, value in days.items()}
    return Periods.of(Settings(**named))


def test_the_defaults() -> None:
    assert cutoffs(periods(), NOW, NOW) == Cutoffs(ago(30), ago(365), ago(365), ago(90))


def test_zero_days_are_for_ever() -> None:
    for_ever = periods(evaluation=0, hourly=0, event=0, series=0)
    assert cutoffs(for_ever, NOW, NOW) == Cutoffs(None, None, None, None)


def test_without_a_reconcile_there_is_no_cutoff() -> None:
    assert cutoffs(periods(), NOW, None) == Cutoffs(None, None, None, None)


def test_no_cutoff_passes_what_reconcile_has_looked_at() -> None:
    found = cutoffs(periods(), NOW, ago(400))
    before = ago(400) - RECONCILE_MARGIN
    assert (found.evaluations, found.events, found.series) == (before, before, before)


def test_a_series_stays_as_long_as_evaluations() -> None:
    assert cutoffs(periods(series=1), NOW, NOW).series == ago(30)
    assert cutoffs(periods(series=1, evaluation=0), NOW, NOW).series == ago(1)


@pytest.mark.parametrize("days", [-1, 36_501, 1.5, "many", "nan", "inf", "1e400", None])
def test_periods_that_are_no_number_of_days_are_refused(days: Any) -> None:
    for name in ("evaluation", "hourly", "event", "series"):
        with pytest.raises(ValidationError):
            periods(**{name: days})


def test_an_empty_variable_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTINEL_RETENTION_EVALUATION_DAYS", "")
    assert Settings().retention_evaluation_days == 30


def test_the_longest_period_there_can_be_deletes_nothing_and_fails_nowhere() -> None:
    longest = periods(evaluation=36_500, hourly=36_500, event=36_500, series=36_500)
    found = cutoffs(longest, NOW, NOW)
    assert found.evaluations == ago(36_500)
    ages = Needs(timedelta(days=800_000), 1, timedelta(days=800_000))
    assert evaluations_before(NOW, ages, NOW) == datetime.min.replace(tzinfo=UTC)


def test_needs_are_those_of_conditions_and_policy() -> None:
    window = {"op": "gt", "value": 1, "aggregate": "avg", "over_seconds": 3600}
    policy = {"breaches": 500, "cooldown_seconds": 60}
    found = needs_of(
        {"conditions": [window], "policy": policy, "check": {"any": 1}, "runbook": None}
    )
    assert found == Needs(timedelta(hours=1), 500, timedelta(minutes=1))
    assert needs_of({}) == PLAIN


def test_needs_of_settings_that_can_not_be_read_are_unknown() -> None:
    assert needs_of({"conditions": "all"}) is None


@pytest.mark.parametrize(
    ("look_back", "oldest_run", "before"),
    [(0, 10, 30), (0, 40, 40), (40, 10, 70), (40, 100, 100)],
)
def test_evaluations_go_before_all_that_needs_them(
    look_back: int, oldest_run: int, before: int
) -> None:
    needs = Needs(timedelta(days=look_back), LATEST_RUNS, timedelta())
    assert evaluations_before(ago(30), needs, ago(oldest_run)) == ago(before)


@pytest.mark.parametrize(
    ("evaluated", "synced", "cooldown", "before"),
    [
        (0, 0, 0, 90),  # checked until now
        (50, 0, 0, 140),  # paused for 50 days
        (0, 0, 200, 200),  # a long cooldown
        (None, 0, 0, None),  # never checked
        (100, 91, 0, 90),  # removed: Prefect has not had it for the whole period
        (100, 91, 30, 120),
        (None, None, 0, None),  # Sentinel's own rule
    ],
)
def test_series_age_while_their_rule_is_checked(
    evaluated: int | None, synced: int | None, cooldown: int, before: int | None
) -> None:
    found = series_before(
        ago(90),
        timedelta(days=90),
        Needs(timedelta(), LATEST_RUNS, timedelta(days=cooldown)),
        evaluated=None if evaluated is None else ago(evaluated),
        synced=None if synced is None else ago(synced),
        newest_sync=NOW,
    )
    assert found == (None if before is None else ago(before))
