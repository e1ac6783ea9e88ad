"""What was due of a rule, over schedules as Prefect has them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule

from sentinel_core.decide.due import DueRun, End, Limits, Outcome
from sentinel_core.model.run import Schedule
from sentinel_core.report.account import Account, Known, Span, State, Subject, account
from tests.support.prefect_dates import Prefects, made_by_prefect

SINCE = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
UNTIL = SINCE + 6 * HOUR
SPAN = Span(SINCE, UNTIL, UNTIL + 2 * HOUR)
HOURLY = Schedule(cron="0 * * * *")


def subject(*schedules: Schedule, state: State = State.ACTIVE, **more: object) -> Subject:
    given = Subject(
        uuid4(), "disk", schedules, state, SPAN.since, Known.WHOLE, is_rule=True, limits=Limits()
    )
    return replace(given, **more)  # type: ignore[arg-type]


def done(*times: datetime) -> list[DueRun]:
    return [DueRun(at, End.DONE, at, id=str(number)) for number, at in enumerate(times)]


def hours(*numbers: float) -> list[datetime]:
    return [SINCE + number * HOUR for number in numbers]


def outcomes(found: Account) -> dict[str, int]:
    return {outcome.value: n for outcome in Outcome if (n := found.count(outcome))}


def test_what_is_due_at_the_beginning_counts_and_at_the_end_does_not() -> None:
    found = account(subject(HOURLY), done(*hours(*range(6))), SPAN)
    assert (found.due, outcomes(found), found.is_short) == (6, {"evaluated": 6}, False)
    assert found.next_due == SPAN.now + HOUR  # that of now itself is no longer ahead


def test_a_moment_at_which_two_schedules_are_due_counts_once() -> None:
    half_hourly = Schedule(cron="*/30 * * * *")
    found = account(subject(HOURLY, half_hourly), done(*hours(*range(6))), SPAN)
    assert outcomes(found) == {"evaluated": 6, "missed": 6}
    assert found.is_short


def test_nothing_was_due_before_it_was_deployed() -> None:
    late = subject(HOURLY, since=SINCE + 2.5 * HOUR, known=Known.DEPLOYED)
    found = account(late, done(*hours(0.2, 3, 4, 5)), SPAN)
    assert (found.due, found.before, found.is_short) == (3, 1, False)
    after = account(subject(HOURLY, since=UNTIL + HOUR, known=Known.DEPLOYED), [], SPAN)
    assert (after.due, after.since, after.is_short) == (0, UNTIL, False)


def test_in_its_first_minute_the_scheduler_may_have_made_no_run() -> None:
    minutely = Schedule(cron="* * * * *")
    minute = HOUR / 60
    for known, count in ((Known.DEPLOYED, 9), (Known.CHANGED, 9), (Known.RECORDED, 10)):
        new = subject(minutely, since=UNTIL - 10 * minute, known=known)
        assert account(new, [], SPAN).count(Outcome.MISSED) == count
    new = subject(minutely, since=UNTIL - 10 * minute, known=Known.DEPLOYED)
    made = [DueRun(new.since, End.NOT_STARTED, id="made")]
    assert account(new, made, SPAN).count(Outcome.MISSED) == 10


def test_a_run_that_never_started_was_due_whatever_the_schedule_was_then() -> None:
    left = [DueRun(at, End.NOT_STARTED) for at in hours(-1, 0.5, 2.2)]
    changed = subject(HOURLY, since=SINCE + 4 * HOUR, known=Known.CHANGED)
    found = account(changed, [*left, *done(*hours(4, 5))], SPAN)
    assert found.times(Outcome.MISSED) == hours(0.5, 2.2)
    assert (found.due, found.is_short) == (4, True)
    paused = account(replace(changed, state=State.PAUSED, since=SINCE + 3.5 * HOUR), left, SPAN)
    assert outcomes(paused) == {"missed": 2, "paused": 2}


def test_what_was_not_run_while_paused_was_not_due() -> None:
    found = account(subject(HOURLY, state=State.PAUSED), done(*hours(0, 1)), SPAN)
    assert (found.due, outcomes(found)) == (2, {"evaluated": 2, "paused": 4})
    assert (found.is_short, found.next_due) == (False, None)


def test_without_a_schedule_nothing_is_due() -> None:
    found = account(subject(state=State.UNSCHEDULED), done(*hours(0, 5.5)), SPAN)
    assert (found.due, found.before, found.is_short) == (0, 2, False)


def test_a_schedule_that_can_not_be_read_is_never_taken_for_nothing_due() -> None:
    found = account(subject(Schedule(cron="whenever")), [], SPAN)
    assert (found.state, found.due, found.is_short) == (State.UNREADABLE, 0, True)
    assert found.problem


# -- a year of Prefect's scheduler ---------------------------------------------------------

ZONES = ["America/New_York", "Europe/London", "Australia/Sydney", "Australia/Lord_Howe"]
YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def clock_changes(zone: str) -> list[datetime]:
    """The days of the year on which the clocks of a zone change."""
    days = [YEAR + timedelta(days=day) for day in range(366)]
    offsets = [day.astimezone(ZoneInfo(zone)).utcoffset() for day in days]
    return [
        day
        for day, (before, after) in zip(days, pairwise(offsets), strict=False)
        if before != after
    ]


spread = st.sampled_from

CRONS = st.builds(
    "{} {} {} * {}".format,
    spread(["0", "30", "*/20", "7,37"]),
    spread(["2", "1-3", "*/3", "0,22", "*"]),
    spread(["*", "1-7", "*/2", "15", "L"]),
    spread(["*", "1", "1-5"]),
)
RRULES = spread(
    [
        "FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=2;BYHOUR=1,2,3;BYMINUTE=0,30",
        "FREQ=WEEKLY;BYDAY=SU,MO;BYHOUR=2;BYMINUTE=15",
        "FREQ=MONTHLY;BYMONTHDAY=-1",
        "FREQ=HOURLY",
        "FREQ=HOURLY;INTERVAL=5",
    ]
)


@st.composite
def schedules(draw: st.DrawFn, zone: str) -> tuple[Schedule, Prefects]:
    """A schedule of any kind as Sentinel keeps it, and as Prefect's scheduler has it."""
    kind = draw(spread(["cron", "interval", "rrule"]))
    if kind == "cron":
        cron, day_or = draw(CRONS), draw(st.booleans())
        made = CronSchedule(cron=cron, timezone=zone, day_or=day_or)
        return Schedule(cron=cron, timezone=zone, day_or=day_or), made
    if kind == "interval":
        seconds = draw(st.sampled_from([1800, 3600, 5400, 21_600, 86_400, 604_800]))
        anchor = YEAR + timedelta(minutes=draw(st.integers(-10_000, 10_000)))
        every = timedelta(seconds=seconds)
        interval = IntervalSchedule(interval=every, anchor_date=anchor, timezone=zone)
        kept = Schedule(interval_seconds=seconds, timezone=zone, anchor=anchor.isoformat())
        return kept, interval
    rrule = draw(RRULES)
    return Schedule(rrule=rrule, timezone=zone), RRuleSchedule(rrule=rrule, timezone=zone)


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=8, phases=[Phase.generate])  # shrinking takes minutes
@given(data=st.data())
def test_over_a_year_exactly_the_runs_that_prefect_makes_are_due(
    zone: str, data: st.DataObject
) -> None:
    """Frequent schedules over the days around both changes of the clocks, others over the year."""
    kept, prefects = data.draw(schedules(zone))
    frequent = (kept.cron or "").split()[1:2] == ["*"] or (kept.interval_seconds or 1e9) < 21_600
    frequent |= (kept.rrule or "").startswith("FREQ=HOURLY")
    spans = [(YEAR, YEAR + timedelta(days=365))]
    if frequent:
        days = timedelta(days=3)
        spans = [(day - days, day + days) for day in clock_changes(zone)]
        assert len(spans) == 2
    for since, until in spans:
        runs = done(*made_by_prefect(prefects, since, until))
        looked = Span(since + timedelta(seconds=1), until, until + timedelta(days=60))
        every = account(subject(kept, since=looked.since), runs, looked)
        assert every.count(Outcome.EVALUATED) == every.due
        due, made = [one.at for one in every.due_times], [run.at for run in runs]
        if (kept.interval_seconds or 0) >= 86_400:
            # After a change of clocks Prefect makes some of these runs twice, an hour apart.
            assert set(due) <= set(made)
            assert len(made) - len(due) <= 4
            continue
        assert due == made
        if runs:
            lost = data.draw(st.sampled_from(runs))
            rest = [run for run in runs if run is not lost]
            gap = account(subject(kept, since=looked.since), rest, looked)
            assert gap.times(Outcome.MISSED) == [lost.at]
