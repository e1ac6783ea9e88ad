"""How often the worker asks Prefect for runs, by what it knew of the last answer."""

import pytest

from sentinel_core.worker.pace import SECONDS_FOR_EACH, Pace

QUERY, PREFETCH = 2.0, 10.0
LONGEST = PREFETCH - 2 * QUERY
NOW = 1_000.0


def after(known: int, *, limited: bool = False) -> Pace:
    pace = Pace(QUERY, PREFETCH)
    pace.answered(NOW, known, limited=limited)
    return pace


def test_before_the_first_answer_it_asks() -> None:
    assert Pace(QUERY, PREFETCH).is_time(NOW)


@pytest.mark.parametrize("known", [0, 1, 33])
def test_few_known_runs_leave_the_interval_as_it_is(known: int) -> None:
    assert after(known).is_time(NOW)


def test_each_known_run_makes_it_wait_longer() -> None:
    pace = after(50)
    assert not pace.is_time(NOW + 50 * SECONDS_FOR_EACH - 0.01)
    assert pace.is_time(NOW + 50 * SECONDS_FOR_EACH)


def test_runs_are_known_before_they_are_due_however_many_there_are() -> None:
    pace = after(100_000)
    assert not pace.is_time(NOW + LONGEST - 0.01)
    assert pace.is_time(NOW + LONGEST)
    # Prefect's loop comes round again within 1.3 times the interval.
    assert LONGEST + 1.3 * QUERY < PREFETCH


def test_where_slots_decide_what_is_listed_it_always_asks() -> None:
    assert after(500, limited=True).is_time(NOW)


def test_an_answer_without_known_runs_ends_the_pause() -> None:
    pace = after(500)
    pace.answered(NOW + LONGEST, 0, limited=False)
    assert pace.is_time(NOW + LONGEST)


@pytest.mark.parametrize("prefetch", [0.0, 2.0, 5.9])
def test_whoever_fetches_hardly_ahead_is_asked_as_often_as_ever(prefetch: float) -> None:
    pace = Pace(QUERY, prefetch)
    pace.answered(NOW, 500, limited=False)
    assert pace.is_time(NOW)
