"""Runs that start long after they were due. Due at nine, times are minutes after."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from sentinel_core.decide.misfire import late_mark, lateness, skipped
from sentinel_core.model.rule import Policy, Stale
from sentinel_core.model.run import Schedule
from sentinel_core.prefect_io.due import next_due
from tests.support.runs import a_run, at

EVERY_FIVE = (Schedule(cron="*/5 * * * *"),)
DAILY = (Schedule(cron="0 9 * * *"),)
ONCE, SKIP, MARK = (
    Policy(on_stale=stale, stale_seconds=900) for stale in (Stale.ONCE, Stale.SKIP, Stale.MARK)
)


@pytest.mark.parametrize(
    ("seconds", "late"), [(-60, False), (0, False), (120, False), (120.001, True), (9_000, True)]
)
def test_more_than_two_minutes_is_late_unless_the_policy_says_otherwise(
    seconds: float, late: bool
) -> None:
    found = lateness(Policy(), at(0), at(0) + timedelta(seconds=seconds))
    assert found == (timedelta(seconds=seconds) if late else None)


def test_what_is_late_is_the_policys_to_say() -> None:
    assert lateness(Policy(stale_seconds=30), at(0), at(0.6)) == timedelta(seconds=36)
    assert lateness(Policy(stale_seconds=None), at(0), at(100_000)) is None


def test_a_run_is_late_from_when_its_worker_meant_to_start_it() -> None:
    following = partial(next_due, EVERY_FIVE)
    for started, why in ((29, None), (31, "Not checked: the run started 16 min late.")):
        assert skipped(SKIP, at(0), at(started), following, at(15)) == why
    assert skipped(ONCE, at(0), at(29), following, at(15)) is None
    run = replace(a_run(0), planned_start=at(15), started_at=at(31))
    assert late_mark(MARK, run) == " (detected 16 min late)"
    assert late_mark(MARK, replace(run, started_at=at(29))) == ""


LATER = "and a later one is due as well."
CASES: dict[str, tuple[Policy, tuple[Schedule, ...], float, str | None]] = {
    "a run in time is evaluated": (SKIP, EVERY_FIVE, 15, None),
    "a late one is skipped when a later one is due as well": (
        ONCE,
        EVERY_FIVE,
        30,
        f"Not checked: the run started 30 min late, {LATER}",
    ),
    "also when that is due this very moment": (
        ONCE,
        (Schedule(cron="20 * * * *"),),
        20,
        f"Not checked: the run started 20 min late, {LATER}",
    ),
    "and evaluated when it is the newest": (ONCE, DAILY, 600, None),
    "the day after it is not": (
        ONCE,
        DAILY,
        1440,
        f"Not checked: the run started 1 d late, {LATER}",
    ),
    "without a schedule nothing later is due": (ONCE, (), 600, None),
    "a schedule nobody can read says nothing of later runs": (
        ONCE,
        (Schedule(cron="when the moon is full"),),
        600,
        None,
    ),
    "nor does one in a zone there is not": (
        ONCE,
        (Schedule(cron="*/5 * * * *", timezone="Mars/Olympus"),),
        600,
        None,
    ),
    "nor a rule that is none": (ONCE, (Schedule(rrule="FREQ=NEVER"),), 600, None),
    "of a schedule that is due on first Mondays alone, a later one is five weeks away": (
        ONCE,
        (Schedule(cron="0 9 1-7 * 1", day_or=False),),
        25 * 60,
        None,
    ),
    "the earliest of several schedules counts": (
        ONCE,
        (*DAILY, *EVERY_FIVE),
        30,
        f"Not checked: the run started 30 min late, {LATER}",
    ),
    "an interval is a schedule as well": (
        ONCE,
        (Schedule(interval_seconds=600),),
        30,
        f"Not checked: the run started 30 min late, {LATER}",
    ),
    "a policy may skip whatever is late": (
        SKIP,
        DAILY,
        30.5,
        "Not checked: the run started 30 min 30 s late.",
    ),
    "or evaluate it and say how late": (MARK, EVERY_FIVE, 600, None),
    "or take nothing for late": (
        Policy(on_stale=Stale.SKIP, stale_seconds=None),
        EVERY_FIVE,
        600,
        None,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_skipped(case: str) -> None:
    policy, schedules, minute, expected = CASES[case]
    following = partial(next_due, schedules)
    assert skipped(policy, at(0), at(minute), following) == expected


def test_of_a_backlog_only_the_newest_is_evaluated() -> None:
    due = [at(5 * n) for n in range(13)]
    following = partial(next_due, EVERY_FIVE)
    evaluated = [d for d in due if skipped(ONCE, d, at(62), following) is None]
    assert evaluated == [at(50), at(55), at(60)]  # those not late at all, the newest included


def started(minute: float, **more: object) -> object:
    return replace(a_run(0), started_at=at(minute), **more)  # type: ignore[arg-type]


MARKS: dict[str, tuple[object, Policy, str]] = {
    "a run in time has no mark": (started(15), MARK, ""),
    "a late one says how late": (started(40), MARK, " (detected 40 min late)"),
    "seconds are rounded": (started(20 + 0.4 / 60), MARK, " (detected 20 min late)"),
    "also one that is the newest of its backlog": (started(40), ONCE, " (detected 40 min late)"),
    "one that never started has none": (replace(a_run(0), started_at=None), MARK, ""),
    "one that was started once more speaks for then": (started(40, run_count=2), MARK, ""),
    "one of a policy that takes nothing for late": (
        started(40),
        Policy(on_stale=Stale.MARK, stale_seconds=None),
        "",
    ),
}


@pytest.mark.parametrize("case", MARKS)
def test_mark(case: str) -> None:
    run, policy, expected = MARKS[case]
    assert late_mark(policy, run) == expected  # type: ignore[arg-type]
