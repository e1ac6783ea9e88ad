"""Whatever happens in whatever order: nothing that is owed is lost, and nothing is sent twice.

A machine records, claims, settles, dies without settling, acknowledges, resolves, lets time pass
and ends storms. After each step, and when everything has calmed down, the outbox must agree with
what the machine has seen.
"""

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine

from sentinel_core.decide.storms import Composition
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import is_step
from sentinel_core.store.outbox.claim import LEASE, ClaimedMessage, claim, due
from sentinel_core.store.outbox.settle import settle
from sentinel_core.store.outbox.storm_upkeep import end_storms, report_resolved_storms
from sentinel_core.store.record.acknowledge import acknowledge, unacknowledge
from sentinel_core.store.record.resolve import resolve
from tests.support.runs import T0, a_rule, a_run, fired, quiet, rows, told
from tests.support.search import examples

_names = (f"machine-{n}" for n in itertools.count())
TICKERS = ("A", "B", "C", "D")
OUTCOMES = ("sent", "pending", "failed")
pick = st.integers(0, 10_000)


def the_rule(name: str, rule_name: str) -> Any:
    """Channels of every sort, each of this example alone: they are known by its name."""
    notify = [
        {
            "channel": f"slack-webhook/{name}",
            "storm": {"events": 3, "window_seconds": 60},
            "group_wait_seconds": 20,
        },
        {"channel": f"pager-duty-webhook/{name}", "storm": None},
        {"channel": f"teams-webhook/{name}", "group_by": [], "group_interval_seconds": 90},
    ]
    return a_rule(
        rule_name,
        notify={"high": notify, "critical": notify},
        policy={"notify_resolved": True, "repeat_seconds": 300},
        escalation=[
            {"after_seconds": 120, "channels": [f"pager-duty-webhook/{name}"]},
            {"after_seconds": 600, "channels": [f"teams-webhook/{name}"]},
        ],
    )


