"""The calls that a run makes of its ledger, with their arguments."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from sentinel_core.decide.effects import end_snoozes, release_withheld
from sentinel_core.decide.late import LateDecision
from sentinel_core.decide.ledger import Notify
from sentinel_core.decide.observe import Kind, Observation, judge
from sentinel_core.decide.snooze import TIME_OVER, Limits, SnoozeEnd
from sentinel_core.decide.state import Decision, Key
from sentinel_core.model.alert import AlertOutput, Importance
from sentinel_core.model.reasons import NotifyReason, Suppression, SuppressionCode
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.silence import Matchers, Silence
from sentinel_core.replay.actions import acknowledge
from sentinel_core.replay.ledger import MemoryLedger
from tests.support.runs import ROUTES, a_run, a_silence, at, fired, quiet

LOW, MEDIUM, HIGH, CRITICAL = Importance
KEY: Key = (Kind.ALERT, "AAPL")
SILENCED = SuppressionCode.SILENCED


class Asked(MemoryLedger):
    """A ledger in memory that writes down what it is asked for."""

    def __init__(
        self,
        silences: Sequence[Silence] = (),
        routes: dict[str, list[str]] = ROUTES,
        **policy: Any,
    ) -> None:
        settings = {"importance": "high", "notify": routes, "policy": {"flapping": None, **policy}}
        super().__init__("surge", RuleSettings.model_validate(settings), silences=silences)
        self.calls: list[tuple[Any, ...]] = []

    def ran(self, minute: float, *outputs: AlertOutput, now: datetime | None = None) -> None:
        """One run, judged as the hook does; only its own calls are kept."""
        self.calls.clear()
        self.run(judge(a_run(minute), self.settings, list(outputs)), now)

    def of(self, name: str) -> list[tuple[Any, ...]]:
        """The arguments of the calls of one method."""
        return [call[1:] for call in self.calls if call[0] == name]

    def suppression(self, key: Key, importance: Importance) -> Suppression | None:
        self.calls.append(("suppression", key, importance))
        return super().suppression(key, importance)

    def suppress(self, event_id: int, suppression: Suppression | None) -> None:
        self.calls.append(("suppress", event_id, suppression and suppression.code))
        super().suppress(event_id, suppression)

    def notify(self, event_id: int, key: Key, notify: Notify) -> None:
        self.calls.append(("notify", event_id, key, notify))
        super().notify(event_id, key, notify)

    def open_event(
        self,
        observation: Observation,
        reason: str,
        suppression: Suppression | None,
        *,
        ended: bool = False,
    ) -> int:
        self.calls.append(("open", reason, suppression and suppression.code, ended))
        return super().open_event(observation, reason, suppression, ended=ended)

    def reopen_event(self, event_id: int, end: SnoozeEnd | None) -> None:
        self.calls.append(("reopen", event_id, end))
        super().reopen_event(event_id, end)

    def merge_late(self, event_id: int, observation: Observation) -> None:
        self.calls.append(("merge", event_id, observation.ticker, observation.at))
        super().merge_late(event_id, observation)

    def evaluated(
        self, observation: Observation, decision: Decision | LateDecision, event_id: int | None
    ) -> None:
        self.calls.append(("evaluated", observation.ticker, decision.code, event_id))
        self.reason = decision.reason
        super().evaluated(observation, decision, event_id)


def muted(ticker: str = "AAPL", start: float = 0, end: float = 60) -> Silence:
    return a_silence(start, end, matchers=Matchers(ticker=ticker))


def test_an_event_that_opens_has_its_suppression_from_the_start() -> None:
    ledger = Asked([muted()])
    ledger.ran(0, fired())
    [(reason, code, ended)] = ledger.of("open")
    assert (code, ended) == (SILENCED, False)
    assert reason.startswith("opened: the series started to fire; not told: silenced by ana")
    assert ledger.of("suppress") == []
    [(event_id, key, notify)] = ledger.of("notify")
    assert (event_id, key) == (1, KEY)
    assert (notify.reason, notify.suppression.code) == (NotifyReason.OPENED, SILENCED)


def test_notifications_of_one_event_are_numbered() -> None:
    ledger = Asked(repeat_seconds=60)
    found = []
    for minute in range(3):
        ledger.ran(minute, fired())
        found += ledger.of("notify")
    assert found == [
        (1, KEY, Notify(at(0), HIGH, NotifyReason.OPENED)),
        (1, KEY, Notify(at(1), HIGH, NotifyReason.REMINDER, sequence=1)),
        (1, KEY, Notify(at(2), HIGH, NotifyReason.REMINDER, sequence=2)),
    ]
    assert ledger.of("suppress") == [(1, None)]


def test_a_later_notification_that_is_suppressed_says_why_on_its_event() -> None:
    ledger = Asked([muted(start=0.5)], repeat_seconds=60)
    ledger.ran(0, fired())
    ledger.ran(1, fired())
    assert ledger.of("suppress") == [(1, SILENCED)]


@pytest.mark.parametrize(
    ("channel", "sent", "code"),
    [
        ("pager-duty-webhook/duty", "sent to incidents and threads only", None),
        ("slack-incoming-webhook/everyone", "not told", SILENCED),
    ],
)
def test_a_muted_end_is_sent_to_incidents_only_and_the_record_says_so(
    channel: str, sent: str, code: SuppressionCode | None
) -> None:
    ledger = Asked([muted(start=0.5)], {"high": [channel]}, notify_resolved=True)
    ledger.ran(0, fired())
    ledger.ran(1, quiet())
    assert f"; {sent}: silenced by ana" in ledger.reason
    assert ledger.of("suppress") == [(1, code)]


def test_a_reminder_has_the_importance_of_its_event() -> None:
    ledger = Asked(repeat_seconds=60)
    ledger.ran(0, fired(importance="critical"))
    ledger.ran(1, fired(importance="low"))
    [(_, _, notify)] = ledger.of("notify")
    assert notify == Notify(at(1), CRITICAL, NotifyReason.REMINDER, sequence=1)


def test_escalation_steps_restart_when_an_acknowledgement_no_longer_holds() -> None:
    ledger = Asked()
    ledger.ran(0, fired())
    acknowledge(ledger, *KEY, at(0.5), "ann", at(1))
    ledger.ran(2, fired())
    [(_, _, notify)] = ledger.of("notify")
    assert notify == Notify(
        at(2), HIGH, NotifyReason.ACKNOWLEDGEMENT_ENDED, sequence=1, restarts=True
    )


# -- late ------------------------------------------------------------------------------------


def test_a_late_event_is_over_when_it_opens_and_no_step_follows() -> None:
    ledger = Asked([muted(start=8)])
    ledger.ran(0, quiet())
    ledger.ran(2, quiet())
    ledger.ran(1, fired(importance="critical"), now=at(9))
    reason = "late: fired and recovered before it was recorded"
    assert ledger.of("suppression") == [(KEY, CRITICAL)]
    assert ledger.of("open") == [(reason, SILENCED, True)]
    [(event_id, key, notify)] = ledger.of("notify")
    assert (event_id, key, notify.at, notify.importance) == (1, KEY, None, CRITICAL)
    assert (notify.reason, notify.escalates) == (NotifyReason.OPENED, False)
    assert notify.suppression.code is SILENCED
    assert ledger.of("evaluated") == [("AAPL", "late-past", 1)]


def test_a_late_breach_that_joins_an_event_is_counted_into_it() -> None:
    ledger = Asked()
    ledger.ran(0, fired())
    ledger.ran(2, fired())
    ledger.ran(1, fired(), now=at(9))
    assert ledger.of("merge") == [(1, "AAPL", at(1))]
    assert ledger.of("notify") == []


@pytest.mark.parametrize("silenced", [False, True])
def test_a_late_breach_that_raises_the_importance_notifies_unless_suppressed(
    silenced: bool,
) -> None:
    ledger = Asked([muted(start=8)] if silenced else [])
    ledger.ran(0, fired())
    ledger.ran(2, fired())
    ledger.ran(1, fired(importance="critical"), now=at(9))
    assert ledger.of("suppression") == [(KEY, CRITICAL)]
    [(event_id, key, notify)] = ledger.of("notify")
    assert (event_id, key, notify.at, notify.importance) == (1, KEY, None, CRITICAL)
    assert notify.reason is NotifyReason.ESCALATED
    assert (notify.suppression is not None) is silenced


@pytest.mark.parametrize(("ended", "escalates"), [(False, True), (True, False)])
def test_no_step_follows_a_late_escalation_of_an_event_that_has_ended(
    ended: bool, escalates: bool
) -> None:
    ledger = Asked()
    ledger.ran(0, fired())
    ledger.ran(2, quiet() if ended else fired())
    ledger.ran(1, fired(importance="critical"), now=at(9))
    [(_, _, notify)] = ledger.of("notify")
    assert (notify.reason, notify.escalates) == (NotifyReason.ESCALATED, escalates)


# -- between runs ----------------------------------------------------------------------------


def released(ledger: Asked, minute: float, *tickers: str) -> Asked:
    """What was withheld of these tickers is released if nothing suppresses it."""
    ledger.calls.clear()
    keys = [(Kind.ALERT, ticker) for ticker in tickers]
    release_withheld(ledger.lifecycle, ledger, keys, at(minute))
    return ledger


def withheld(*silences: Silence, **policy: Any) -> Asked:
    ledger = Asked(silences, **policy)
    ledger.ran(0, fired("AAPL", importance="critical"), fired("IBM"))
    return ledger


def test_what_was_withheld_is_notified_as_of_the_moment_it_is_released() -> None:
    ledger = withheld(muted("*", end=5))
    ledger.ran(1, fired("AAPL", importance="low"), fired("IBM"))
    ledger._now = at(6)
    released(ledger, 6, "AAPL", "IBM")
    assert ledger.of("suppression") == [(KEY, CRITICAL), ((Kind.ALERT, "IBM"), HIGH)]
    assert ledger.of("suppress") == [(1, None), (2, None)]
    assert ledger.of("notify") == [
        (1, KEY, Notify(at(6), CRITICAL, NotifyReason.OPENED, sequence=1)),
        (2, (Kind.ALERT, "IBM"), Notify(at(6), HIGH, NotifyReason.OPENED, sequence=1)),
    ]


def test_what_is_still_suppressed_says_by_what_and_holds_up_no_other() -> None:
    ledger = withheld(muted("*", end=5), muted("AAPL", end=60))
    ledger._now = at(6)
    released(ledger, 6, "AAPL", "IBM")
    assert ledger.of("suppress") == [(1, SILENCED), (2, None)]
    assert [event_id for event_id, *_ in ledger.of("notify")] == [2]


def test_what_only_the_rate_limit_holds_back_has_no_other_reason_on_its_event() -> None:
    ledger = withheld(max_notifications_per_hour=1)
    ledger._now = at(6)
    released(ledger, 6, "IBM")
    assert (ledger.of("suppress"), ledger.of("notify")) == ([], [])


def test_an_acknowledgement_that_ended_while_muted_restarts_the_steps() -> None:
    ledger = withheld(muted("*", end=5))
    acknowledge(ledger, *KEY, at(1), "ann", at(2))
    ledger._now = at(6)
    released(ledger, 6, "AAPL")
    [(_, _, notify)] = ledger.of("notify")
    assert notify == Notify(at(6), CRITICAL, NotifyReason.OPENED, sequence=1, restarts=True)


def snoozed(*silences: Silence, until: float = 2, **policy: Any) -> Asked:
    """A ledger with an event that is acknowledged until a minute."""
    ledger = Asked(silences, **policy)
    ledger.ran(0, fired(importance="critical"))
    acknowledge(ledger, *KEY, at(1), "ann", at(until))
    ledger.calls.clear()
    return ledger


def ended_at(ledger: Asked, minute: float) -> Asked:
    """Acknowledgements whose time is over by then have ended."""
    ledger.calls.clear()
    ledger._now = at(minute)
    end_snoozes(ledger.lifecycle, ledger, [KEY], at(minute))
    return ledger


def test_an_acknowledgement_ends_without_a_run_once_its_time_is_over() -> None:
    ledger = snoozed()
    assert ended_at(ledger, 1.9).of("notify") == []
    ended = ended_at(ledger, 2)
    reason = NotifyReason.ACKNOWLEDGEMENT_ENDED
    assert ended.of("notify") == [
        (1, KEY, Notify(at(2), CRITICAL, reason, sequence=1, restarts=True))
    ]
    assert ended.of("reopen") == [(1, TIME_OVER)]
    assert ended.of("suppress") == [(1, None)]
    assert ended.events[0].acknowledged_by is None
    assert ended_at(ledger, 3).of("notify") == []
    ledger.ran(4, fired(importance="critical"))
    assert (ledger.of("notify"), ledger.of("reopen")) == ([], [])


def test_a_run_that_comes_first_leaves_nothing_to_end() -> None:
    ledger = snoozed()
    ledger.ran(2, fired(importance="critical"))
    assert ledger.of("reopen") == [(1, TIME_OVER)]
    assert ended_at(ledger, 2).of("reopen") == []


def test_the_end_of_an_acknowledgement_while_muted_says_so_and_is_sent_later() -> None:
    ledger = ended_at(snoozed(muted("*", start=1, end=5)), 2)
    assert ledger.of("suppress") == [(1, SILENCED)]
    [(_, _, notify)] = ledger.of("notify")
    assert notify.suppression.code is SILENCED
    ledger._now = at(6)
    [(_, _, notify)] = released(ledger, 6, "AAPL").of("notify")
    reason = NotifyReason.ACKNOWLEDGEMENT_ENDED
    assert notify == Notify(at(6), CRITICAL, reason, sequence=2)


def test_what_was_withheld_before_is_recorded_once_where_an_acknowledgement_ends() -> None:
    ledger = ended_at(snoozed(muted("*", end=5)), 2)
    assert (ledger.of("notify"), ledger.of("reopen")) == ([], [(1, TIME_OVER)])


def test_the_end_of_an_acknowledgement_counts_for_the_rate_limit() -> None:
    ledger = ended_at(snoozed(max_notifications_per_hour=2), 2)
    assert ledger.notified == [at(0), at(2)]


def test_a_value_that_crosses_its_limit_reopens_the_event_with_the_reason() -> None:
    ledger = Asked()
    ledger.ran(0, fired())
    acknowledge(ledger, *KEY, at(0.5), "ann", limits=Limits(above=160))
    ledger.ran(1, fired(metrics={"value": 159.0}))
    assert ledger.of("reopen") == []
    ledger.ran(2, fired(metrics={"value": 161.0}))
    crossed = NotifyReason.VALUE_CROSSED
    assert ledger.of("reopen") == [(1, SnoozeEnd(crossed, "the value 161 is above 160"))]
    [(_, _, notify)] = ledger.of("notify")
    assert notify == Notify(at(2), HIGH, crossed, sequence=1, restarts=True)
    ledger.ran(3, fired(metrics={"value": 170.0}))
    assert (ledger.of("reopen"), ledger.of("notify")) == ([], [])


@pytest.mark.parametrize("sticky", [False, True])
def test_a_late_escalation_keeps_the_limits_of_a_sticky_acknowledgement(sticky: bool) -> None:
    ledger = Asked(sticky_acknowledgement=sticky)
    ledger.ran(0, fired())
    ledger.ran(2, fired())
    acknowledge(ledger, *KEY, at(3), "ann", at(60), Limits(above=160))
    ledger.ran(1, fired(importance="critical"), now=at(9))
    series = ledger.series[KEY]
    held = (True, at(60), Limits(above=160)) if sticky else (False, None, None)
    assert (
        series.acknowledged,
        series.acknowledged_until,
        series.acknowledged_limits,
    ) == held
    assert series.event_importance is CRITICAL
