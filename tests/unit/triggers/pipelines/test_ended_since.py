"""Which runs belong to an evaluation, and how it says that it did not look at all of them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from sentinel_core import AlertOutput
from sentinel_core.model.trigger import PastEvaluation
from triggers.pipelines.ended_run import EndedRun, Ending
from triggers.pipelines.ended_since import (
    EndedSince,
    checked_until,
    follow_ups,
    new_runs,
    reported_since,
)
from triggers.pipelines.reading import Slice, WatchError, readable_overlap, readable_slice
from triggers.pipelines.selection import Pipeline, Selection

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def past(ticker: str, **metrics: float) -> PastEvaluation:
    return PastEvaluation(NOON, ticker, False, metrics)


def test_the_next_evaluation_goes_on_where_the_last_one_ended():
    assert checked_until([]) is None
    assert checked_until([past("", value=1)]) is None
    later = (NOON + MINUTE).timestamp()
    marks = [past("a", checked_until=NOON.timestamp()), past("", checked_until=later), past("b")]
    assert checked_until(marks) == NOON + MINUTE


def test_an_event_whose_newest_run_had_completed_is_ended_by_the_next_evaluation():
    evaluations = [
        past("still/failing", value=1, newest_failed=1),
        past("was/failing", value=2, newest_failed=0),
        past("was/failing", value=1, newest_failed=1),
        past("ran/again", value=1, newest_failed=0),
        past("fine/always", value=0, newest_failed=0),
        past("ended/before", value=0, newest_failed=0),
        past("ended/before", value=1, newest_failed=0),
    ]
    [output] = follow_ups(evaluations, {"ran/again"}, NOON, newest="newest_failed", text="it ran")
    assert output.metrics == {"value": 0, "newest_failed": 0, "checked_until": NOON.timestamp()}
    assert (output.ticker, output.triggered) == ("was/failing", False)


@pytest.mark.parametrize(
    ("total", "until", "left"), [(0, 64, 0), (10, 64, 0), (20, 32, 10), (80, 8, 70)]
)
def test_the_longest_period_that_can_be_read_whole(total, until, left):
    def count(end: datetime) -> int:  # evenly spread over 64 minutes
        return int(total * ((end - NOON) / (64 * MINUTE)))

    found = readable_slice(count, NOON, NOON + 64 * MINUTE, most=10)
    assert found == Slice(NOON + until * MINUTE, left)


def test_more_runs_in_a_moment_than_can_be_read_are_an_error():
    with pytest.raises(WatchError, match="narrow the filter"):
        readable_slice(lambda _: 11, NOON, NOON + MINUTE, most=10)


ONE = Pipeline(uuid4(), uuid4(), "etl", "nightly")


def test_an_evaluation_that_left_runs_says_so_and_where_the_next_one_begins():
    series = EndedSince((ONE,), {}, NOON, NOON + MINUTE, left=7).own_series()
    assert [(one.ticker, one.problem) for one in series] == [("", "no_data"), ("(checked)", None)]
    assert "about 7 runs" in series[0].message
    assert series[1].metrics["checked_until"] == (NOON + MINUTE).timestamp()


def test_a_filter_that_matches_nothing_leaves_the_time_to_the_next_evaluation():
    problem = Selection(flows=["gone"]).select([ONE]).problem
    [only] = EndedSince((), {}, NOON, NOON + MINUTE, problem=problem).own_series()
    assert only.problem == "no_data"
    assert "checked_until" not in only.metrics


def test_an_evaluation_of_everything_has_one_series_of_its_own():
    [only] = EndedSince((ONE,), {}, NOON, NOON + MINUTE).own_series()
    assert (only.ticker, only.problem, only.triggered) == ("", None, False)


@pytest.mark.parametrize(("a_minute", "minutes"), [(0, 16), (1, 8), (4, 2), (1_000, 1 / 64)])
def test_a_crowded_overlap_is_shortened_rather_than_in_the_way(a_minute, minutes):
    def count(overlap: timedelta) -> int:
        return int(a_minute * (overlap / MINUTE))

    assert readable_overlap(count, 16 * MINUTE, most=10) == minutes * MINUTE


def run(number: int, minute: float, known: float | None = None, **more: Any) -> EndedRun:
    end, written = NOON + minute * MINUTE, NOON + (known or minute) * MINUTE
    given = {
        "first_end": end,
        "ending": Ending.FAILED,
        "ended_at": end,
        "known_at": written,
        **more,
    }
    return EndedRun(UUID(int=number), f"run-{number}", state_name="", message="", **given)


EDITED = run(1, -10, known=2)  # it ended ten minutes before, and was given a tag just now


@pytest.mark.parametrize(
    ("read", "reported", "found"),
    [
        ([run(1, 2), run(2, -1)], [], [(1, False)]),
        ([EDITED], [], [(1, False)]),  # as a server wrote it whose clock is slow
        ([EDITED], [run(1, -10)], []),
        ([EDITED, run(2, -5)], [], [(1, True)]),
        ([EDITED, run(2, -12)], [], [(1, False)]),
        ([EDITED, run(2, -5, ending=Ending.CANCELLED)], [], [(1, False)]),
        ([EDITED, run(2, -5)], [run(1, -10)], []),
        ([EDITED], [run(1, -10, retries=1)], [(1, False)]),  # somebody ran it again
        ([EDITED], [run(1, -10, ending=Ending.CRASHED)], [(1, False)]),
        ([run(1, 2, first_end=NOON - 10 * MINUTE)], [run(1, -10)], []),  # the same state again
    ],
)
def test_a_run_that_is_edited_is_not_counted_again(read, reported, found):
    marks = {one.mark for one in reported}
    runs = new_runs({"etl/nightly": read}, NOON, lambda: marks)
    assert [(one.id.int, one.late) for one in runs.get("etl/nightly", [])] == found


def test_what_was_reported_is_asked_for_only_where_a_run_comes_late():
    def asked() -> set[str]:
        raise AssertionError("asked")

    assert new_runs({"a": [run(1, 1)], "b": [run(2, -1)]}, NOON, asked) == {"a": [run(1, 1)]}
    with pytest.raises(AssertionError, match="asked"):
        new_runs({"a": [EDITED]}, NOON, asked)


def test_a_late_run_that_is_fine_says_nothing_about_how_things_are():
    looked = {"a": [run(1, -10, late=True, ending=Ending.COMPLETED)], "b": [run(2, 1)]}
    ended = EndedSince((ONE,), looked, NOON, NOON + MINUTE)
    series = ("a", "b", "without runs")
    fine = [AlertOutput(triggered=False, ticker=name, message="fine") for name in series]
    found = ended.outputs(fine, reported=(), newest="newest_failed", text="")
    assert [one.ticker for one in found] == ["", "b", "without runs"]


def test_reported_runs_are_remembered_as_long_as_they_may_come_again():
    reported = [run(1, 1), run(2, 1)]
    [own] = EndedSince((ONE,), {}, NOON, NOON + MINUTE).own_series(reported)

    class Past:
        def latest(self, limit: int, ticker: str | None = None) -> list[PastEvaluation]:
            one = PastEvaluation(NOON, "", False, own.metrics, own.metadata)
            return [one] if ticker == "" else []

    assert reported_since(Past(), NOON) == {one.mark for one in reported}
    assert reported_since(Past(), NOON + MINUTE) == set()
