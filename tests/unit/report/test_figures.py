"""A report's figures, each worked out by hand beside it."""

from datetime import UTC, datetime, timedelta

import pytest

from sentinel_core.message.charts import report_chart, with_chart
from sentinel_core.model.run import Schedule
from sentinel_core.report.coverage import Coverage, coverage, covered
from sentinel_core.report.figures import (
    EventCount,
    EventStatus,
    Figures,
    NotificationCount,
    RuleRun,
    RuleRuns,
    RunOutcome,
    Unacknowledged,
    Window,
    edges,
    success_rate,
)
from sentinel_core.report.tables import facts, markdown

SINCE = datetime(2026, 11, 20, 7, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=1)
DAY = Window(SINCE, UNTIL)
FIVE = (Schedule(cron="*/5 * * * *"),)


def minute(number: float) -> datetime:
    return SINCE + timedelta(minutes=number)


def runs(
    *minutes: float, outcome: RunOutcome = RunOutcome.CHECKED, seconds: float = 1
) -> list[RuleRun]:
    return [RuleRun(minute(one), outcome, seconds) for one in minutes]


def rule(
    found: list[RuleRun], schedules: tuple[Schedule, ...] = FIVE, **more: datetime
) -> RuleRuns:
    return RuleRuns(1, "disk", found, schedules, **more)


# -- coverage ------------------------------------------------------------------------------


def test_a_rule_checked_each_five_minutes_was_due_288_times_a_day() -> None:
    assert coverage(rule(runs(*range(0, 1440, 5))), DAY) == Coverage("disk", 288, 288)


def test_an_hour_without_runs_is_twelve_due_times_missed() -> None:
    there = [n for n in range(0, 1440, 5) if not 600 <= n < 660]
    assert coverage(rule(runs(*there)), DAY) == Coverage("disk", 288, 276)


def test_runs_by_hand_do_not_make_up_for_a_gap_elsewhere() -> None:
    there = [n for n in range(0, 1440, 5) if n != 600]
    by_hand = [30 + n / 10 for n in range(40)]
    assert coverage(rule(runs(*there, *by_hand)), DAY) == Coverage("disk", 288, 287)


def test_a_run_that_was_retried_speaks_for_its_end_and_still_counts() -> None:
    there = [n for n in range(0, 1440, 5) if n != 600]
    assert coverage(rule(runs(*there, 603.2)), DAY) == Coverage("disk", 288, 288)


@pytest.mark.parametrize(
    ("outcome", "done"),
    [(RunOutcome.FAILED, 288), (RunOutcome.NOT_CHECKED, 287), (RunOutcome.CHECKED, 288)],
)
def test_a_failed_run_looked_and_a_cancelled_one_did_not(outcome: RunOutcome, done: int) -> None:
    there = runs(*(n for n in range(0, 1440, 5) if n != 600))
    found = coverage(rule([*there, *runs(600, outcome=outcome)]), DAY)
    assert found == Coverage("disk", 288, done)


def test_what_is_due_in_the_last_moments_may_still_be_running() -> None:
    minutely = (Schedule(cron="* * * * *"),)
    # 07:00 to 06:59 is 1,440 times; 06:59 is within the grace of 90 s
    assert coverage(rule([], minutely), DAY) == Coverage("disk", 1439, 0)
    # a run took ten minutes: nothing is asked for after 06:48:30
    slow = runs(0, seconds=600)
    assert coverage(rule(slow, minutely), DAY) == Coverage("disk", 1429, 1)


def test_due_times_count_from_when_the_schedule_was_changed() -> None:
    changed = minute(1380)
    found = coverage(rule(runs(1380, 1385), changed_at=changed), DAY)
    assert found == Coverage("disk", 12, 2)


@pytest.mark.parametrize("found", [[], runs(1438.5)])
def test_a_rule_that_was_deployed_just_now_was_not_due_yet(found: list[RuleRun]) -> None:
    new = rule(found, changed_at=minute(1438))
    assert coverage(new, DAY) == Coverage("disk", 0, 0)
    assert covered([new], DAY) == []


def test_a_rule_that_is_not_active_is_never_due() -> None:
    assert coverage(rule([], ()), DAY) is None


def test_the_due_times_of_two_schedules_count_once_each() -> None:
    both = (Schedule(cron="0 * * * *"), Schedule(cron="*/30 * * * *"))
    assert coverage(rule(runs(*range(0, 1440, 30)), both), DAY) == Coverage("disk", 48, 48)


