"""What a report counts in recorded histories, on both databases; and that it is owed once."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from sentinel_core.decide.watch import EndedRun, observe
from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.routing import Route
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import StateType
from sentinel_core.model.watched import Hook, HookKind
from sentinel_core.report.coverage import coverage
from sentinel_core.report.figures import EventStatus, Figures, RunOutcome, Window
from sentinel_core.report.query import enqueue_report, figures
from sentinel_core.report.tables import facts
from sentinel_core.store.outbox.claim import claim
from sentinel_core.store.outbox.settle import settle
from sentinel_core.store.record.acknowledge import acknowledge, unacknowledge
from sentinel_core.store.record.recording import record
from sentinel_core.store.record.resolve import resolve
from sentinel_core.store.state.rules import sync
from sentinel_core.store.state.watched import register, rule_of
from tests.support.runs import NOW, T0, a_rule, a_run, at, fired, quiet, rows, told

WINDOW = Window(T0, NOW)
RULE = a_rule(notify={"high": ["slack-incoming-webhook/x"]})


def counted(engine: Engine, window: Window = WINDOW) -> Figures:
    return figures(engine, window, NOW)


def happened(engine: Engine, rule: Any, *steps: tuple[float, list[AlertOutput] | str]) -> None:
    """Runs at these minutes: their outputs, or the state in which they ended without any."""
    for minute, what in steps:
        run = a_run(minute, what) if isinstance(what, str) else a_run(minute)
        told(engine, rule, run, None if isinstance(what, str) else what, now=at(minute + 0.1))


def test_an_empty_store_gives_a_report(engine: Engine) -> None:
    found = counted(engine)
    assert (found.event_count, found.rules, found.notifications, found.waiting) == (0, [], [], [])
    assert len(found.bars) == 24
    assert facts(found, "x")["sentence"].startswith("No event opened in 24 hours")


def test_one_event_is_counted_everywhere_once(engine: Engine) -> None:
    happened(engine, RULE, (0, [fired()]))
    found = counted(engine)
    [one] = found.events
    assert (one.rule, one.importance, one.state, one.prefect_state, one.count) == (
        "aapl-price-surge",
        "high",
        EventStatus.OPEN,
        "COMPLETED",
        1,
    )
    assert found.bars[0][1] == {"high": 1}
    assert sum(sum(bar.values()) for _, bar in found.bars) == 1
    assert [(one.id, one.ticker) for one in found.waiting] == [(1, "AAPL")]
    [message] = found.notifications
    assert (message.channel, message.status, message.count, message.rule_id) == (
        "slack-incoming-webhook/x",
        "pending",
        1,
        one.rule_id,
    )
    report = facts(found, "Daily report")
    assert report["sentence"] == (
        "1 event opened in 24 hours; 1 event that nobody has acknowledged; "
        "1 rule not evaluated each time it was due."
    )


@pytest.fixture
def history(engine: Engine) -> Iterator[Engine]:
    """Four events: one open, one acknowledged after 10 min and resolved after 30, one resolved by
    itself after 20, one ended by hand after 60 (which acknowledges it)."""
    happened(
        engine,
        RULE,
        (0, [fired("A"), fired("B"), fired("C"), fired("D")]),
        (20, [fired("A"), fired("B"), quiet("C"), fired("D")]),
        (30, [fired("A"), quiet("B"), quiet("C"), fired("D")]),
    )
    keys = {row["ticker"]: row["id"] for row in rows(engine, "alert_event")}
    acknowledge(engine, [keys["B"]], by="ann", now=at(10))
    resolve(engine, [keys["D"]], by="bob", now=at(60))
    yield engine


def test_means_are_worked_out_as_by_hand(history: Engine) -> None:
    found = counted(history)
    assert found.mean_to_acknowledge == pytest.approx((10 + 60) * 60 / 2, abs=0.01)
    assert found.mean_to_resolve == pytest.approx((30 + 20 + 60) * 60 / 3, abs=0.01)
    assert found.count_by("state") == {EventStatus.OPEN: 1, EventStatus.RESOLVED: 3}
    assert [one.ticker for one in found.waiting] == ["A"]


def test_an_acknowledgement_taken_back_is_none(history: Engine) -> None:
    unacknowledge(history, [2], by="ann", now=at(90))
    assert counted(history).mean_to_acknowledge == pytest.approx(3600, abs=0.01)


def test_an_acknowledgement_whose_time_is_up_is_none(engine: Engine) -> None:
    happened(engine, RULE, (0, [fired()]))
    acknowledge(engine, [1], by="ann", until=at(60), now=at(5))
    before = figures(engine, WINDOW, at(59))
    assert (before.count_by("state"), before.waiting) == ({EventStatus.ACKNOWLEDGED: 1}, [])
    after = figures(engine, WINDOW, at(61))
    assert (after.count_by("state"), after.waiting_count) == ({EventStatus.OPEN: 1}, 1)


def test_an_event_that_was_over_before_it_was_known_says_nothing_of_its_end(engine: Engine) -> None:
    happened(engine, RULE, (0, [quiet()]), (20, [quiet()]))
    told(engine, RULE, a_run(10), [fired()], now=at(30))  # recorded late
    found = counted(engine)
    assert found.event_count == 1
    assert found.mean_to_resolve is None


def test_only_what_opened_within_the_window_counts_and_whoever_waits_longer_is_named(
    engine: Engine,
) -> None:
    happened(engine, RULE, (0, [fired("A")]), (60, [fired("A"), fired("B")]))
    found = counted(engine, Window(at(60), at(120)))
    assert found.event_count == 1
    assert [one.ticker for one in found.waiting] == ["A", "B"]
    assert counted(engine, Window(at(0), at(60))).event_count == 1


def test_evaluations_are_runs_however_many_series_they_have(engine: Engine) -> None:
    happened(
        engine,
        RULE,
        (0, [quiet("A"), quiet("B"), quiet("C")]),
        (5, "FAILED"),
        (10, "CRASHED"),
        (15, "CANCELLED"),
        (20, []),
    )
    found = counted(engine)
    assert dict(found.outcomes()) == {
        RunOutcome.CHECKED: 2,
        RunOutcome.FAILED: 2,
        RunOutcome.NOT_CHECKED: 1,
    }
    assert {run.seconds for run in found.rules[0].runs} == {1.0}


def test_coverage_knows_the_schedule_and_what_ran(engine: Engine) -> None:
    sync(engine, [RULE], T0 - timedelta(days=1))
    happened(engine, RULE, *((n, [quiet()]) for n in range(0, 60, 5) if n not in (20, 25)))
    [rule] = counted(engine, Window(at(0), at(60))).rules
    found = coverage(rule, Window(at(0), at(60)))
    assert found is not None
    assert (found.due, found.done) == (12, 10)


def test_messages_are_counted_by_channel_and_by_what_became_of_them(engine: Engine) -> None:
    rule = a_rule(notify={"high": ["slack-incoming-webhook/x", "slack-incoming-webhook/y"]})
    keys = told(engine, rule, a_run(), [fired()], now=at(1)).notifications
    for key, status in zip(keys, ("sent", "failed"), strict=True):
        claim(engine, key, at(1))
        settle(engine, key, status=status, error=None, now=at(2), unknown=status == "failed")
    found = counted(engine)
    assert [
        (one.channel[-1], one.status, one.count, one.unknown) for one in found.notifications
    ] == [
        ("x", "sent", 1, 0),
        ("y", "failed", 1, 1),
    ]
    assert counted(engine, Window(at(5), NOW)).notifications == []


# -- owing ---------------------------------------------------------------------------------

TO = [
    Route(channel="slack-incoming-webhook/x"),
    Route(channel="email-server-credentials/mail", to=("a@example.org", "b@example.org")),
]


def test_a_report_is_owed_to_each_reader_once_however_often_it_is_made(engine: Engine) -> None:
    first = enqueue_report(engine, "report:daily:2026-11-02", {"title": "first"}, TO, NOW)
    again = enqueue_report(engine, "report:daily:2026-11-02", {"title": "again"}, TO, NOW)
    assert (len(first), again) == (2, [])
    assert {row["content"]["title"] for row in rows(engine, "notification")} == {"first"}
    assert len(enqueue_report(engine, "report:daily:2026-11-03", {}, TO, NOW)) == 2


def test_a_reader_who_is_added_gets_the_report_and_the_others_do_not_get_it_again(
    engine: Engine,
) -> None:
    enqueue_report(engine, "report:x", {}, TO[:1], NOW)
    assert len(enqueue_report(engine, "report:x", {}, [*TO, TO[0]], NOW)) == 1


def test_a_report_is_claimed_with_its_facts(engine: Engine) -> None:
    happened(engine, RULE, (0, [fired()]))
    made = facts(counted(engine), "Daily report")
    [key] = enqueue_report(engine, "report:x", made, TO[:1], NOW)
    owed = claim(engine, key, NOW)
    assert owed is not None
    assert owed.facts == made  # what is JSON comes back as it was


# -- watched flows -------------------------------------------------------------------------


def test_runs_of_watched_flows_are_no_evaluations_of_rules(engine: Engine) -> None:
    """A hook records a failed run as what it found; it does not check anything by a schedule."""
    watched = rule_of("etl", uuid4(), "nightly", RuleSettings())
    hook = Hook(kind=HookKind.FAILURE, ticker="failure", states=(StateType.FAILED,))
    register(engine, watched, hook, T0)
    run = a_run(5, "FAILED")
    seen = observe(hook, EndedRun("etl/nightly", run))
    assert seen is not None
    [opened] = record(engine, watched, run, [seen], now=at(6)).opened
    found = counted(engine)
    assert dict(found.outcomes()) == {}
    assert found.event_count == 1
    report = facts(found, "Daily report")
    assert "no rule was evaluated" in report["sentence"]
    assert dict(map(tuple, report["figures"]))["Evaluations"] == "0"
    noisiest = next(s for s in report["sections"] if s["title"] == "Noisiest rules")
    assert noisiest["rows"] == [["etl/nightly", 1, 0]]
    assert opened
