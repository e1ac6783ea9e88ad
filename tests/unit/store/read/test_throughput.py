"""Figures about the checking, on both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sentinel_core.store.read import throughput
from sentinel_core.store.read.throughput import Endings, endings, figures
from tests.support.recorded import NOON, a_rule, a_run, calm, fire, observe

MINUTE = timedelta(minutes=1)
CHANNEL = {"high": ["slack-incoming-webhook/ops"]}


def test_of_an_empty_store_nothing_is_made_up(engine: Engine) -> None:
    found = figures(engine, NOON)
    assert found.throughput == throughput.Throughput(60, 0, 0, 0, None, None)
    assert (found.throughput.per_minute, found.throughput.error_rate) == (0, None)
    assert (found.backlog.due, found.backlog.oldest, found.kept, found.active) == (0, None, 0, 0)


def test_runs_of_the_window_and_their_failures(engine: Engine) -> None:
    rule, feed = a_rule("disk"), a_rule("feed")
    calm(engine, rule, NOON - 90 * MINUTE)
    for n in range(3):
        calm(engine, rule, NOON - (n + 1) * MINUTE)
    observe(engine, feed, a_run(NOON - 2 * MINUTE, "FAILED"))
    found = figures(engine, NOON)
    assert (found.throughput.runs, found.throughput.failed) == (4, 1)
    assert found.throughput.error_rate == 0.25
    assert found.throughput.per_minute == found.throughput.evaluations / 60
    assert found.unmeasured == ("feed",)


def test_lateness_is_from_due_until_start(engine: Engine) -> None:
    rule = a_rule("disk")
    for n, late in enumerate((0, 1, 2, 3, 4)):
        due = NOON - (10 - n) * MINUTE
        run = replace(a_run(due), started_at=due + timedelta(seconds=late))
        observe(engine, rule, run)
    found = figures(engine, NOON).throughput
    assert (found.lateness_p50, found.lateness_p95) == (2.0, pytest.approx(3.8))


def test_a_planned_offset_is_no_lateness(engine: Engine) -> None:
    due = NOON - 20 * MINUTE
    planned = due + 10 * MINUTE
    run = replace(a_run(due), planned_start=planned, started_at=planned + timedelta(seconds=3))
    observe(engine, a_rule("disk"), run)
    found = figures(engine, NOON).throughput
    assert (found.lateness_p50, found.lateness_p95) == (3.0, 3.0)


def test_the_newest_evaluations_stand_for_a_busy_window(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throughput, "MOST_ROWS", 3)
    rule = a_rule("disk")
    for n in range(6):
        calm(engine, rule, NOON - (6 - n) * MINUTE)
    found = figures(engine, NOON).throughput
    assert (found.cut, found.evaluations) == (True, 3)
    assert 2 < found.minutes < 3


def test_notifications_that_are_due_are_the_backlog(engine: Engine) -> None:
    fire(engine, a_rule("disk", notify=CHANNEL), NOON)
    backlog = figures(engine, NOON + 10 * MINUTE).backlog
    assert backlog.due == 1
    assert backlog.oldest is not None
    assert backlog.oldest <= NOON + MINUTE


def test_how_runs_ended_is_told_for_the_window_alone(engine: Engine) -> None:
    rule, feed = a_rule("disk"), a_rule("feed")
    calm(engine, rule, NOON - 90 * MINUTE)
    calm(engine, rule, NOON - 20 * MINUTE)
    observe(engine, feed, a_run(NOON - 10 * MINUTE, "FAILED"))
    calm(engine, rule, NOON)  # has not ended yet
    assert endings(engine, NOON) == Endings(2, 1, 60)
    assert endings(engine, NOON, 15 * MINUTE) == Endings(1, 1, 15)
