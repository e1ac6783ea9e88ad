"""Sessions of exchanges: windows, half days, holidays, breaks, staleness and breaches."""

import builtins
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sentinel_core.decide.observe import Kind, judge
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import CLOSED, Skip
from sentinel_core.model.trigger import PastEvaluation
from sentinel_core.replay.ledger import MemoryLedger
from tests.support.runs import a_rule, a_run, fired, quiet, rows, told
from triggers.market.price_surge import PriceSurge
from triggers.market.session_window import WHOLE, closed_reason, session_of, sessions_in_a_row
from triggers.sources.errors import SourceError
from triggers.sources.quotes import QuoteSeries

WINDOW = ("open+5m", "close-15m")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "checked"),
    [
        ("2026-11-25T14:34", False),  # a Wednesday: 14:30 to 21:00 in UTC
        ("2026-11-25T14:35", True),
        ("2026-11-25T20:45", True),
        ("2026-11-25T20:46", False),
        ("2026-11-26T16:00", False),  # Thanksgiving
        ("2026-11-27T17:45", True),  # the half day after it ends at 18:00
        ("2026-11-27T17:46", False),
        ("2026-11-28T16:00", False),  # a Saturday
        ("2026-07-01T13:35", True),  # in summer an hour earlier
        ("2026-07-01T20:00", False),
    ],
)
def test_a_rule_checks_within_the_window_of_each_session(at: str, checked: bool) -> None:
    assert (closed_reason("XNYS", WINDOW, utc(at)) is None) is checked


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (
            "2026-11-25T10:00",
            "Next due in the session of 2026-11-25, 2026-11-25 14:35 to 2026-11-25 20:45",
        ),
        (
            "2026-11-25T20:50",
            "Next due in the session of 2026-11-27, 2026-11-27 14:35 to 2026-11-27 17:45",
        ),
        (
            "2026-11-27T18:30",
            "Next due in the session of 2026-11-30, 2026-11-30 14:35 to 2026-11-30 20:45",
        ),
    ],
)
def test_the_next_session_is_said(at: str, said: str) -> None:
    reason = closed_reason("XNYS", WINDOW, utc(at))
    assert reason is not None
    assert reason.startswith("Not due: outside of the sessions of XNYS from open+5m to close-15m.")
    assert said in reason


def test_a_window_that_a_half_day_leaves_no_room_for_is_passed_over() -> None:
    window = ("open+5h", "close-15m")
    assert closed_reason("XNYS", window, utc("2026-11-25T19:40")) is None
    reason = closed_reason("XNYS", window, utc("2026-11-27T17:00"))
    assert reason is not None
    assert "the session of 2026-11-30" in reason


def test_the_break_of_a_session_is_no_time_to_check() -> None:
    assert closed_reason("XTKS", WHOLE, utc("2026-11-25T02:00")) is None
    reason = closed_reason("XTKS", WHOLE, utc("2026-11-25T03:00"))
    assert reason is not None
    assert "2026-11-25 03:30 to" in reason


def test_the_session_of_a_time_is_the_last_that_began() -> None:
    assert session_of("XNYS", utc("2026-11-27T15:00")) == "2026-11-27"
    assert session_of("XNYS", utc("2026-11-29T15:00")) == "2026-11-27"


def test_a_time_beyond_the_calendar_is_an_error() -> None:
    with pytest.raises(SourceError, match="the calendar XNYS reaches from"):
        closed_reason("XNYS", WHOLE, utc("1900-01-01T00:00"))


# -- breaches by session --------------------------------------------------------------------------


def past(*evaluations: tuple[str, int]) -> list[PastEvaluation]:
    """Evaluations, newest first: the day of the session, and whether it breached."""
    at = utc("2026-11-30T15:00")
    return [
        PastEvaluation(at, "AAPL", False, {"breached": float(breached)}, {"session": day})
        for day, breached in evaluations
    ]


@pytest.mark.parametrize(
    ("evaluations", "count"),
    [
        ([], 1),
        ([("2026-11-30", 1), ("2026-11-30", 1)], 1),
        ([("2026-11-30", 1), ("2026-11-27", 1)], 2),
        ([("2026-11-27", 1), ("2026-11-25", 1), ("2026-11-24", 1)], 3),
        ([("2026-11-27", 0), ("2026-11-27", 1), ("2026-11-25", 1)], 1),
        ([("2026-11-27", 1), ("2026-11-27", 0), ("2026-11-25", 0)], 2),
        ([("2026-11-27", 1), ("2026-11-24", 1)], 2),
    ],
)
def test_sessions_in_a_row_are_counted_by_their_last_evaluation(
    evaluations: list[tuple[str, int]], count: int
) -> None:
    """Monday, 30 November: Thanksgiving lies between Friday the 27th and Wednesday the 25th."""
    at = utc("2026-11-30T15:00")
    assert sessions_in_a_row("XNYS", at, past(*evaluations), 3) == count


class Known:
    """A history of these evaluations."""

    def __init__(self, evaluations: list[PastEvaluation]) -> None:
        self.evaluations = evaluations

    def latest(self, limit: int, ticker: str | None = None) -> list[PastEvaluation]:
        return [each for each in self.evaluations if each.ticker == ticker][:limit]