def test_an_interval_goes_on_from_the_run_before() -> None:
    every = (Schedule(interval_seconds=600),)
    there = runs(*(4 + 10 * n for n in range(144)))
    found = coverage(rule(there, every, before=minute(-6)), DAY)
    assert found == Coverage("disk", 144, 144)
    silent = coverage(rule([], every, before=minute(-6)), DAY)
    assert silent == Coverage("disk", 144, 0)


def test_a_recurrence_rule_goes_on_from_the_run_before() -> None:
    hourly = (Schedule(rrule="FREQ=HOURLY"),)
    there = runs(*(60 * n for n in range(24) if n != 3))
    assert coverage(rule(there, hourly, before=minute(-60)), DAY) == Coverage("disk", 24, 23)


def test_the_day_the_clocks_go_back_has_no_due_time_in_the_hour_that_is_repeated() -> None:
    berlin = (Schedule(cron="0 * * * *", timezone="Europe/Berlin"),)
    since = datetime(2026, 10, 24, 22, tzinfo=UTC)  # midnight of the 25th
    until = datetime(2026, 10, 25, 23, tzinfo=UTC)
    found = [RuleRun(since + timedelta(hours=n), RunOutcome.CHECKED, 1) for n in range(25)]
    assert coverage(rule(found, berlin), Window(since, until)) == Coverage("disk", 24, 24)
    del found[4]  # 03:00; the hours of 02:00 are the third and fourth
    assert coverage(rule(found, berlin), Window(since, until)) == Coverage("disk", 24, 23)


def test_a_schedule_that_can_not_be_read_is_said_to_be_so() -> None:
    found = coverage(rule([], (Schedule(cron="whenever"),)), DAY)
    assert found is not None
    assert "can't be read" in found.why
    report = facts(Figures(DAY, rules=[rule([], (Schedule(cron="whenever"),))]), "x")
    assert section(report, "Rules evaluated less") == [["disk", found.why, "", ""]]


# -- evaluations ---------------------------------------------------------------------------


def test_the_success_rate_is_of_those_that_tried() -> None:
    rules = [
        rule(
            runs(*range(7))
            + runs(7, outcome=RunOutcome.FAILED)
            + runs(8, 9, outcome=RunOutcome.NOT_CHECKED)
        )
    ]
    outcomes = Figures(DAY, rules=rules).outcomes()
    assert success_rate(outcomes) == 7 / 8
    assert dict(outcomes) == {
        RunOutcome.CHECKED: 7,
        RunOutcome.FAILED: 1,
        RunOutcome.NOT_CHECKED: 2,
    }


def test_without_a_run_there_is_no_rate() -> None:
    assert success_rate(Figures(DAY).outcomes()) is None


def test_the_slowest_rule_is_that_of_the_slowest_median() -> None:
    quick = RuleRuns(
        1, "quick", [RuleRun(minute(n), RunOutcome.CHECKED, s) for n, s in enumerate((1, 1, 90))]
    )
    slow = RuleRuns(
        2, "slow", [RuleRun(minute(n), RunOutcome.FAILED, s) for n, s in enumerate((4, 2, 3, 5))]
    )
    never = RuleRuns(3, "never", [RuleRun(minute(0), RunOutcome.FAILED, None)])
    report = facts(Figures(DAY, rules=[quick, slow, never]), "x")
    assert section(report, "Slowest rules") == [["slow", 4, 3.5, 5], ["quick", 3, 1, 90]]


# -- means ---------------------------------------------------------------------------------


def test_means_are_of_all_events_alike_not_of_their_means() -> None:
    events = [
        EventCount(1, "a", "high", EventStatus.ACKNOWLEDGED, "COMPLETED", 3, 2, 120.0, 0, 0.0),
        EventCount(2, "b", "low", EventStatus.RESOLVED, None, 1, 1, 600.0, 1, 1800.0),
    ]
    found = Figures(DAY, events=events)
    assert found.mean_to_acknowledge == 240.0  # (120 + 600) / 3
    assert found.mean_to_resolve == 1800.0
    assert found.event_count == 4


def test_nothing_acknowledged_has_no_mean() -> None:
    assert Figures(DAY).mean_to_acknowledge is None
    assert Figures(DAY).mean_to_resolve is None


# -- the report ----------------------------------------------------------------------------


def figure(report: dict, name: str) -> str:  # type: ignore[type-arg]
    return dict(map(tuple, report["figures"]))[name]


