"""Who is told what of an event: in which channels, for which reason, on either database.

Each story is a list of what happens, and after each step what has been handed to the channels.
Runs are a minute apart and delivered at once; the clock starts at nine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from sentinel_core.model.run import Rule
from sentinel_core.model.silence import Matchers, Silence
from sentinel_core.store.outbox.claim import claim
from sentinel_core.store.outbox.settle import settle
from sentinel_core.store.record import silences
from sentinel_core.store.record.acknowledge import acknowledge, unacknowledge
from sentinel_core.store.record.resolve import resolve
from tests.support.posted import deliver_at
from tests.support.runs import a_rule, a_run, at, fired, quiet, rows, told

HOOK, CHAT, PAGE = "slack-incoming-webhook/ops", "slack-credentials/bot", "pager-duty-webhook/duty"
THREAD = {"channel": CHAT, "to": "#alerts"}


@dataclass
class Story:
    """One rule whose only series is AAPL, told minute by minute."""

    engine: Engine
    rule: Rule
    minute: int = 0

    @property
    def now(self) -> datetime:
        return at(self.minute)

    def step(self, what: str) -> list[str]:
        """Let it happen; "channel reason" of what was handed over because of it."""
        name, _, argument = what.partition(" ")
        steps: dict[str, Callable[[str], None]] = {
            "fires": self._fires,
            "ends": self._ends,
            "ack": self._acknowledged,
            "unack": self._unacknowledged,
            "resolve": self._resolved,
            "silence": self._silenced,
        }
        steps[name](argument)
        handed = sorted(
            f"{message.channel.partition(' ')[0]} {message.reason}"
            for message in deliver_at(self.engine, self.now)
        )
        self.minute += 1
        return handed

    def _fires(self, importance: str) -> None:
        output = fired(importance=importance or None)
        told(self.engine, self.rule, a_run(self.minute), [output], now=self.now)

    def _ends(self, _: str) -> None:
        told(self.engine, self.rule, a_run(self.minute), [quiet()], now=self.now)

    def _event(self) -> list[int]:
        return [rows(self.engine, "alert_event")[-1]["id"]]

    def _acknowledged(self, minutes: str) -> None:
        until = at(self.minute + float(minutes)) if minutes else None
        acknowledge(self.engine, self._event(), by="ana", until=until, now=self.now)

    def _unacknowledged(self, _: str) -> None:
        unacknowledge(self.engine, self._event(), by="ana", now=self.now)

    def _resolved(self, _: str) -> None:
        resolve(self.engine, self._event(), by="ana", now=self.now)

    def _silenced(self, minutes: str) -> None:
        silence = Silence(
            matchers=Matchers(rule=self.rule.name),
            starts_at=self.now,
            ends_at=at(self.minute + float(minutes or 1_000)),
            author="ana",
            comment="quiet please",
        )
        silences.create(self.engine, silence, now=self.now)


STORIES: dict[str, tuple[dict[str, Any], list[tuple[str, list[str]]]]] = {
    "an event is told once, and its end to nobody unless somebody asked": (
        {"notify": {"high": [HOOK]}},
        [("fires", ["ops opened"]), ("fires", []), ("ends", [])],
    ),
    "the policy asks for the end": (
        {"notify": {"high": [HOOK]}, "policy": {"notify_resolved": True}},
        [("fires", ["ops opened"]), ("ends", ["ops resolved"])],
    ),
    "a route asks for the end, and another one does not": (
        {"notify": {"high": [{"channel": HOOK, "resolved": True}, "slack-webhook/other"]}},
        [("fires", ["ops opened", "other opened"]), ("ends", ["ops resolved"])],
    ),
    "a route does without the end that the policy asks for": (
        {
            "notify": {"high": [{"channel": HOOK, "resolved": False}, "slack-webhook/other"]},
            "policy": {"notify_resolved": True},
        },
        [("fires", ["ops opened", "other opened"]), ("ends", ["other resolved"])],
    ),
    "an incident and a thread hear of the end whatever the policy says": (
        {"notify": {"high": [PAGE, THREAD, HOOK]}},
        [
            ("fires", ["bot opened", "duty opened", "ops opened"]),
            ("ends", ["bot resolved", "duty resolved"]),
        ],
    ),
    "the end goes where it was told although it matters more by now": (
        {"notify": {"high": [PAGE], "critical": ["slack-webhook/all"]}},
        [
            ("fires high", ["duty opened"]),
            ("fires critical", ["all escalated-critical"]),
            ("ends", ["duty resolved"]),
        ],
    ),
    "and to the channels of both importances where the policy asks for it": (
        {
            "notify": {"high": [HOOK], "critical": ["slack-webhook/all"]},
            "policy": {"notify_resolved": True},
        },
        [
            ("fires high", ["ops opened"]),
            ("fires critical", ["all escalated-critical"]),
            ("ends", ["all resolved", "ops resolved"]),
        ],
    ),
    "a reminder comes while nobody acknowledges": (
        {"notify": {"high": [HOOK]}, "policy": {"repeat_seconds": 120}},
        [
            ("fires", ["ops opened"]),
            ("fires", []),
            ("fires", ["ops reminder"]),
            ("ack", []),
            ("fires", []),
            ("fires", []),
        ],
    ),
    "a route without reminders has none": (
        {
            "notify": {"high": [{"channel": HOOK, "reminders": False}, "slack-webhook/other"]},
            "policy": {"repeat_seconds": 60},
        },
        [("fires", ["ops opened", "other opened"]), ("fires", ["other reminder"])],
    ),
    "each route is reminded at its own pace": (
        {
            "notify": {
                "high": [{"channel": HOOK, "repeat_seconds": 60}, "slack-webhook/other"],
            },
            "policy": {"repeat_seconds": 180},
        },
        [
            ("fires", ["ops opened", "other opened"]),
            ("fires", ["ops reminder"]),
            ("fires", ["ops reminder"]),
            ("fires", ["ops reminder", "other reminder"]),
        ],
    ),
    "a route that asks for reminders does not ask for those of others": (
        {"notify": {"high": [{"channel": HOOK, "repeat_seconds": 60}, "slack-webhook/other"]}},
        [("fires", ["ops opened", "other opened"]), ("fires", ["ops reminder"])],
    ),
    "an acknowledgement is told to threads and incidents": (
        {"notify": {"high": [PAGE, THREAD, HOOK]}},
        [
            ("fires", ["bot opened", "duty opened", "ops opened"]),
            ("ack", ["bot acknowledged", "duty acknowledged"]),
            ("unack", ["bot unacknowledged", "duty unacknowledged"]),
            ("ack", ["bot acknowledged", "duty acknowledged"]),
        ],
    ),
    "and wherever a route asks for it, or not where it asks not to": (
        {
            "notify": {
                "high": [
                    {"channel": PAGE, "acknowledged": False},
                    {"channel": HOOK, "acknowledged": True},
                ]
            }
        },
        [("fires", ["duty opened", "ops opened"]), ("ack", ["ops acknowledged"])],
    ),
    "an acknowledgement that is over is told to all who hear of the event": (
        {"notify": {"high": [PAGE, HOOK]}},
        [
            ("fires", ["duty opened", "ops opened"]),
            ("ack 1", ["duty acknowledged"]),
            ("fires", ["duty acknowledgement-ended", "ops acknowledgement-ended"]),
        ],
    ),
    "who ends an event by hand tells those who heard of it": (
        {"notify": {"high": [PAGE, HOOK]}, "policy": {"notify_resolved": True}},
        [("fires", ["duty opened", "ops opened"]), ("resolve", ["duty resolved", "ops resolved"])],
    ),
    "what is mute is told to nobody, nor is its end": (
        {"notify": {"high": [PAGE, HOOK]}, "policy": {"notify_resolved": True}},
        [("silence", []), ("fires", []), ("ends", [])],
    ),
    "what was told before it became mute ends for the incident only": (
        {"notify": {"high": [PAGE, HOOK]}, "policy": {"notify_resolved": True}},
        [
            ("fires", ["duty opened", "ops opened"]),
            ("silence", []),
            ("fires critical", []),
            ("ends", ["duty resolved"]),
        ],
    ),
    "and so it is when somebody ends it by hand": (
        {"notify": {"high": [PAGE, HOOK]}, "policy": {"notify_resolved": True}},
        [
            ("fires", ["duty opened", "ops opened"]),
            ("silence", []),
            ("resolve", ["duty resolved"]),
        ],
    ),
    "an end that nobody confirms any longer is told like any other": (
        {
            "notify": {"high": [PAGE, HOOK]},
            "policy": {"notify_resolved": True, "expire_seconds": 60},
        },
        [("fires", ["duty opened", "ops opened"]), ("passes", ["duty resolved", "ops resolved"])],
    ),
    "and while it is mute to the incident only": (
        {
            "notify": {"high": [PAGE, HOOK]},
            "policy": {"notify_resolved": True, "expire_seconds": 120},
        },
        [
            ("fires", ["duty opened", "ops opened"]),
            ("silence", []),
            ("passes", ["duty resolved"]),
        ],
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_people_are_told(engine: Engine, name: str) -> None:
    settings, steps = STORIES[name]
    story = Story(engine, a_rule(**settings))
    for what, expected in steps:
        if what == "passes":  # a run that says nothing of AAPL
            run = a_run(story.minute)
            told(engine, story.rule, run, [quiet("NVDA")], now=story.now)
            handed = [f"{m.channel} {m.reason}" for m in deliver_at(engine, story.now)]
            assert (what, sorted(handed)) == (what, expected)
            continue
        assert (what, story.step(what)) == (what, expected)


def test_a_series_that_flaps_and_calms_down_says_so_where_it_was_told(engine: Engine) -> None:
    rule = a_rule(notify={"high": [HOOK]}, policy={"flapping": {}})
    story = Story(engine, rule)
    handed = [story.step(what) for what in ["fires", "ends"] * 8 + ["ends"] * 20]
    reasons = [message for step in handed for message in step]
    assert reasons[-2:] == ["ops flapping", "ops flapping-ended"]


def test_nobody_hears_of_the_end_where_the_beginning_never_arrived(engine: Engine) -> None:
    rule = a_rule(notify={"high": [HOOK]}, policy={"notify_resolved": True})
    told(engine, rule, a_run(0), [fired()], now=at(0))
    deliver_at(engine, at(0), status="failed", error="no such block")
    told(engine, rule, a_run(1), [quiet()], now=at(1))
    assert deliver_at(engine, at(1)) == []
    assert [row["reason"] for row in rows(engine, "notification")] == ["opened"]


def test_who_may_have_got_the_page_hears_of_its_end(engine: Engine) -> None:
    rule = a_rule(notify={"high": [PAGE]})
    [key] = told(engine, rule, a_run(0), [fired()], now=at(0)).notifications
    owed = claim(engine, key, at(0))
    assert owed is not None
    settle(engine, key, status="failed", error="timed out", now=at(0), unknown=True)
    told(engine, rule, a_run(1), [quiet()], now=at(1))
    assert [message.reason for message in deliver_at(engine, at(1))] == ["resolved"]
