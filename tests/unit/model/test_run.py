"""The time that a run counts for."""

from dataclasses import replace
from datetime import timedelta

from tests.support.runs import a_run, at


def test_a_run_counts_for_when_it_was_due_however_late_it_ended() -> None:
    assert a_run(5).at == at(5)
    assert a_run(5, ended=45).at == at(5)


def test_a_retry_counts_for_when_it_ended() -> None:
    assert a_run(5, run_count=2, ended=45).at == at(45)


def test_a_run_that_ended_before_it_was_due_counts_for_its_end() -> None:
    cancelled = replace(a_run(30, "CANCELLED", ended=10), started_at=None)
    assert cancelled.at == at(10)
    assert replace(cancelled, state_at=at(30) + timedelta(seconds=1)).at == at(30)
