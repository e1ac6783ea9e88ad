"""A rule's lifecycle in memory: events, messages and steps of runs fed one after another."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from sentinel_core.decide.observe import Kind, Observation, judge
from sentinel_core.decide.snooze import Limits
from sentinel_core.decide.state import Series, Status
from sentinel_core.model.alert import AlertOutput, Importance
from sentinel_core.model.reasons import NotifyReason
from sentinel_core.model.rule import Inhibition, RuleSettings
from sentinel_core.model.silence import Inhibitor, Matchers, Silence
from sentinel_core.replay.actions import acknowledge, resolve, unacknowledge
from sentinel_core.replay.ledger import MemoryLedger
from sentinel_core.replay.timeline import Event, Notification
from tests.support.histories import firing
from tests.support.runs import ROUTES, a_run, at, fired, quiet

LOW, MEDIUM, HIGH, CRITICAL = Importance
ALERT, FAILURE, ERROR, NO_DATA = Kind.ALERT, Kind.FAILURE, Kind.ERROR, Kind.NO_DATA


def simulation(
    *,
    conditions: Sequence[dict[str, Any]] = (),
    tags: Sequence[str] = (),
    silences: Sequence[Silence] = (),
    inhibitors: Any = None,
    **policy: Any,
) -> MemoryLedger:
    settings = RuleSettings.model_validate(
        {
            "importance": "high",
            "category": "Market",
            "notify": ROUTES,
            "conditions": conditions,
            "policy": {"flapping": None, **policy},
        }
    )
    return MemoryLedger(
        "surge",
        settings,
        tags=tags,
        silences=silences,
        inhibitors=inhibitors,
        keep_evaluations=True,
    )


def run(
    sim: MemoryLedger,
    minute: float,
    *outputs: AlertOutput,
    state: str = "COMPLETED",
    name: str | None = None,
    now: datetime | None = None,
) -> None:
    """One run of the rule, judged as the hook does."""
    facts = a_run(minute, state, name=name)
    sim.run(judge(facts, sim.settings, list(outputs)), now)


def runs(sim: MemoryLedger, ticker_states: str, ticker: str = "AAPL", start: float = 0) -> None:
    """A run a minute: `1` triggered, `0` not, `x` failed, `e` an error, `n` no data, `.` none."""
    for minute, sign in enumerate(ticker_states):
        when = start + minute
        if sign == "x":
            run(sim, when, state="FAILED")
        elif sign in "en":
            problem: Any = "error" if sign == "e" else "no_data"
            run(sim, when, quiet(ticker, problem=problem))
        elif sign != ".":
            run(sim, when, fired(ticker) if sign == "1" else quiet(ticker))


def lives(sim: MemoryLedger) -> list[tuple[str, str, int, int | None, str | None, int]]:
    """Kind, ticker, opened, resolved (minutes), how, and occurrences of every event."""
    return [
        (
            event.kind.value,
            event.ticker,
            minute(event.opened_at),
            minute(event.resolved_at) if event.resolved_at else None,
            event.resolution,
            event.occurrences,
        )
        for event in sim.events
    ]


def minute(moment: datetime) -> int:
    return int((moment - at(0)).total_seconds() // 60)


def told(sim: MemoryLedger, *, suppressed: bool = False) -> list[tuple[int, int, str]]:
    """Minute, event and reason of every message that was told, or held back."""
    return [
        (minute(m.at), m.event_id, m.reason)
        for m in sim.notifications
        if (m.suppressed is not None) == suppressed
    ]


def codes(sim: MemoryLedger, kind: Kind = ALERT) -> list[str]:
    return [step.decision.code for step in sim.evaluations if step.observation.kind is kind]


def silence(start: float, end: float, **matchers: Any) -> Silence:
    return Silence(
        matchers=Matchers.model_validate(matchers or {"rule": "*"}),
        starts_at=at(start),
        ends_at=at(end),
        author="ann",
        comment="moving",
    )


# -- a life --------------------------------------------------------------------------------


def test_an_event_opens_counts_and_ends_and_every_step_says_why() -> None:
    sim = simulation(notify_resolved=True)
    runs(sim, "0110")
    assert sim.events == [
        Event(
            id=1,
            kind=ALERT,
            ticker="AAPL",
            opened_at=at(1),
            importance=HIGH,
            message="AAPL trades at 151.2",
            reason="opened: the series started to fire",
            occurrences=2,
            resolved_at=at(3),
            resolution="recovered",
        )
    ]
    assert codes(sim) == ["ok", "started", "still-firing", "recovered"]
    assert [step.decision.action for step in sim.evaluations] == [
        "quiet",
        "open",
        "continue",
        "resolve",
    ]
    assert [step.event_id for step in sim.evaluations] == [None, 1, 1, 1]
    channels = ("slack-incoming-webhook/everyone",)
    assert sim.notifications == [
        Notification(at(1), 1, ALERT, "AAPL", HIGH, "opened", channels),
        Notification(at(3), 1, ALERT, "AAPL", HIGH, "resolved", channels),
    ]
    assert dict(firing(sim)) == {}


def test_an_open_event_shows_its_newest_message_and_the_most_it_mattered() -> None:
    sim = simulation()
    run(sim, 0, fired(importance="medium"))
    run(sim, 1, fired(importance="critical", message="worse"))
    run(sim, 2, fired(importance="low", message="a little better"))
    [event] = sim.events
    assert (event.importance, event.message) == (CRITICAL, "a little better")
    assert told(sim) == [(0, 1, "opened"), (1, 1, "escalated-critical")]
    assert [m.channels for m in sim.notifications] == [
        ("slack-incoming-webhook/warnings",),
        ("slack-incoming-webhook/critical", "slack-incoming-webhook/everyone"),
    ]
    assert list(firing(sim)) == [(ALERT, "AAPL")]
    assert sim.series[ALERT, "AAPL"].event_id == 1


def test_without_keeping_steps_only_events_and_messages_are_kept() -> None:
    sim = MemoryLedger("surge", RuleSettings())
    runs(sim, "10")
    assert (len(sim.events), sim.evaluations) == (1, [])


def test_what_observed_nothing_changes_nothing() -> None:
    sim = simulation()
    sim.run([])
    assert (sim.series, sim.events, sim.evaluations) == ({}, [], [])


def test_good_news_about_what_is_fine_is_no_step() -> None:
    sim = simulation()
    run(sim, 0, quiet())
    assert [(s.observation.kind, s.decision.code) for s in sim.evaluations] == [(ALERT, "ok")]
    assert list(sim.series) == [(ALERT, "AAPL")]


def test_each_ticker_lives_its_own_life() -> None:
    sim = simulation()
    run(sim, 0, fired("A"), quiet("B"))
    run(sim, 1, quiet("A"), fired("B"))
    run(sim, 2, quiet("A"), quiet("B"))
    assert lives(sim) == [
        ("alert", "A", 0, 1, "recovered", 1),
        ("alert", "B", 1, 2, "recovered", 1),
    ]


def test_a_failure_is_an_event_until_a_run_checks_again() -> None:
    sim = simulation()
    runs(sim, "1xx1")
    assert lives(sim) == [
        ("alert", "AAPL", 0, None, None, 2),
        ("failure", "", 1, 3, "recovered", 2),
    ]


def test_silence_is_an_event_until_a_run_completes_and_no_step_of_its_own() -> None:
    sim = simulation()
    overdue = Observation(Kind.SILENT, "", at(5), True, HIGH, "Silent.", evaluated=False)
    sim.run([overdue], at(5))
    runs(sim, "0", start=6)
    assert lives(sim) == [("silent", "", 5, 6, "recovered", 1)]
    assert codes(sim, Kind.SILENT) == []


def test_silence_neither_expires_nor_misses_anything() -> None:
    sim = simulation(expire_seconds=60, on_missing="ok")
    runs(sim, "1")
    sim.run([Observation(Kind.SILENT, "", at(30), True, HIGH, "Silent.", evaluated=False)], at(30))
    assert lives(sim)[0] == ("alert", "AAPL", 0, None, None, 1)


def test_a_skipped_run_is_a_step_and_nothing_else() -> None:
    sim = simulation()
    runs(sim, "1")
    run(sim, 1, name="Skipped")
    assert codes(sim, Kind.SKIPPED) == ["skipped"]
    assert lives(sim) == [("alert", "AAPL", 0, None, None, 1)]


# -- what cannot be judged -----------------------------------------------------------------

Life = tuple[str, str, int, int | None, str | None, int]
MEANINGS: dict[str, tuple[dict[str, Any], str, list[Life]]] = {
    "an error of a series is an event until it is measured again": (
        {},
        "1ee1",
        [
            ("alert", "AAPL", 0, None, None, 2),
            ("error", "AAPL", 1, 3, "recovered", 2),
        ],
    ),
    "no data is an event of its own": (
        {},
        "1n0",
        [
            ("alert", "AAPL", 0, 2, "recovered", 1),
            ("no_data", "AAPL", 1, 2, "recovered", 1),
        ],
    ),
    "errors that are no news leave what fires firing": (
        {"on_error": "keep"},
        "1exe1",
        [("alert", "AAPL", 0, None, None, 2)],
    ),
    "errors that count as ok end it": (
        {"on_error": "ok"},
        "1e1",
        [("alert", "AAPL", 0, 1, "recovered", 1), ("alert", "AAPL", 2, None, None, 1)],
    ),
    "failed runs that count as ok end it": (
        {"on_error": "ok"},
        "1x",
        [("alert", "AAPL", 0, 1, "recovered", 1)],
    ),
    "no data that counts as ok ends it": (
        {"on_no_data": "ok"},
        "1n",
        [("alert", "AAPL", 0, 1, "recovered", 1)],
    ),
    "as many oks as it takes": (
        {"on_no_data": "ok", "recoveries": 2},
        "1nn",
        [("alert", "AAPL", 0, 2, "recovered", 1)],
    ),
    "it takes so many errors in a row": (
        {"errors": 2},
        "0e0eex0",
        [("error", "AAPL", 4, 6, "recovered", 1)],
    ),
    "it takes so many empty answers in a row": (
        {"no_data": 2},
        "n0nn0",
        [("no_data", "AAPL", 3, 4, "recovered", 1)],
    ),
}


@pytest.mark.parametrize("case", MEANINGS)
def test_meaning(case: str) -> None:
    policy, history, expected = MEANINGS[case]
    sim = simulation(**policy)
    runs(sim, history)
    assert sorted(lives(sim)) == sorted(expected)


def test_a_ticker_that_is_missing_is_no_news_unless_the_policy_says_so() -> None:
    for meaning, expected in (
        ("keep", [("alert", "A", 0, None, None, 1)]),
        ("ok", [("alert", "A", 0, 1, "recovered", 1)]),
        ("event", [("alert", "A", 0, None, None, 2), ("no_data", "A", 1, 3, "recovered", 2)]),
    ):
        sim = simulation(on_missing=meaning)
        run(sim, 0, fired("A"), quiet("B"))
        run(sim, 1, quiet("B"))
        if meaning == "event":
            run(sim, 2, quiet("B"))
            run(sim, 3, fired("A"), quiet("B"))
        assert lives(sim) == expected


def test_a_check_that_found_nothing_once_is_never_missed() -> None:
    sim = simulation(on_missing="event")
    run(sim, 0)
    run(sim, 1, quiet("A"))
    assert sim.events == []


def test_a_late_run_misses_nothing_that_came_after_it() -> None:
    sim = simulation(on_missing="event")
    run(sim, 5, quiet("A"), quiet("B"))
    run(sim, 4, quiet("A"))
    assert sim.events == []


def test_an_event_that_no_run_confirms_expires() -> None:
    sim = simulation(expire_seconds=180)
    run(sim, 0, fired("A"))
    for later in (1, 2, 3):
        run(sim, later, quiet("B"))
    assert lives(sim) == [("alert", "A", 0, 3, "expired", 1)]
    assert (ALERT, "A") not in firing(sim)


def test_a_late_run_lets_nothing_expire_that_is_newer() -> None:
    sim = simulation(expire_seconds=60, recoveries=9)
    run(sim, 0, fired("A"))
    run(sim, 10, quiet("A"))
    run(sim, 5, quiet("B"))
    assert lives(sim) == [("alert", "A", 0, None, None, 1)]


def test_an_expiry_at_the_very_moment_of_the_newest_run_is_one() -> None:
    sim = simulation(expire_seconds=60, recoveries=9)
    run(sim, 0, fired("A"))
    run(sim, 5, quiet("A"))
    run(sim, 5, quiet("B"))
    assert lives(sim) == [("alert", "A", 0, 5, "expired", 1)]


# -- tickers that are gone -----------------------------------------------------------------


def missing(sim: MemoryLedger, *minutes: float) -> None:
    """Runs in which B is there and A is not."""
    for when in minutes:
        run(sim, when, quiet("B"))


def absences(sim: MemoryLedger) -> list[int]:
    """When A was reported to be missing."""
    return [minute(s.observation.at) for s in sim.evaluations if s.observation.kind is NO_DATA]


def test_a_ticker_that_is_gone_is_known_no_longer_once_somebody_has_ended_it() -> None:
    sim = simulation(on_missing="event")
    run(sim, 0, quiet("A"), quiet("B"))
    missing(sim, 1)
    resolve(sim, NO_DATA, "A", at(1.5), "ann")
    missing(sim, 2, 3)
    assert absences(sim) == [1]
    assert (ALERT, "A") not in sim.series


def test_a_ticker_whose_alert_is_still_open_is_not() -> None:
    sim = simulation(on_missing="event")
    run(sim, 0, fired("A"), quiet("B"))
    missing(sim, 1)
    resolve(sim, NO_DATA, "A", at(1.5), "ann")
    missing(sim, 2)
    assert absences(sim) == [1, 2]
    resolve(sim, NO_DATA, "A", at(2.5), "ann")
    resolve(sim, ALERT, "A", at(2.6), "ann")
    missing(sim, 3)
    assert absences(sim) == [1, 2]


def test_a_ticker_whose_absence_is_still_open_is_not() -> None:
    sim = simulation(on_missing="event")
    run(sim, 0, fired("A"), quiet("B"))
    missing(sim, 1)
    resolve(sim, ALERT, "A", at(1.5), "ann")
    missing(sim, 2)
    assert absences(sim) == [1, 2]


def test_a_ticker_that_reports_to_have_no_data_is_not_gone() -> None:
    sim = simulation(on_missing="event")
    run(sim, 0, quiet("A"), quiet("B"))
    missing(sim, 1)
    run(sim, 2, quiet("A", problem="no_data"), quiet("B"))
    resolve(sim, NO_DATA, "A", at(2.5), "ann")
    missing(sim, 3)
    assert absences(sim) == [1, 2, 3]


def test_a_ticker_that_was_measured_at_that_moment_is_not_gone() -> None:
    sim = simulation(on_missing="event", recoveries=9)
    run(sim, 0, fired("A"), quiet("B"))
    missing(sim, 1)
    run(sim, 1, fired("A"), quiet("B"))
    resolve(sim, ALERT, "A", at(1.5), "ann")
    assert (ALERT, "A") in sim.series


def test_another_kinds_end_by_hand_forgets_nothing() -> None:
    sim = simulation(on_missing="event", no_data=9)
    run(sim, 0, quiet("A", problem="error"), quiet("B"))
    run(sim, 1, quiet("A"), quiet("B"))
    missing(sim, 2)
    run(sim, 3, quiet("A", problem="error"), quiet("B"))
    missing(sim, 4)
    resolve(sim, ERROR, "A", at(4.5), "ann")
    assert (ALERT, "A") in sim.series


def test_what_was_never_missing_is_never_forgotten() -> None:
    sim = simulation(on_missing="event")
    runs(sim, "1")
    resolve(sim, ALERT, "AAPL", at(0.5), "ann")
    assert (ALERT, "AAPL") in sim.series


# -- conditions ----------------------------------------------------------------------------


def measure(sim: MemoryLedger, when: float, value: float, ticker: str = "A") -> None:
    run(sim, when, quiet(ticker, message="", metrics={"value": value}))


def test_conditions_judge_the_numbers_and_the_clearing_threshold_holds_while_it_fires() -> None:
    sim = simulation(conditions=[{"op": "gte", "value": 85, "clear": 80}])
    for when, value in enumerate((82, 90, 82, 79, 82)):
        measure(sim, when, value)
    assert codes(sim) == ["ok", "started", "still-firing", "recovered", "ok"]
    assert sim.events[0].message == "value 82 ≥ 80 (clears there)"


MEAN = {"op": "gt", "value": 5, "aggregate": "avg", "over_seconds": 180, "minimum_points": 3}


def test_a_window_fills_before_anything_is_said_and_slides_after() -> None:
    sim = simulation(conditions=[MEAN])
    for when, value in enumerate((9, 9, 9, 3, 3)):
        measure(sim, when, value)
    assert codes(sim) == ["warming-up", "warming-up", "started", "still-firing", "recovered"]
    assert sim.events[0].message == "avg(value) over 3 min 7 > 5"


def test_each_ticker_has_its_own_window() -> None:
    sim = simulation(conditions=[{**MEAN, "minimum_points": 2}])
    measure(sim, 0, 100, "A")
    measure(sim, 1, 1, "B")
    measure(sim, 2, 1, "B")
    assert codes(sim) == ["warming-up", "warming-up", "ok"]


def test_a_window_with_gaps_has_no_data_once_it_should_be_full() -> None:
    sim = simulation(conditions=[MEAN])
    measure(sim, 0, 9)
    measure(sim, 30, 9)
    assert [event.kind for event in sim.events] == [NO_DATA]


def test_a_late_measurement_is_judged_by_what_was_before_it() -> None:
    sim = simulation(conditions=[{**MEAN, "minimum_points": 1}])
    for when, value in ((0, 1), (1, 1), (3, 1)):
        measure(sim, when, value)
    measure(sim, 2, 100)
    assert codes(sim)[-1] == "late-past"
    assert sim.events[0].message == "avg(value) over 3 min 34 > 5"


def test_windows_stay_small_however_long_the_history() -> None:
    settings = RuleSettings.model_validate({"conditions": [{**MEAN, "minimum_points": 1}]})
    sim = MemoryLedger("rule", settings, latest_by=timedelta(minutes=1))
    for when in range(500):
        measure(sim, when, 1)
    assert len(sim.past.samples["A"].times) < 150


def test_what_is_in_the_window_is_never_forgotten() -> None:
    counted = {"op": "lt", "value": 4, "aggregate": "count", "over_seconds": 2}
    sim = simulation(conditions=[counted])
    for step in range(500):
        measure(sim, step / 120, 1)
    counts = [step.observation.message for step in sim.evaluations[3:]]
    assert set(counts) == {"count(value) over 2 s 4 is not < 4"}


# -- muted ---------------------------------------------------------------------------------


def test_a_silence_holds_back_what_is_told_once_it_ends() -> None:
    sim = simulation(silences=[silence(0, 3)])
    runs(sim, "11111")
    assert told(sim) == [(3, 1, "opened")]
    assert told(sim, suppressed=True) == [(0, 1, "opened")]
    assert sim.notifications[0].suppressed == "silenced by ann until 2026-11-02 09:03 UTC: moving"


def test_a_silence_counts_when_the_run_was_recorded() -> None:
    sim = simulation(silences=[silence(0, 3)])
    run(sim, 1, fired(), now=at(3))
    assert told(sim) == [(1, 1, "opened")]


@pytest.mark.parametrize(
    ("matchers", "mutes"),
    [
        ({"rule": "surge"}, True),
        ({"rule": "drop"}, False),
        ({"ticker": "AAPL"}, True),
        ({"category": "Market"}, True),
        ({"tag": "us"}, True),
        ({"tag": "eu"}, False),
        ({"importance": ["high"]}, True),
        ({"importance": ["low"]}, False),
        ({"kind": "alert"}, True),
        ({"kind": "failure"}, False),
    ],
)
def test_a_silence_knows_the_rule_its_tags_and_the_event(
    matchers: dict[str, Any], mutes: bool
) -> None:
    sim = simulation(tags=["us"], silences=[silence(0, 9, **matchers)])
    runs(sim, "1")
    assert (told(sim) == []) is mutes


def test_a_silence_of_failures_is_of_nothing_else() -> None:
    sim = simulation(silences=[silence(0, 9, kind="failure")])
    runs(sim, "1x")
    assert (told(sim), told(sim, suppressed=True)) == ([(0, 1, "opened")], [(1, 2, "opened")])


def test_a_silence_asks_for_what_the_event_matters_and_not_the_run() -> None:
    sim = simulation(repeat_seconds=60, silences=[silence(1, 9, importance=["critical"])])
    run(sim, 0, fired(importance="critical"))
    run(sim, 1, fired(importance="low"))
    assert told(sim, suppressed=True) == [(1, 1, "reminder")]


def test_another_rule_that_fires_mutes_and_stops_muting_when_it_ends() -> None:
    exchange = Inhibitor("exchange-down", "AAPL", (Inhibition(rule="surge"),))

    def firing(moment: datetime) -> list[Inhibitor]:
        return [exchange] if moment < at(2) else []

    sim = simulation(inhibitors=firing)
    runs(sim, "111")
    assert sim.notifications[0].suppressed == "inhibited: exchange-down fires on AAPL"
    assert told(sim) == [(2, 1, "opened")]


def test_the_rate_limit_is_the_rules_and_counts_all_its_series_in_one_run() -> None:
    sim = simulation(max_notifications_per_hour=2)
    run(sim, 0, fired("A"), fired("B"), fired("C"))
    assert told(sim) == [(0, 1, "opened"), (0, 2, "opened")]
    run(sim, 60, fired("A"), fired("B"), fired("C"))
    assert told(sim)[2:] == [(60, 3, "opened")]


def test_the_rate_limit_holds_for_runs_that_come_out_of_order() -> None:
    sim = simulation(max_notifications_per_hour=1)
    run(sim, 30, fired("A"))
    run(sim, 5, fired("B"))
    run(sim, 89, fired("C"))
    assert told(sim) == [(30, 1, "opened")]
    run(sim, 90, fired("D"))
    assert told(sim)[1:] == [(90, 4, "opened")]


# -- what is late --------------------------------------------------------------------------


def test_a_late_breach_within_an_event_counts_into_it() -> None:
    sim = simulation()
    runs(sim, "1.1")
    runs(sim, "1", start=1)
    assert lives(sim) == [("alert", "AAPL", 0, None, None, 3)]
    assert (
        sim.evaluations[-1].decision.action,
        sim.evaluations[-1].decision.code,
        sim.evaluations[-1].event_id,
    ) == (
        "join",
        "late-joined",
        1,
    )
    assert sim.series[ALERT, "AAPL"].last_at == at(2)


def test_a_late_breach_between_oks_is_an_event_that_is_over_and_told() -> None:
    sim = simulation()
    runs(sim, "0.0")
    run(sim, 1, fired(), now=at(9))
    assert lives(sim) == [("alert", "AAPL", 1, 9, "late", 1)]
    assert told(sim) == [(9, 1, "opened")]
    assert sim.events[0].reason == "late: fired and recovered before it was recorded"


def test_what_is_told_of_a_late_breach_is_told_where_it_matters_as_much() -> None:
    sim = simulation()
    runs(sim, "0.0.0")
    run(sim, 1, fired(importance="critical"), now=at(9))
    run(sim, 3, fired("NVDA"))
    run(sim, 2.5, fired("NVDA", importance="medium"), now=at(10))
    run(sim, 2.6, fired("NVDA", importance="critical"), now=at(11))
    everyone, critical = "slack-incoming-webhook/everyone", "slack-incoming-webhook/critical"
    late = [m for m in sim.notifications if m.at >= at(9)]
    assert late == [
        Notification(at(9), 1, ALERT, "AAPL", CRITICAL, "opened", (critical, everyone)),
        Notification(
            at(11), 2, ALERT, "NVDA", CRITICAL, "escalated-critical", (critical, everyone)
        ),
    ]
    assert sim.evaluations[-1].decision.reason == (
        "late: counted into the event of the run before it, which was only high"
    )


def test_a_run_of_the_same_moment_is_not_late() -> None:
    sim = simulation()
    run(sim, 0, quiet())
    run(sim, 0, fired())
    assert codes(sim) == ["ok", "started"]


def test_a_failure_of_the_same_moment_as_a_check_is() -> None:
    sim = simulation()
    run(sim, 0, quiet())
    run(sim, 0, state="FAILED", now=at(1))
    assert codes(sim, FAILURE) == ["late-past"]


def test_what_was_seen_at_the_same_moment_was_before() -> None:
    sim = simulation()
    runs(sim, "1.0")
    run(sim, 0, fired())
    assert codes(sim)[-1] == "late-joined"
    sim = simulation()
    runs(sim, "0.1")
    run(sim, 0, fired())
    assert codes(sim)[-1] == "late-joined"


def test_of_what_was_seen_at_one_moment_the_last_counts() -> None:
    sim = simulation()
    run(sim, 0, fired())
    run(sim, 0, quiet())
    run(sim, 2, quiet())
    run(sim, 1, quiet())
    run(sim, 0.5, fired())
    assert codes(sim)[-1] == "late-past"


def test_the_nearest_of_several_is_the_one_that_is_joined() -> None:
    sim = simulation(of_last=3)
    runs(sim, "01")
    run(sim, 3, quiet())
    run(sim, 4, quiet())
    run(sim, 2, fired())
    assert codes(sim)[-1] == "late-joined"


def test_a_check_is_no_failure_however_many_it_takes() -> None:
    sim = simulation(errors=2)
    runs(sim, "0.0")
    run(sim, 1, state="FAILED", now=at(9))
    assert codes(sim, FAILURE) == ["late-pending"]


def test_a_late_ok_changes_nothing() -> None:
    sim = simulation()
    runs(sim, "1.1")
    runs(sim, "0", start=1)
    assert lives(sim) == [("alert", "AAPL", 0, None, None, 2)]
    assert sim.evaluations[-1].decision.action == "nowhere"


def test_a_late_breach_that_matters_more_raises_the_event_and_is_told() -> None:
    sim = simulation()
    runs(sim, "1.1")
    run(sim, 1, fired(importance="critical"), now=at(9))
    assert sim.events[0].importance is CRITICAL
    assert sim.series[ALERT, "AAPL"].event_importance is CRITICAL
    assert told(sim) == [(0, 1, "opened"), (9, 1, "escalated-critical")]
    run(sim, 10, fired(importance="critical"))
    assert len(told(sim)) == 2  # it matters no more than is known


@pytest.mark.parametrize("sticky", [False, True])
def test_a_late_breach_that_matters_more_reopens_what_was_acknowledged(sticky: bool) -> None:
    sim = simulation(sticky_acknowledgement=sticky)
    runs(sim, "1.1")
    acknowledge(sim, ALERT, "AAPL", at(3), "ann", at(99))
    run(sim, 1, fired(importance="critical"), now=at(9))
    assert sim.events[0].acknowledged_by == ("ann" if sticky else None)
    assert sim.series[ALERT, "AAPL"].acknowledged is sticky
    assert sim.series[ALERT, "AAPL"].acknowledged_until == (at(99) if sticky else None)
    assert len(told(sim)) == (1 if sticky else 2)


def test_a_late_breach_of_an_event_that_is_over_does_not_touch_the_open_one() -> None:
    sim = simulation()
    runs(sim, "1.01")
    run(sim, 1, fired(importance="critical"), now=at(9))
    assert [event.importance for event in sim.events] == [CRITICAL, HIGH]
    assert sim.series[ALERT, "AAPL"].event_importance is HIGH


def test_what_is_late_is_muted_as_anything_else() -> None:
    sim = simulation(silences=[silence(8, 10)])
    runs(sim, "0.0")
    run(sim, 1, fired(), now=at(9))
    assert (told(sim), told(sim, suppressed=True)) == ([], [(9, 1, "opened")])


def test_a_failure_before_a_run_that_checked_is_late() -> None:
    sim = simulation()
    runs(sim, "0.0")
    run(sim, 1, state="FAILED", now=at(9))
    assert lives(sim) == [("failure", "", 1, 9, "late", 1)]
    assert list(firing(sim)) == []


def test_failures_with_a_run_that_checked_between_them_are_two_events() -> None:
    sim = simulation()
    runs(sim, "x0x0")
    assert [life[:3] for life in lives(sim)] == [("failure", "", 0), ("failure", "", 2)]
    run(sim, 0.5, state="FAILED", now=at(9))
    run(sim, 1.5, state="FAILED", now=at(9))
    assert [life[-1] for life in lives(sim)] == [2, 2]


def test_a_late_failure_after_a_check_is_no_part_of_the_failure_before_that() -> None:
    sim = simulation()
    runs(sim, "x0")
    runs(sim, "0", start=3)
    run(sim, 2, state="FAILED", now=at(9))
    assert [life[-1] for life in lives(sim)] == [1, 1]


@pytest.mark.parametrize("problem", ["error", "no_data"])
def test_a_problem_that_is_told_after_a_later_measurement_is_over(problem: Any) -> None:
    sim = simulation()
    run(sim, 5, quiet())
    run(sim, 4, quiet(problem=problem), now=at(9))
    assert lives(sim) == [(problem, "AAPL", 4, 9, "late", 1)]


def test_failures_that_are_told_late_count_together() -> None:
    sim = simulation(errors=3)
    runs(sim, "xx.0")
    run(sim, 2, state="FAILED", now=at(9))
    assert lives(sim) == [("failure", "", 2, 9, "late", 1)]


def test_of_a_long_past_as_much_is_kept_as_any_policy_can_need() -> None:
    sim = simulation(breaches=100, of_last=100)
    runs(sim, "1" * 99 + "." + "0" * 99)
    runs(sim, "1", start=99)
    assert sim.events[-1].resolution == "late"


# -- people --------------------------------------------------------------------------------


def test_acknowledging_holds_until_that_is_taken_back() -> None:
    sim = simulation(repeat_seconds=60)
    runs(sim, "1")
    assert acknowledge(sim, ALERT, "AAPL", at(0.5), "ann")
    assert sim.events[0].acknowledged_by == "ann"
    runs(sim, "1", start=1)
    assert told(sim) == [(0, 1, "opened")]
    assert unacknowledge(sim, ALERT, "AAPL", at(1.5))
    assert sim.events[0].acknowledged_by is None
    runs(sim, "1", start=2)
    assert told(sim) == [(0, 1, "opened"), (2, 1, "reminder")]


def test_an_end_by_hand_is_told_to_those_who_heard_of_the_event() -> None:
    sim = simulation(notify_resolved=True)
    runs(sim, "1")
    resolve(sim, ALERT, "AAPL", at(1), "ann")
    assert told(sim) == [(0, 1, "opened"), (1, 1, "resolved")]
    assert sim.notifications[1].channels == sim.notifications[0].channels


def test_an_end_by_hand_is_told_to_nobody_who_did_not_hear_or_does_not_want_to() -> None:
    quiet_end, muted = simulation(), simulation(notify_resolved=True, silences=[silence(0, 9)])
    for sim in (quiet_end, muted):
        runs(sim, "1")
        resolve(sim, ALERT, "AAPL", at(1), "ann")
        assert [message.reason for message in sim.notifications] == ["opened"]


def test_what_somebody_has_acknowledged_stays_theirs() -> None:
    sim = simulation()
    runs(sim, "1")
    acknowledge(sim, ALERT, "AAPL", at(1), "ann", at(9))
    assert acknowledge(sim, ALERT, "AAPL", at(2), "bob")
    assert sim.events[0].acknowledged_by == "ann"
    assert sim.series[ALERT, "AAPL"].acknowledged_until == at(9)
    acknowledge(sim, ALERT, "AAPL", at(9), "bob")  # her time is up
    assert sim.events[0].acknowledged_by == "bob"


def test_acknowledging_until_a_time_ends_then() -> None:
    sim = simulation()
    runs(sim, "1")
    acknowledge(sim, ALERT, "AAPL", at(0.5), "ann", at(2))
    runs(sim, "11", start=1)
    assert told(sim)[1:] == [(2, 1, "acknowledgement-ended")]
    assert sim.events[0].acknowledged_by is None
    acknowledge(sim, ALERT, "AAPL", at(3), "bob", at(9))
    unacknowledge(sim, ALERT, "AAPL", at(4))
    assert sim.series[ALERT, "AAPL"].acknowledged_until is None


def test_what_somebody_does_to_one_event_is_done_to_no_other() -> None:
    sim = simulation(repeat_seconds=60)
    run(sim, 0, fired("A", importance="critical"), fired("B", importance="medium"))
    run(sim, 0, fired("C", importance="low"))
    acknowledge(sim, ALERT, "B", at(0.5), "ann")
    assert [event.acknowledged_by for event in sim.events] == [None, "ann", None]
    acknowledge(sim, ALERT, "A", at(0.5), "bob")
    unacknowledge(sim, ALERT, "B", at(0.6))
    assert [event.acknowledged_by for event in sim.events] == ["bob", None, None]
    assert sim.series[ALERT, "B"].acknowledged is False
    run(sim, 1, fired("B", importance="medium"))
    assert sim.notifications[-1].importance is MEDIUM
    resolve(sim, ALERT, "B", at(2), "ann")
    assert [event.resolution for event in sim.events] == [None, "by-hand", None]


def test_resolving_by_hand_ends_the_event_and_the_next_breach_opens_another() -> None:
    sim = simulation()
    runs(sim, "1")
    assert resolve(sim, ALERT, "AAPL", at(0.5), "ann")
    assert lives(sim) == [("alert", "AAPL", 0, 0, "by-hand", 1)]
    assert sim.events[0].acknowledged_by == "ann"
    assert sim.series[ALERT, "AAPL"] == Series(
        Status.OK, at(0), breached_at=at(0), ended_at=at(0.5), ended_importance=HIGH
    )
    runs(sim, "1", start=1)
    assert len(sim.events) == 2


def test_who_acknowledged_stays_named_when_another_resolves() -> None:
    sim = simulation()
    runs(sim, "1")
    acknowledge(sim, ALERT, "AAPL", at(0.5), "ann")
    resolve(sim, ALERT, "AAPL", at(1), "bob")
    assert sim.events[0].acknowledged_by == "ann"


def test_an_event_is_never_resolved_before_its_newest_run() -> None:
    sim = simulation()
    runs(sim, "1", start=5)
    resolve(sim, ALERT, "AAPL", at(1), "ann")
    assert sim.events[0].resolved_at == at(5)


def test_nobody_can_do_anything_to_what_is_not_open() -> None:
    sim = simulation()
    runs(sim, "10")
    for ticker in ("AAPL", "NVDA"):
        assert not acknowledge(sim, ALERT, ticker, at(9), "ann")
        assert not unacknowledge(sim, ALERT, ticker, at(9))
        assert not resolve(sim, ALERT, ticker, at(9), "ann")
    assert sim.events[0].acknowledged_by is None
    assert sim.events[0].resolution == "recovered"


def test_the_moment_of_a_run_is_when_it_was_recorded_unless_another_is_given() -> None:
    sim = simulation(silences=[silence(1, 2)])
    runs(sim, "01")
    assert told(sim) == []
    assert sim.notifications[0].reason == NotifyReason.OPENED.value
    assert sim.notifications[0].at == at(1) == at(0) + timedelta(minutes=1)


# -- between runs ----------------------------------------------------------------------------


def test_what_a_silence_withheld_is_sent_once_it_is_over_and_only_once() -> None:
    sim = simulation(silences=[silence(0, 9)])
    runs(sim, "1")
    sim.release(at(8))
    assert told(sim) == []
    sim.release(at(9))
    sim.release(at(10))
    assert told(sim) == [(9, 1, "opened")]
    assert sim.series[ALERT, "AAPL"].notify_count == 2
    assert not sim.waits


def test_what_somebody_has_acknowledged_is_sent_only_when_that_has_lapsed() -> None:
    sim = simulation(silences=[silence(0, 9)])
    runs(sim, "1")
    assert acknowledge(sim, ALERT, "AAPL", at(1), "ann", at(20))
    sim.release(at(15))
    assert told(sim) == []
    sim.release(at(20))
    assert told(sim) == [(20, 1, "opened")]
    assert sim.events[0].acknowledged_by is None


def test_an_acknowledgement_ends_at_its_time_between_runs_and_only_once() -> None:
    sim = simulation()
    runs(sim, "1")
    acknowledge(sim, ALERT, "AAPL", at(1), "ann", at(20))
    assert sim.waits
    sim.release(at(19))
    assert sim.events[0].acknowledged_by == "ann"
    sim.release(at(20))
    sim.release(at(21))
    runs(sim, "1", start=22)
    assert told(sim) == [(0, 1, "opened"), (20, 1, "acknowledgement-ended")]
    assert sim.events[0].acknowledged_by is None
    assert not sim.waits


def test_acknowledging_until_a_value_ends_when_it_is_crossed() -> None:
    sim = simulation()
    runs(sim, "1")
    acknowledge(sim, ALERT, "AAPL", at(0.5), "ann", limits=Limits(below=100))
    run(sim, 1, fired(metrics={"value": 100.0}))
    assert not sim.waits
    assert sim.events[0].acknowledged_by == "ann"
    run(sim, 2, fired(metrics={"value": 99.0}))
    run(sim, 3, fired(metrics={"value": 98.0}))
    assert told(sim)[1:] == [(2, 1, "value-crossed")]
    assert sim.events[0].acknowledged_by is None


def test_what_is_sent_between_runs_counts_for_the_rate_limit() -> None:
    sim = simulation(silences=[silence(0, 9)], max_notifications_per_hour=1)
    runs(sim, "1")
    sim.release(at(9))
    run(sim, 10, fired(), fired("IBM"))
    assert told(sim) == [(9, 1, "opened")]
    sim.release(at(68))
    assert told(sim) == [(9, 1, "opened")]
    sim.release(at(69))
    assert told(sim) == [(9, 1, "opened"), (69, 2, "opened")]


def test_an_event_that_expires_in_a_silence_ends_without_a_word() -> None:
    sim = simulation(silences=[silence(5, 60)], expire_seconds=600, notify_resolved=True)
    runs(sim, "1")
    run(sim, 10, fired("IBM"))
    assert [event.resolution for event in sim.events] == ["expired", None]
    assert (told(sim), told(sim, suppressed=True)) == (
        [(0, 1, "opened")],
        [(10, 2, "opened"), (10, 1, "resolved")],
    )


def test_an_end_that_expired_reaches_those_who_were_notified() -> None:
    sim = simulation(expire_seconds=600, notify_resolved=True)
    runs(sim, "1")
    run(sim, 10, quiet("IBM"))
    assert told(sim) == [(0, 1, "opened"), (10, 1, "resolved")]


def test_a_late_measurement_ends_no_error_that_is_newer() -> None:
    sim = simulation()
    run(sim, 10, quiet(problem="error"))
    run(sim, 5, quiet())
    assert lives(sim) == [("error", "AAPL", 10, None, None, 1)]
