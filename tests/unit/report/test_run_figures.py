"""The figures of flow runs, each worked out by hand."""

from datetime import UTC, datetime

import pytest

from sentinel_core.message.to_slack import FIELDS
from sentinel_core.model.run import StateType
from sentinel_core.report.figures import EventCount, EventStatus, Figures, Window
from sentinel_core.report.run_figures import FlowRunEnd, flow_runs, run_figures
from sentinel_core.report.tables import facts

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = Window(NOON.replace(day=19), NOON)
COMPLETED, FAILED = StateType.COMPLETED, StateType.FAILED
CRASHED, CANCELLED = StateType.CRASHED, StateType.CANCELLED


def ended(state: StateType, seconds: float | None = 60, name: str = "etl/nightly") -> FlowRunEnd:
    return FlowRunEnd("id", "brave-otter", name, state, state.value.title(), NOON, seconds)


def test_shares_are_of_runs_that_completed_or_failed() -> None:
    states = [COMPLETED] * 6 + [FAILED, CRASHED] + [CANCELLED] * 2
    found = run_figures("", [ended(state) for state in states])
    assert (found.total, found.failed, found.cancelled) == (10, 2, 2)
    assert found.failed_share == 2 / 8
    assert found.success_rate == 6 / 8


def test_without_a_run_there_is_no_share_and_no_duration() -> None:
    for runs in ([], [ended(CANCELLED)]):
        found = run_figures("", runs)
        assert (found.failed_share, found.success_rate, found.average_seconds) == (None,) * 3
        assert found.longest_seconds is None


def test_durations_are_of_runs_that_ran() -> None:
    runs = [ended(COMPLETED, 10), ended(FAILED, 20), ended(CRASHED, None), ended(CANCELLED, 900)]
    found = run_figures("", runs)
    assert (found.average_seconds, found.longest_seconds) == (15, 20)


@pytest.mark.parametrize(
    ("seconds", "limit", "slow"),
    [(3600, 3600, 0), (3600.5, 3600, 1), (None, 0.1, 0), (5, 4.9, 1)],
)
def test_a_run_is_slow_that_took_longer_than_the_limit(
    seconds: float | None, limit: float, slow: int
) -> None:
    assert run_figures("", [ended(COMPLETED, seconds)], limit).slow == slow
    assert run_figures("", [ended(CANCELLED, seconds)], limit).slow == 0


def test_the_slowest_flow_has_the_longest_run_and_the_noisiest_fails_most() -> None:
    runs = [
        *(ended(COMPLETED, 100, "slow") for _ in range(2)),
        ended(COMPLETED, 7200, "once slow"),
        *(ended(COMPLETED, 1, "once slow") for _ in range(99)),
        *(ended(FAILED, 2, "noisy") for _ in range(3)),
        ended(FAILED, None, "never ran"),
    ]
    found = flow_runs(runs)
    assert [one.name for one in found.slowest] == ["once slow", "slow", "noisy"]
    assert [one.name for one in found.noisiest] == ["noisy", "never ran"]
    assert (found.all.total, found.all.slow, found.all.failed) == (106, 1, 4)


def figures_of(report: dict) -> dict[str, str]:  # type: ignore[type-arg]
    return dict(map(tuple, report["figures"]))


def test_the_report_has_their_figures_and_tables() -> None:
    runs = [*(ended(COMPLETED, 60) for _ in range(16)), ended(FAILED, 7200), ended(CANCELLED)]
    report = facts(Figures(DAY), "x", flow_runs(runs, left_out=12))
    figures = figures_of(report)
    assert figures["Flow runs"] == "18 (1 failed: 5.8 %, 1 cancelled, about 12 more were not read)"
    assert report["flow_runs"]["success_rate"] == 16 / 17
    assert report["flow_runs"]["not_read"] == 12
    tables = {section["title"]: section["rows"] for section in report["sections"]}
    assert tables["Flow runs"] == [[18, 1, "5.8 %", "94.1 %", 1, "8 min"]]
    assert tables["Slowest flows"] == [["etl/nightly", 18, 480.0, 7200]]
    assert tables["Noisiest flows"] == [["etl/nightly", 18, 1, "94.1 %"]]


def test_what_prefect_does_not_say_is_not_shown_as_nothing() -> None:
    report = facts(Figures(DAY), "x", "Prefect's API does not answer")
    assert figures_of(report)["Flow runs"] == "not known: Prefect's API does not answer"
    assert report["flow_runs"] is None
    none = facts(Figures(DAY), "x", flow_runs([]))
    assert figures_of(none)["Flow runs"] == "0"
    assert "Flow runs" not in {section["title"] for section in none["sections"]}


def test_slack_shows_every_figure() -> None:
    events = [EventCount(1, "a", "high", EventStatus.OPEN, "COMPLETED", 3)]
    bars = [(NOON, {"high": 3})]
    report = facts(Figures(DAY, events=events, bars=bars), "x", flow_runs([ended(COMPLETED)]))
    assert len(report["figures"]) <= FIELDS