def surge(max_age_seconds: float | None = None, **sessions: Any) -> PriceSurge:
    return PriceSurge.model_validate(
        {
            "source": "quotes.csv",
            "ticker": "AAPL",
            "threshold": 150,
            "max_age_seconds": max_age_seconds,
            "sessions": {"calendar": "XNYS", **sessions},
        }
    )


def judged(output: Any, evaluations: list[PastEvaluation], at: datetime, **sessions: Any) -> Any:
    rule = surge(**sessions)
    assert rule.sessions is not None
    return rule.sessions.judged(output, Known(evaluations), at)


def test_a_rule_triggers_once_enough_sessions_have_breached() -> None:
    at = utc("2026-11-30T15:00")
    output = fired("AAPL", message="AAPL: above")
    first = judged(output, [], at, breaches=2)
    assert (first.triggered, first.message) == (False, "AAPL: above; 1 of 2 sessions in a row")
    assert (first.metrics["breached"], first.metadata["session"]) == (1, "2026-11-30")
    second = judged(output, past(("2026-11-27", 1)), at, breaches=2)
    assert (second.triggered, second.metrics["breached_sessions"]) == (True, 2)


def test_a_calm_output_only_names_its_session() -> None:
    output = judged(quiet("AAPL"), [], utc("2026-11-30T15:00"), breaches=2)
    assert (output.triggered, output.metrics["breached"]) == (False, 0)
    assert output.metadata["session"] == "2026-11-30"


# -- staleness ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "now", "fresh"),
    [
        ("2026-11-25T20:59", "2026-11-27T14:40", True),  # 11 open minutes over Thanksgiving
        ("2026-11-25T20:59", "2026-11-27T14:46", False),
        ("2026-11-27T17:55", "2026-11-30T14:35", True),  # the half day, and a weekend
    ],
)
def test_staleness_counts_the_time_in_which_the_exchange_was_open(
    last: str, now: str, fresh: bool
) -> None:
    rule = surge(max_age_seconds=900, age_in_sessions=True)
    quotes = QuoteSeries("AAPL", (151.0,), utc(last))
    if fresh:
        assert rule.evaluate_all([quotes], utc(now))[0].triggered
        return
    with pytest.raises(SourceError, match=r"is 1,020 s of open XNYS old, more than 900 s"):
        rule.evaluate_all([quotes], utc(now))


def test_by_the_clock_a_night_is_stale() -> None:
    rule = surge(max_age_seconds=900)
    with pytest.raises(SourceError, match="s old, more than 900 s"):
        rule.evaluate_all(
            [QuoteSeries("AAPL", (151.0,), utc("2026-11-25T20:59"))], utc("2026-11-27T14:40")
        )


# -- the parameters -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"calendar": "xnys"}, "pattern"),
        ({"calender": "XNYS"}, "Extra inputs"),
        ({"window": ["open", "noon"]}, "pattern"),
        ({"window": ["open+5", "close"]}, "pattern"),
        ({"breaches": 0}, "greater than or equal to 1"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        surge(**fields)


def test_an_unknown_calendar_is_warned_of_and_is_an_error_of_the_run(tmp_path: Path) -> None:
    rule = surge(calendar="NOPE")
    assert (
        "sessions",
        "there is no exchange calendar 'NOPE': give a code such as XNYS or XETR",
    ) in [*rule.check_warnings()]
    with pytest.raises(SourceError, match="there is no exchange calendar"):
        rule.why_closed(utc("2026-11-25T15:00"))


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    imported: Callable[..., Any] = builtins.__import__

    def without(name: str, *args: Any, **more: Any) -> Any:
        if name.startswith("exchange_calendars"):
            raise ImportError(name)
        return imported(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SourceError, match=r"pip install .*prefect-sentinel\[market\]"):
        surge().why_closed(utc("2026-11-25T15:00"))


def test_a_rule_without_a_calendar_is_never_closed() -> None:
    rule = PriceSurge(source="quotes.csv", ticker="AAPL", threshold=150)
    assert rule.why_closed(utc("2026-11-28T03:00")) is None


# -- on record ------------------------------------------------------------------------------------


def test_a_run_outside_of_the_sessions_changes_nothing_and_says_why() -> None:
    ledger = MemoryLedger("surge", RuleSettings(), keep_evaluations=True)
    ledger.run(judge(a_run(0), ledger.settings, [fired()]))
    closed = a_run(1, name=CLOSED, message="Not due: outside of the sessions of XNYS.")
    ledger.run(judge(closed, ledger.settings, None))
    assert [event.resolved_at for event in ledger.events] == [None]
    decided = ledger.evaluations[-1]
    assert (decided.observation.kind, decided.decision.code) == (Kind.SKIPPED, Skip.CLOSED)
    assert decided.decision.reason == "skipped: Not due: outside of the sessions of XNYS."


def test_a_rule_whose_exchange_is_closed_is_not_silent(store: Any) -> None:
    told(store, a_rule(), a_run(5, name=CLOSED, message="Not due."))
    [rule] = rows(store, "alert_rule")
    assert rule["last_evaluated_at"] == a_run(5).at
    assert rows(store, "evaluation")[0]["decision_code"] == "skipped-closed"