class Outbox(RuleBasedStateMachine):
    """Two rules, their channels, and several deliverers that may die."""

    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        self.name = next(_names)
        self.rules = [the_rule(self.name, name) for name in (self.name, f"{self.name}-other")]
        self.now: datetime = T0
        self.minute = 0.0
        self.claims: list[ClaimedMessage] = []
        self.sent: set[int] = set()
        self.given_up: set[int] = set()
        self.stood_for: dict[int, tuple[datetime, set[int]]] = {}
        self.joined: set[int] = set()

    # -- what happens ----------------------------------------------------------------------

    @rule(
        states=st.dictionaries(
            st.sampled_from(TICKERS), st.sampled_from(["high", "critical", None]), min_size=1
        ),
        which=st.sampled_from([0, 0, 1]),
    )
    def record(self, states: dict[str, str | None], which: int) -> None:
        outputs = [
            fired(ticker, importance=Importance(level)) if level else quiet(ticker)
            for ticker, level in states.items()
        ]
        told(self.engine, self.rules[which], a_run(self.minute), outputs, now=self.now)

    @rule(seconds=st.sampled_from([1, 15, 60, 130, 700]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.minute += seconds / 60

    @rule(which=pick)
    def claim(self, which: int) -> None:
        due = self.due()
        if due:
            self._claim(due[which % len(due)])

    @rule(which=pick)
    def claim_what_may_not_be_due(self, which: int) -> None:
        found = self.messages()
        if found:
            self._claim(found[which % len(found)]["id"])

    @precondition(lambda self: self.claims)
    @rule(which=pick, status=st.sampled_from(OUTCOMES))
    def settle(self, which: int, status: str) -> None:
        """Perhaps long after its lease: it was slow."""
        self._settle(self.claims.pop(which % len(self.claims)), status)

    @precondition(lambda self: self.claims)
    @rule(which=pick)
    def die(self, which: int) -> None:
        self.claims.pop(which % len(self.claims))

    @rule(which=pick, what=st.sampled_from(["ack", "ack for a time", "unack", "resolve"]))
    def handle(self, which: int, what: str) -> None:
        events = self.events()
        if not events:
            return
        ids = [events[which % len(events)]]
        if what == "resolve":
            resolve(self.engine, ids, by="ana", now=self.now)
        elif what == "unack":
            unacknowledge(self.engine, ids, by="ana", now=self.now)
        else:
            until = self.now + timedelta(minutes=5) if what == "ack for a time" else None
            acknowledge(self.engine, ids, by="ana", until=until, now=self.now)

    @rule()
    def storms_end(self) -> None:
        end_storms(self.engine, self.now)
        report_resolved_storms(self.engine, self.now)

    # -- what must hold --------------------------------------------------------------------

    def _claim(self, key: int) -> None:
        before = {row["id"]: row for row in self.messages()}
        owed = claim(self.engine, key, self.now)
        if owed is None:
            return
        ids = set(owed.ids)
        assert not ids & self.sent, "what was sent is never claimed again"
        held = [set(c.ids) for c in self.claims if c.claimed_at + LEASE > self.now]
        assert not any(ids & others for others in held), "somebody else is sending it"
        for row in before.values():
            if row["id"] in ids and not is_step(row["reason"]):
                self._nothing_is_overtaken(row, before, ids)
        if owed.about and owed.id not in self.stood_for:
            self.stood_for[owed.id] = (self.now, in_storm(self.messages(), owed.id))
        self.claims.append(owed)

    @staticmethod
    def _nothing_is_overtaken(
        row: dict[str, Any], before: dict[int, dict[str, Any]], ids: set[int]
    ) -> None:
        for other in before.values():
            alike = (other["event_id"], other["about"], other["channel"]) == (
                row["event_id"],
                row["about"],
                row["channel"],
            )
            if alike and other["id"] < row["id"] and not is_step(other["reason"]):
                assert other["status"] != "pending" or other["id"] in ids, (other, row)

    def _settle(self, owed: ClaimedMessage, status: str) -> None:
        before = {row["id"]: row for row in self.messages()}
        again = self.now + timedelta(seconds=45) if status == "pending" else None
        settle(
            self.engine,
            owed.ids,
            status=status,
            error=None if status == "sent" else "503",
            now=self.now,
            next_attempt_at=again,
            claimed_at=owed.claimed_at,
        )
        mine = {
            key
            for key in owed.ids
            if before[key]["claimed_at"] == owed.claimed_at and before[key]["status"] == "pending"
        }
        if status == "sent":
            self.sent |= set(owed.ids)
        elif status == "failed":
            self.given_up |= mine

    @invariant()
    def what_arrived_stays_sent_and_what_was_given_up_stays_so(self) -> None:
        for row in self.messages():
            assert (row["status"] == "sent") == (row["id"] in self.sent), row
            if row["status"] == "failed":
                assert row["id"] in self.given_up

    @invariant()
    def no_message_stands_for_what_came_after_its_first_attempt(self) -> None:
        """However often it is attempted: the first attempt may be the one that arrived."""
        messages = self.messages()
        created = {row["id"]: row["created_at"] for row in messages}
        for message, (at, stood_for) in self.stood_for.items():
            assert in_storm(messages, message) == stood_for
            assert all(created[key] <= at for key in stood_for)

    @invariant()
    def a_storm_takes_only_what_it_is_made_of(self) -> None:
        messages = self.messages()
        joined = [row for row in messages if row["event_id"] and row["storm_id"]]
        joined = [row for row in joined if row["id"] not in self.joined]
        if not joined:
            return
        events = {row["id"]: row for row in rows(self.engine, "alert_event")}
        made_of = {
            row["storm_id"]: Composition.from_json(row["content"])
            for row in messages
            if row["about"] and "parts" in row["content"]
        }
        for row in joined:
            event = events[row["event_id"]]
            part = (event["rule_id"], event["kind"])
            assert made_of[row["storm_id"]].takes(part, Importance(event["importance"])), row
        self.joined |= {row["id"] for row in joined}

    @invariant()
    def what_is_not_sent_says_why(self) -> None:
        for row in self.messages():
            if row["status"] in ("suppressed", "failed"):
                assert row["last_error"], row
                assert row["settled_at"], row

    def teardown(self) -> None:
        """The channels work again and time passes: everything comes to an end."""
        for _ in range(80):
            self.now += timedelta(seconds=61)
            end_storms(self.engine, self.now)
            report_resolved_storms(self.engine, self.now)
            while due := self.due():
                before = [row["status"] for row in self.messages()]
                for key in due:
                    self._claim(key)
                    while self.claims:
                        self._settle(self.claims.pop(), "sent")
                assert due != self.due() or before != [row["status"] for row in self.messages()]
            if not any(row["status"] == "pending" for row in self.messages()):
                break
        left = [row for row in self.messages() if row["status"] == "pending"]
        assert not left, left
        self.what_arrived_stays_sent_and_what_was_given_up_stays_so()
        self.what_is_not_sent_says_why()
        self.no_message_stands_for_what_came_after_its_first_attempt()
        self.a_storm_takes_only_what_it_is_made_of()
        everybody_hears_of_every_event(self.messages(), self.events(resolved=True))

    # -- what there is ---------------------------------------------------------------------

    def messages(self) -> list[dict[str, Any]]:
        found = rows(self.engine, "notification")
        return [row for row in found if row["channel"].endswith(f"/{self.name}")]

    def due(self) -> list[int]:
        mine = {row["id"] for row in self.messages()}
        return [key for key in due(self.engine, self.now, limit=10_000) if key in mine]

    def events(self, *, resolved: bool = False) -> list[int]:
        names = {rule.name for rule in self.rules}
        found = [row for row in rows(self.engine, "alert_event") if row["rule_name"] in names]
        return [row["id"] for row in found if resolved or row["resolved_at"] is None]


def in_storm(messages: list[dict[str, Any]], message: int) -> set[int]:
    """The notifications of events that a storm's message stands for."""
    return {
        row["id"]
        for row in messages
        if row["message_id"] == message and row["event_id"] and row["storm_id"]
    }


def everybody_hears_of_every_event(messages: list[dict[str, Any]], events: list[int]) -> None:
    """By a message of its own, by a storm's, or there is a reason why not."""
    about_storms = {row["id"]: row for row in messages if row["about"]}
    for event in events:
        mine = [row for row in messages if row["event_id"] == event]
        opened: dict[str, dict[str, Any]] = {}
        for row in mine:
            if row["reason"] in ("opened", "flapping"):  # the first of them opened it
                opened.setdefault(row["channel"], row)
        assert len(opened) == 3
        for row in opened.values():
            if row["storm_id"] is not None:
                message = about_storms[row["message_id"]]
                assert message["storm_id"] == row["storm_id"]
                assert message["status"] in ("sent", "failed")
            elif row["status"] == "suppressed":
                assert row["last_error"] == "resolved by ana", row
            else:
                assert row["status"] in ("sent", "failed")


@pytest.fixture
def machine(engine: Engine) -> Iterator[type[Outbox]]:
    """The machine over an event store of each kind."""
    yield type("OutboxOf", (Outbox,), {"engine": engine})


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_is_sent_twice(
    machine: type[Outbox],
) -> None:
    quick = machine.engine.dialect.name == "sqlite"
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples(40 if quick else 8),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
