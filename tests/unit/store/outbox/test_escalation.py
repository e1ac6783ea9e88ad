"""Who is asked next while nobody acknowledges, by a clock that the test holds.

Three steps: five, fifteen and thirty minutes after people were told. A deliverer comes each minute.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Engine

from sentinel_core.model.run import Rule
from sentinel_core.model.silence import Matchers, Silence
from sentinel_core.store.outbox.claim import claim, due
from sentinel_core.store.outbox.settle import settle
from sentinel_core.store.record import silences
from sentinel_core.store.record.acknowledge import acknowledge, unacknowledge
from sentinel_core.store.record.recording import notify_unmuted
from sentinel_core.store.record.resolve import resolve
from tests.support.posted import deliver_at
from tests.support.runs import a_rule, a_run, at, fired, quiet, rows, told

FIRST = "slack-webhook/first"
STEPS = [
    {"after_seconds": 300, "channels": ["pager-duty-webhook/one"]},
    {"after_seconds": 900, "channels": ["pager-duty-webhook/two"]},
    {"after_seconds": 1800, "channels": ["pager-duty-webhook/three"]},
]
OPENED = (0, "first opened")
ALL = [OPENED, (5, "one step-1"), (15, "two step-2"), (30, "three step-3")]


@dataclass
class Clock:
    """One rule, and a deliverer that comes each minute."""

    engine: Engine
    rule: Rule
    minute: int = -1
    handed: list[tuple[int, str]] = field(default_factory=list)

    def until(self, minute: int) -> None:
        """Let time pass, this minute included."""
        while self.minute < minute:
            self.minute += 1
            self.handed += [
                (self.minute, f"{message.channel} {message.reason}")
                for message in deliver_at(self.engine, at(self.minute))
            ]

    def run(self, minute: float, output: Any) -> None:
        told(self.engine, self.rule, a_run(minute), [output], now=at(minute))

    def event(self) -> list[int]:
        return [row["id"] for row in rows(self.engine, "alert_event")][-1:]

    def acknowledge(self, minute: float, until: float | None = None) -> None:
        end = None if until is None else at(until)
        acknowledge(self.engine, self.event(), by="ana", until=end, now=at(minute))

    def silence(self, start: float, end: float) -> None:
        quiet_time = Silence(
            matchers=Matchers(rule="*"),
            starts_at=at(start),
            ends_at=at(end),
            author="ana",
            comment="maintenance",
        )
        silences.create(self.engine, quiet_time, now=at(start))


def a_clock(engine: Engine, **more: Any) -> Clock:
    notify = {importance: [FIRST] for importance in ("critical", "high", "medium")}
    return Clock(engine, a_rule(**{"notify": notify, "escalation": STEPS, **more}))


def why_not(engine: Engine) -> dict[str, str]:
    """Why a step was not sent."""
    return {
        row["reason"]: row["last_error"]
        for row in rows(engine, "notification", status="suppressed")
        if row["reason"].startswith("step-")
    }


def test_nobody_acknowledges_and_each_step_is_asked_in_its_turn(engine: Engine) -> None:
    clock = a_clock(engine)
    clock.run(0, fired())
    clock.until(60)
    assert clock.handed == ALL
    recorded = rows(engine, "notification")
    assert [(row["reason"], row["status"], row["sent_at"]) for row in recorded] == [
        ("opened", "sent", at(0)),
        ("step-1", "sent", at(5)),
        ("step-2", "sent", at(15)),
        ("step-3", "sent", at(30)),
    ]


def test_reminders_and_further_runs_add_no_steps(engine: Engine) -> None:
    clock = a_clock(engine, policy={"repeat_seconds": 600})
    for minute in range(0, 50, 5):
        clock.run(minute, fired())
        clock.until(minute)
    assert [step for step in clock.handed if "step" in step[1]] == ALL[1:]
    assert [step for step in clock.handed if "reminder" in step[1]] == [
        (minute, "first reminder") for minute in (10, 20, 30, 40)
    ]


def test_acknowledged_after_the_first_step_the_second_is_never_sent(engine: Engine) -> None:
    clock = a_clock(engine)
    clock.run(0, fired())
    clock.until(10)
    clock.acknowledge(10)
    assert why_not(engine) == dict.fromkeys(
        ("step-2", "step-3"), "acknowledged by ana at 2026-11-02 09:10 UTC"
    ), "the record says so at once, not when the step would have been due"
    clock.until(90)
    assert [step for step in clock.handed if "acknowledged" not in step[1]] == ALL[:2]


def test_taken_back_the_steps_left_come_as_long_after_that(engine: Engine) -> None:
    clock = a_clock(engine)
    clock.run(0, fired())
    clock.until(10)
    clock.acknowledge(10)
    clock.until(40)
    unacknowledge(engine, clock.event(), by="ana", now=at(40))
    clock.until(120)
    steps = [step for step in clock.handed if "step" in step[1]]
    assert steps == [(5, "one step-1"), (55, "two step-2"), (70, "three step-3")]


def test_an_acknowledgement_for_a_time_puts_the_escalation_back_to_its_beginning(
    engine: Engine,
) -> None:
    clock = a_clock(engine)
    clock.run(0, fired())
    clock.until(7)
    clock.acknowledge(7, until=20)
    clock.until(20)
    clock.run(20, fired())  # notices that the time is up
    clock.until(90)
    steps = [step for step in clock.handed if "step" in step[1]]
    assert steps == [
        (5, "one step-1"),
        (25, "one step-1"),
        (35, "two step-2"),
        (50, "three step-3"),
    ]


def test_a_step_after_the_end_of_an_acknowledgement_comes_though_no_run_does(
    engine: Engine,
) -> None:
    clock = a_clock(engine)
    clock.run(0, fired())
    clock.until(7)
    clock.acknowledge(7, until=20)
    clock.until(90)
    assert [step for step in clock.handed if "step" in step[1]] == [ALL[1], ALL[3]]


@pytest.mark.parametrize("by_hand", [False, True], ids=["by itself", "by hand"])
def test_what_is_over_escalates_no_further(engine: Engine, by_hand: bool) -> None:
    clock = a_clock(engine)
    clock.run(0, fired())
    clock.until(10)
    if by_hand:
        resolve(engine, clock.event(), by="ana", now=at(10))
    else:
        clock.run(10, quiet())
    clock.until(60)
    assert [step for step in clock.handed if "resolved" not in step[1]] == ALL[:2]
    assert set(why_not(engine)) == {"step-2", "step-3"}


def test_those_who_were_asked_hear_that_it_is_over_and_those_who_were_not_do_not(
    engine: Engine,
) -> None:
    clock = a_clock(engine)
    clock.run(0, fired())
    clock.until(9)
    clock.run(10, quiet())
    clock.until(60)
    assert clock.handed == [*ALL[:2], (10, "one resolved")]


def test_while_it_is_mute_a_step_waits(engine: Engine) -> None:
    clock = a_clock(engine)
    clock.run(0, fired())
    clock.until(3)
    clock.silence(4, 12)
    clock.until(60)
    assert clock.handed == [OPENED, (12, "one step-1"), *ALL[2:]]


def test_what_opens_while_it_is_mute_escalates_from_when_people_are_told(engine: Engine) -> None:
    clock = a_clock(engine)
    clock.silence(0, 20)
    clock.run(0, fired())
    clock.until(19)
    notify_unmuted(engine, {clock.rule.deployment_id: clock.rule}, at(20))
    clock.until(60)
    assert clock.handed == [(20 + minute, what) for minute, what in ALL]


def test_a_higher_importance_has_steps_of_its_own_and_ends_those_of_the_lower(
    engine: Engine,
) -> None:
    escalation = {
        "high": STEPS,
        "critical": [{"after_seconds": 120, "channels": ["pager-duty-webhook/boss"]}],
    }
    clock = a_clock(engine, escalation=escalation)
    clock.run(0, fired())
    clock.until(9)
    clock.run(10, fired(importance="critical"))
    clock.until(60)
    assert clock.handed == [
        *ALL[:2],
        (10, "first escalated-critical"),
        (12, "boss step-1"),
    ]
    assert why_not(engine) == dict.fromkeys(
        ("step-2", "step-3"), "the event is critical by now, which has its own steps"
    )


def test_a_higher_importance_than_was_acknowledged_escalates_anew(engine: Engine) -> None:
    clock = a_clock(engine)
    clock.run(0, fired())
    clock.until(2)
    clock.acknowledge(2)
    clock.until(9)
    clock.run(10, fired(importance="critical"))
    clock.until(60)
    steps = [step for step in clock.handed if "step" in step[1]]
    assert steps == [(15, "one step-1"), (25, "two step-2"), (40, "three step-3")]


def test_what_came_and_went_before_it_was_known_asks_nobody(engine: Engine) -> None:
    clock = a_clock(engine)
    clock.run(5, quiet())
    clock.run(0, fired())
    assert [row["reason"] for row in rows(engine, "notification")] == ["opened"]


def test_steps_of_several_events_that_are_due_together_leave_together(engine: Engine) -> None:
    clock = a_clock(engine, escalation=[{"after_seconds": 60, "channels": ["slack-webhook/boss"]}])
    told(engine, clock.rule, a_run(0), [fired("A"), fired("B")], now=at(0))
    assert len(deliver_at(engine, at(0))) == 1
    [message] = deliver_at(engine, at(1))
    assert (message.reason, len(message.events)) == ("step-1", 2)


def test_a_step_that_waits_holds_up_nothing_else_in_its_channel(engine: Engine) -> None:
    clock = a_clock(
        engine,
        policy={"notify_resolved": True},
        escalation=[{"after_seconds": 600, "channels": [FIRST]}],
    )
    clock.run(0, fired())
    clock.until(1)
    clock.run(2, quiet())
    clock.until(20)
    assert clock.handed == [OPENED, (2, "first resolved")]


def test_a_step_that_is_on_its_way_when_somebody_acknowledges_is_on_record_as_sent(
    engine: Engine,
) -> None:
    clock = a_clock(engine)
    clock.run(0, fired())
    clock.until(4)
    [key] = due(engine, at(5))
    owed = claim(engine, key, at(5))
    assert owed is not None
    clock.acknowledge(5)
    settle(engine, owed.ids, status="sent", error=None, now=at(5))
    [step] = rows(engine, "notification", reason="step-1")
    assert (step["status"], step["sent_at"]) == ("sent", at(5))