def section(report: dict, title: str) -> list:  # type: ignore[type-arg]
    return next(one["rows"] for one in report["sections"] if one["title"].startswith(title))


def test_an_empty_store_gives_a_report_that_says_so() -> None:
    report = facts(Figures(DAY, bars=[(start, {}) for start, _ in edges(DAY)]), "Daily report")
    assert report["title"] == "Daily report · 2026-11-21 07:00 UTC"
    assert report["sentence"] == "No event opened in 24 hours; no rule was evaluated."
    assert report["sections"] == []
    assert figure(report, "Success rate") == "–"
    assert figure(report, "Coverage") == "nothing was due"
    assert figure(report, "Not acknowledged") == "none"
    assert "Events per hour" not in dict(map(tuple, report["figures"]))
    assert report_chart(report["bars"]) is None
    assert "No event opened" in markdown(report)


def test_a_share_that_is_not_whole_is_never_rounded_to_100_percent() -> None:
    found = runs(*range(9999), seconds=1) + runs(9999, outcome=RunOutcome.FAILED)
    assert figure(facts(Figures(DAY, rules=[rule(found, ())]), "x"), "Success rate") == "99.9 %"


def test_who_waits_is_listed_with_its_age_the_oldest_first() -> None:
    waiting = [Unacknowledged(7, "disk", "/", "high", UNTIL - timedelta(hours=30))]
    report = facts(Figures(DAY, waiting=waiting, waiting_count=12), "x")
    assert section(report, "Not acknowledged") == [["#7", "high", "disk", "/", "1 d 6 h"]]
    assert figure(report, "Not acknowledged") == "12, the oldest for 1 d 6 h"
    assert report["sections"][0]["title"] == "Not acknowledged (the oldest; 11 more)"


def test_noise_is_counted_in_events_and_in_messages_that_were_sent() -> None:
    events = [
        EventCount(1, "a", "high", EventStatus.OPEN, None, 2),
        EventCount(2, "b", "low", EventStatus.OPEN, None, 5),
    ]
    counts = [
        NotificationCount("slack/x", "sent", 9, 1),
        NotificationCount("slack/x", "failed", 4, 2, 1),
        NotificationCount("slack/y", "sent", 1, 1),
    ]
    report = facts(Figures(DAY, events=events, notifications=counts), "x")
    assert section(report, "Noisiest") == [["b", 5, 0], ["a", 2, 10]]
    assert section(report, "Notifications") == [
        ["slack/x", 9, 4, 0, 0, 1],
        ["slack/y", 1, 0, 0, 0, 0],
    ]
    assert figure(report, "Notifications") == (
        "10 sent, 4 failed, 1 attempt with an unknown outcome"
    )


def test_times_are_those_of_the_readers() -> None:
    window = Window(SINCE, UNTIL, "America/New_York")
    report = facts(
        Figures(window, bars=[(start, {"low": 1}) for start, _ in edges(window)]), "Daily"
    )
    assert report["title"] == "Daily · 2026-11-21 02:00 America/New_York"
    assert report["bars"]["since"][0] == "2026-11-20T02:00:00-05:00"


def test_a_day_has_24_bars_and_a_week_bars_of_four_hours() -> None:
    assert len(edges(DAY)) == 24
    week = Window(UNTIL - timedelta(days=7), UNTIL)
    assert len(edges(week)) == 42
    assert edges(week)[0] == (week.since, week.since + timedelta(hours=4))
    assert edges(week)[-1][1] == UNTIL


def test_the_chart_shows_more_red_the_more_critical_events_there_are() -> None:
    from io import BytesIO

    from PIL import Image

    from sentinel_core.message.phrases import colour

    def red(count: int) -> int:
        bars = [(start, {"critical": count, "low": 10 - count}) for start, _ in edges(DAY)]
        picture = with_chart(facts(Figures(DAY, bars=bars), "x"))["chart"]
        image = Image.open(BytesIO(picture)).convert("RGB")
        wanted = tuple(bytes.fromhex(colour("critical").removeprefix("#")))
        return sum(many for many, found in image.getcolors(1 << 20) or () if found == wanted)

    assert 0 < red(2) < red(8)


def test_nothing_in_a_report_is_markdown_but_what_was_made_here() -> None:
    waiting = [Unacknowledged(1, "a|b", "<img src=x>", "high", SINCE)]
    text = markdown(facts(Figures(DAY, waiting=waiting, waiting_count=1), "x"))
    assert "a\\|b" in text
    assert "<img" not in text.replace("\\<img", "")
