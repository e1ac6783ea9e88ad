"""What became of due times, hour by hour."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_core.decide.due import DueRun, End, Limits, Outcome, Stretch, outcomes, stretches

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
HOURLY = [NOON + n * HOUR for n in range(4)]
LONG_AFTER = NOON + 40 * HOUR


def run(hours: float, end: End = End.DONE, *, late: float = 1, reason: str = "") -> DueRun:
    """A run that counts for so many hours after noon and began `late` seconds after that."""
    at = NOON + hours * HOUR
    started = None if end is End.NOT_STARTED else at + timedelta(seconds=late)
    return DueRun(at, end, started, reason, f"run-{hours:g}")


def found(*runs: DueRun, now: datetime = LONG_AFTER, **limits: float | None) -> list[str]:
    said = outcomes(HOURLY, NOON + 4 * HOUR, runs, now, Limits(**limits))
    return [one.outcome.value for one in said]


def test_each_due_time_is_evaluated_by_its_own_run() -> None:
    assert found(*(run(n) for n in range(4))) == ["evaluated"] * 4


def test_without_a_run_it_is_missed() -> None:
    assert found(run(0), run(2), run(3)) == ["evaluated", "missed", "evaluated", "evaluated"]


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (End.FAILED, "failed"),
        (End.SKIPPED, "skipped"),
        (End.NOT_RECORDED, "unknown"),
        (End.UNDER_WAY, "waiting"),
        (End.NOT_STARTED, "missed"),
    ],
)
def test_a_run_that_evaluated_nothing_says_what_happened(end: End, outcome: str) -> None:
    there = [run(0), run(2), run(3)]
    assert found(*there, run(1, end)) == ["evaluated", outcome, "evaluated", "evaluated"]


def test_runs_by_hand_do_not_make_up_for_a_gap_elsewhere() -> None:
    by_hand = [run(0.1 * n) for n in range(1, 9)]
    assert found(run(0), *by_hand, run(3)) == ["evaluated", "missed", "missed", "evaluated"]


def test_a_retry_counts_for_the_due_time_before_it() -> None:
    assert found(run(0), run(1.4), run(2), run(3)) == ["evaluated"] * 4


def test_the_own_run_that_failed_is_not_hidden_by_one_by_hand() -> None:
    assert found(run(0, End.FAILED), run(0.5), *map(run, (1, 2, 3)))[0] == "failed"


def test_a_run_by_hand_answers_for_one_that_was_cancelled() -> None:
    assert found(run(0, End.SKIPPED), run(0.5), *map(run, (1, 2, 3)))[0] == "evaluated"


def test_a_late_run_is_an_evaluation_and_says_how_late() -> None:
    said = outcomes(HOURLY[:1], HOURLY[1], [run(0, late=121)], LONG_AFTER, Limits())
    assert [(one.outcome, one.late_seconds) for one in said] == [(Outcome.EVALUATED, 121)]
    for late, limit in ((120, 120.0), (3000, None)):
        limits = Limits(late_seconds=limit)
        [one] = outcomes(HOURLY[:1], HOURLY[1], [run(0, late=late)], LONG_AFTER, limits)
        assert one.late_seconds is None


def test_a_run_is_late_from_when_its_worker_meant_to_start_it() -> None:
    for late, said in ((720, None), (721, 121)):
        spread = replace(run(0, late=late), planned_at=NOON + 10 * MINUTE)
        [one] = outcomes(HOURLY[:1], HOURLY[1], [spread], LONG_AFTER, Limits())
        assert (one.outcome, one.late_seconds) == (Outcome.EVALUATED, said)


@pytest.mark.parametrize(
    ("grace", "after", "outcome"),
    [
        (None, HOUR + 89 * timedelta(seconds=1), "waiting"),
        (None, HOUR + 90 * timedelta(seconds=1), "missed"),
        (600.0, 10 * MINUTE - timedelta(seconds=1), "waiting"),
        (600.0, 10 * MINUTE, "missed"),
        (7200.0, 2 * HOUR - timedelta(seconds=1), "waiting"),
    ],
)
@pytest.mark.parametrize("runs", [[], [run(3, End.NOT_STARTED)]])
def test_nothing_is_missed_before_it_is_overdue(
    grace: float | None, after: timedelta, outcome: str, runs: list[DueRun]
) -> None:
    said = found(*map(run, (0, 1, 2)), *runs, now=HOURLY[3] + after, grace_seconds=grace)
    assert said[3] == outcome


def test_the_last_due_time_of_all_is_waited_for_a_day() -> None:
    for after, outcome in ((HOUR, Outcome.WAITING), (25 * HOUR, Outcome.MISSED)):
        [one] = outcomes([NOON], None, [], NOON + after, Limits())
        assert one.outcome is outcome
    [late] = outcomes([NOON], None, [run(30)], LONG_AFTER, Limits())
    assert late.outcome is Outcome.EVALUATED


def test_due_times_in_a_row_are_said_together() -> None:
    runs = [run(1, End.FAILED, reason="Crashed"), run(2, End.FAILED, reason="Failed")]
    said = outcomes(HOURLY, None, runs, LONG_AFTER + 100 * HOUR, Limits())
    assert list(stretches(said, Outcome.MISSED)) == [
        Stretch(HOURLY[0], HOURLY[0], 1, "no run"),
        Stretch(HOURLY[3], HOURLY[3], 1, "no run"),
    ]
    assert [one.reason for one in stretches(said, Outcome.FAILED)] == ["Crashed", "Failed"]
    none = outcomes(HOURLY, None, [], LONG_AFTER + 100 * HOUR, Limits())
    assert list(stretches(none, Outcome.MISSED)) == [Stretch(HOURLY[0], HOURLY[3], 4, "no run")]


@given(
    due=st.sets(st.integers(0, 50)),
    runs=st.lists(st.tuples(st.integers(0, 60), st.sampled_from(list(End)))),
    now=st.integers(0, 120),
)
def test_every_due_time_has_one_outcome_and_a_run_answers_one_at_most(
    due: set[int], runs: list[tuple[int, End]], now: int
) -> None:
    times = [NOON + n * HOUR for n in sorted(due)]
    made = [DueRun(NOON + n * HOUR, end, id=str(key)) for key, (n, end) in enumerate(runs)]
    said = outcomes(times, None, made, NOON + now * HOUR, Limits())
    assert [one.at for one in said] == times
    answers = [one.run_id for one in said if one.run_id]
    assert len(answers) == len(set(answers))
    done = {run.id for run in made if run.end is End.DONE}
    assert all(one.run_id in done for one in said if one.outcome is Outcome.EVALUATED)
