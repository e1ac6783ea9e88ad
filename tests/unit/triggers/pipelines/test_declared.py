"""The three kinds of SLA, computed by hand: no run, one, exactly the limit, gaps that ended."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from sentinel_core.model.sla import Sla
from triggers.pipelines.declared import Runs, judge
from triggers.pipelines.ended_run import EndedRun, Ending
from triggers.pipelines.starts import Start

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DONE, FAILED, CANCELLED = Ending.COMPLETED, Ending.FAILED, Ending.CANCELLED


def ended(hours_ago: float, seconds: float = 60, ending: Ending = DONE) -> EndedRun:
    at = NOON - hours_ago * HOUR
    start = at - timedelta(seconds=seconds)
    return EndedRun(UUID(int=1), "r", ending, ending.value, "", at, at, start, seconds)


def start(due_minutes_ago: float, started_minutes_ago: float | None = None) -> Start:
    started = None
    if started_minutes_ago is not None:
        started = NOON - timedelta(minutes=started_minutes_ago)
    return Start(UUID(int=2), "s", NOON - timedelta(minutes=due_minutes_ago), started)


@pytest.mark.parametrize(
    ("runs", "previous", "running", "kept", "seconds"),
    [
        ([], None, [], True, 0),
        ([ended(1, 100)], None, [], True, 100),
        ([ended(1, 101)], None, [], False, 101),
        ([ended(1, 101, FAILED)], None, [], False, 101),
        ([ended(1, 101, CANCELLED)], None, [], True, 0),
        ([ended(2, 101), ended(1, 5)], None, [], True, 5),
        ([ended(2, 101), ended(1, 5)], NOON - 3 * HOUR, [], False, 101),
        ([ended(2, 101), ended(1, 5)], NOON - 2 * HOUR, [], True, 5),
        ([ended(1, 5)], None, [start(2, 2)], False, 120),
        ([ended(1, 5)], None, [start(60, 1)], True, 60),
    ],
)
def test_time_to_completion(runs, previous, running, kept, seconds):
    sla = Sla(name="a", duration=100)
    judged = judge(sla, Runs(NOON, LONG_AGO, previous, ended=runs, running=running))
    assert (judged.kept, judged.seconds) == (kept, seconds)


@pytest.mark.parametrize(
    ("starts", "kept", "seconds"),
    [
        ([], True, 0),
        ([start(10)], True, 600),
        ([start(10.1)], False, 606),
        ([start(60, 50)], True, 600),
        ([start(60, 49)], False, 660),
        ([start(60, 61)], True, 0),
        ([start(60, 60), start(11)], False, 660),
    ],
)
def test_lateness(starts, kept, seconds):
    judged = judge(Sla(name="a", within=600), Runs(NOON, LONG_AGO, starts=starts))
    assert (judged.kept, judged.seconds) == (kept, seconds)


@pytest.mark.parametrize(
    ("runs", "since", "previous", "kept", "hours"),
    [
        ([], NOON - 2 * HOUR, None, True, 2),
        ([], NOON - 2.1 * HOUR, None, False, 2.1),
        ([ended(2)], LONG_AGO, None, True, 2),
        ([ended(3)], LONG_AGO, None, False, 3),
        ([ended(4), ended(1)], LONG_AGO, None, True, 1),
        ([ended(4), ended(1)], LONG_AGO, NOON - 1.5 * HOUR, False, 3),
        ([ended(4), ended(1)], LONG_AGO, NOON - HOUR, True, 1),
        ([ended(3), ended(1)], LONG_AGO, NOON - 1.5 * HOUR, True, 1),
        ([ended(9), ended(4)], LONG_AGO, NOON - 5 * HOUR, False, 5),
    ],
)
def test_frequency(runs, since, previous, kept, hours):
    judged = judge(Sla(name="a", stale_after=7200), Runs(NOON, since, previous, completed=runs))
    assert (judged.kept, judged.seconds) == (kept, pytest.approx(hours * 3600))
