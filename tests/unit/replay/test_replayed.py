"""The same history through a real store and through a simulation: the same events, the same
decisions with the same reasons, the same messages."""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Engine, insert, select, update

from sentinel_core.decide.observe import Kind
from sentinel_core.decide.snooze import Limits
from sentinel_core.decide.state import Series
from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule
from sentinel_core.model.silence import Matchers, Silence
from sentinel_core.replay.ledger import MemoryLedger
from sentinel_core.store.db.engine import reading, writing
from sentinel_core.store.db.tables import EVENT, NOTIFICATION, SILENCE
from sentinel_core.store.record.acknowledge import acknowledge, unacknowledge
from sentinel_core.store.record.recording import end_due_snoozes, notify_unmuted, record
from sentinel_core.store.record.resolve import resolve
from sentinel_core.store.state.snapshot import RuleSnapshot
from tests.support.histories import (
    CHANNELS,
    PAGED,
    RULE,
    Hand,
    History,
    Ran,
    Released,
    Setting,
    any_setting,
    hand,
    histories,
    ran,
)
from tests.support.runs import a_rule, at, fired, quiet, rows
from tests.support.search import examples

_names = (f"{RULE}-{n}" for n in itertools.count())


def of_this_rule(setting: Setting, name: str) -> Setting:
    """The silences of a setting, for this rule only: all examples share one database."""
    only = tuple(
        silence.model_copy(
            update={
                "matchers": Matchers.model_validate(
                    {**silence.matchers.model_dump(exclude_defaults=True), "rule": name}
                )
            }
        )
        for silence in setting.silences
    )
    return Setting(setting.settings, only, name=name)


def silence_all(engine: Engine, setting: Setting) -> None:
    """The setting's silences, in the store."""
    with writing(engine) as connection:
        for silence in setting.silences:
            row = silence.model_dump(
                mode="json", exclude={"id", "starts_at", "ends_at", "ended_at"}
            )
            times = {"starts_at": silence.starts_at, "ends_at": silence.ends_at}
            connection.execute(insert(SILENCE).values(**row, **times, created_at=silence.starts_at))


class Live:
    """One rule in a real store."""

    def __init__(self, engine: Engine, rule: Rule) -> None:
        self.engine, self.rule = engine, rule

    def happen(self, item: Ran | Hand | Released, event_id: int | None) -> None:
        """`event_id`: the open event that a person does something to."""
        if isinstance(item, Released):
            end_due_snoozes(self.engine, {self.rule.deployment_id: self.rule}, item.at)
            notify_unmuted(self.engine, {self.rule.deployment_id: self.rule}, item.at)
        elif isinstance(item, Ran):
            seen = item.seen(self.rule.settings)
            record(self.engine, self.rule, item.facts, seen, now=item.now)
        elif event_id is not None:
            by: dict[str, Any] = {"by": "ann", "now": item.at}
            if item.what == "acknowledge":
                above, below = item.limits or Limits()
                acknowledge(
                    self.engine, [event_id], until=item.until, above=above, below=below, **by
                )
            elif item.what == "unacknowledge":
                unacknowledge(self.engine, [event_id], **by)
            else:
                resolve(self.engine, [event_id], **by)
        self._deliver()

    def _deliver(self) -> None:
        """What is owed is sent before anything else happens: its channels take all there is."""
        with writing(self.engine) as connection:
            mine = select(EVENT.c.id).where(EVENT.c.rule_name == self.rule.name)
            n = NOTIFICATION.c
            waiting = update(NOTIFICATION).where(n.status == "pending", n.event_id.in_(mine))
            connection.execute(waiting.values(status="sent", attempts=1))

    @property
    def id(self) -> int:
        """The rule's row."""
        [row] = rows(self.engine, "alert_rule", name=self.rule.name)
        return int(row["id"])

    def open_event(self, kind: Kind, ticker: str) -> int | None:
        """The unresolved event of a series."""
        found = rows(self.engine, "alert_event", rule_name=self.rule.name, kind=kind.value)
        unresolved = [e for e in found if e["ticker"] == ticker and e["resolved_at"] is None]
        return int(unresolved[0]["id"]) if unresolved else None

    def events(self) -> list[tuple[Any, ...]]:
        """Every event, in an order that does not depend on its number."""
        return sorted(
            (
                e["kind"],
                e["ticker"],
                e["timestamp"],
                e["resolved_at"],
                e["resolution"],
                e["importance"],
                e["occurrences"],
                e["acknowledged_by"],
                e["message"],
                tuple(self.messages(e["id"])),
            )
            for e in rows(self.engine, "alert_event", rule_name=self.rule.name)
        )

    def messages(self, event_id: int) -> list[tuple[str, str, str | None]]:
        """Channel, reason and why it was held back."""
        return [
            (n["channel"], n["reason"], n["last_error"])
            for n in rows(self.engine, "notification", event_id=event_id)
        ]

    def steps(self) -> dict[Any, set[tuple[Any, ...]]]:
        """What each run decided."""
        found: dict[Any, set[tuple[Any, ...]]] = defaultdict(set)
        for e in rows(self.engine, "evaluation", rule_id=self.id):
            found[e["prefect_flow_run_id"]].add(
                (
                    e["kind"],
                    e["ticker"],
                    e["at"],
                    e["triggered"],
                    e["message"],
                    e["decision"],
                    e["decision_code"],
                    e["decision_reason"],
                )
            )
        return found

    def series(self) -> dict[tuple[Kind, str], Series]:
        """What is known of each series."""
        with reading(self.engine) as connection:
            known = RuleSnapshot(connection, self.id, None).read_series([], everything=True)
        return {key: _comparable(one) for key, one in known.items()}


def _comparable(series: Series) -> Series:
    return replace(series, event_id=None)


def events_of(sim: MemoryLedger) -> list[tuple[Any, ...]]:
    """As `Live.events` has them."""
    told: dict[int, list[tuple[str, str, str | None]]] = defaultdict(list)
    for message in sim.notifications:
        for channel in message.channels:
            told[message.event_id].append((channel, message.reason, message.suppressed))
    return sorted(
        (
            e.kind.value,
            e.ticker,
            e.opened_at,
            e.resolved_at,
            e.resolution,
            e.importance.value,
            e.occurrences,
            e.acknowledged_by,
            e.message,
            tuple(told[e.id]),
        )
        for e in sim.events
    )


def decided(sim: MemoryLedger, since: int) -> set[tuple[Any, ...]]:
    """As `Live.steps` has them, of the newest run."""
    return {
        (
            s.observation.kind.value,
            s.observation.ticker,
            s.observation.at,
            s.observation.breached,
            s.observation.message,
            s.decision.action,
            s.decision.code,
            s.decision.reason,
        )
        for s in sim.evaluations[since:]
    }


def both(engine: Engine, setting: Setting, history: History) -> MemoryLedger:
    """Let it happen in a store and in memory, and compare all there is."""
    setting = of_this_rule(setting, next(_names))
    live = Live(engine, a_rule(setting.name, **setting.settings.model_dump(mode="json")))
    assert live.rule.settings == setting.settings
    silence_all(engine, setting)
    sim = setting.simulation()
    expected: dict[Any, set[tuple[Any, ...]]] = {}
    for item in history:
        steps = len(sim.evaluations)
        event_id = live.open_event(*item.key) if isinstance(item, Hand) else None
        done = item.happen(sim)
        if not isinstance(item, Hand) or done:
            live.happen(item, event_id)
        if isinstance(item, Ran):
            expected[item.facts.id] = decided(sim, steps)
    assert live.steps() == expected
    assert live.events() == events_of(sim)
    assert live.series() == {key: _comparable(one) for key, one in sim.series.items()}
    return sim


@pytest.mark.slow("postgres")
@settings(
    max_examples=examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(setting=any_setting(inhibited=False), history=histories(16, releases=True))
def test_any_history_is_decided_in_memory_as_it_was_live(
    engine: Engine, setting: Setting, history: History
) -> None:
    both(engine, setting, history)


# -- what chance finds seldom --------------------------------------------------------------


def rule_of(
    conditions: Sequence[dict[str, Any]] = (),
    notify: Mapping[str, Any] = CHANNELS,
    **policy: Any,
) -> Setting:
    said = {"notify": notify, "conditions": conditions, "policy": policy}
    return Setting(RuleSettings.model_validate(said))


def run(
    minute: float, *outputs: AlertOutput, now: float | None = None, state: str = "COMPLETED"
) -> Ran:
    return ran(minute, (state, None, outputs), now=minute if now is None else now)


def line(states: str, ticker: str = "A") -> list[Ran | Hand]:
    """A run a minute: triggered or not, or failed."""
    return [
        run(n, state="FAILED") if s == "x" else run(n, fired(ticker) if s == "1" else quiet(ticker))
        for n, s in enumerate(states)
    ]


def by_hand(what: str, minute: float, kind: Kind = Kind.ALERT, ticker: str = "A") -> Hand:
    return hand(what, kind, ticker, None, now=minute)


def silent(first: int, end: int) -> Silence:
    """Everything of the rule, from one minute to another."""
    matchers = Matchers.model_validate({"rule": RULE})
    return Silence(
        matchers=matchers, starts_at=at(first), ends_at=at(end), author="bob", comment="moving"
    )


CRITICAL = fired("A", importance="critical")
LIMITED = {"max_notifications_per_hour": 2, "notify_resolved": True}
KNOWN: dict[str, tuple[Setting, History, set[str]]] = {
    "flapping from its start to its end": (
        rule_of(flapping={"start_percent": 30, "stop_percent": 25}),
        line("1010101" + "0101" + "1" * 18),
        {"flapping", "flapping-ended"},
    ),
    "several series of one run share the rate limit": (
        rule_of(**LIMITED),
        [
            run(0, fired("A"), fired("B"), fired("C")),
            run(30, quiet("A"), fired("B"), fired("C")),
            run(61, fired("A"), fired("B"), fired("C")),
        ],
        {"opened", "resolved"},
    ),
    "the rate limit among runs out of order": (
        rule_of(**LIMITED),
        [
            run(30, fired("A")),
            run(40, fired("B")),
            run(5, fired("C"), now=41),
            run(89, fired("C")),
            run(91, fired("C")),
        ],
        {"opened"},
    ),
    "a late breach raises what was acknowledged": (
        rule_of(),
        [*line("1.1"), by_hand("acknowledge", 2), run(1.5, CRITICAL, now=3), run(4, CRITICAL)],
        {"opened", "escalated-critical"},
    ),
    "a late breach raises what was acknowledged for good": (
        rule_of(sticky_acknowledgement=True),
        [*line("1.1"), by_hand("acknowledge", 2), run(1.5, CRITICAL, now=3), run(4, CRITICAL)],
        {"opened"},
    ),
    "failures told late, with checks between": (
        rule_of(errors=2),
        [*line("x0x"), run(3.5, state="FAILED"), run(2.5, state="FAILED", now=4), *line("000")],
        {"opened"},
    ),
    "a problem that is told after a later measurement": (
        rule_of(),
        [run(5, quiet("A")), run(4, quiet("A", problem="error"), now=6)],
        {"opened"},
    ),
    "a missing ticker, ended by hand": (
        rule_of(on_missing="event"),
        [
            run(0, quiet("A"), quiet("B")),
            run(1, quiet("B")),
            by_hand("resolve", 1, Kind.NO_DATA),
            run(2, quiet("B")),
            run(3, fired("A"), quiet("B")),
            run(4, quiet("B")),
        ],
        {"opened"},
    ),
    "a missing ticker that fired, both ended by hand": (
        rule_of(on_missing="event"),
        [
            run(0, fired("A"), quiet("B")),
            run(1, quiet("B")),
            by_hand("resolve", 1, Kind.NO_DATA),
            run(2, quiet("B")),
            by_hand("resolve", 2),
            by_hand("resolve", 2, Kind.NO_DATA),
            run(3, quiet("B")),
        ],
        {"opened"},
    ),
    "no data that a check reports, ended by hand": (
        rule_of(on_missing="event"),
        [
            run(0, quiet("A"), quiet("B")),
            run(1, quiet("A", problem="no_data"), quiet("B")),
            by_hand("resolve", 1, Kind.NO_DATA),
            run(2, quiet("B")),
        ],
        {"opened"},
    ),
    "a missing ticker though no data is no event": (
        rule_of(on_missing="event", on_no_data="keep"),
        [run(0, fired("A"), quiet("B")), run(1, quiet("B"))],
        {"opened"},
    ),
    "expiry": (
        rule_of(expire_seconds=120),
        [run(0, fired("A")), run(1, quiet("B")), run(2, quiet("B")), run(3, fired("A"))],
        {"opened"},
    ),
    "an end by hand of breaches that were counted": (
        rule_of(breaches=2, of_last=3),
        [*line("11"), by_hand("resolve", 1), run(2, fired("A")), run(3, fired("A"))],
        {"opened"},
    ),
    "what a silence held back, told when it is over and the rule has not run again": (
        replace(rule_of(repeat_seconds=1800), silences=(silent(0, 10),)),
        [
            run(1, fired("A"), fired("B")),
            Released(at(5)),
            Released(at(10)),
            Released(at(11)),
            run(39, fired("A"), fired("B")),
            run(40, fired("A"), quiet("B")),
        ],
        {"opened", "reminder"},
    ),
    "what a rate limit held back, told when the hour is over": (
        rule_of(max_notifications_per_hour=1),
        [
            run(0, fired("B")),
            run(1, fired("B"), fired("C"), fired("A")),
            Released(at(59)),
            Released(at(60)),
            Released(at(119)),
            Released(at(120)),
        ],
        {"opened"},
    ),
    "what an acknowledgement held back, told when its time is up": (
        replace(rule_of(), silences=(silent(0, 10),)),
        [
            run(1, fired("A")),
            hand("acknowledge", Kind.ALERT, "A", 30, now=2),
            Released(at(20)),
            Released(at(33)),
            run(34, fired("A")),
        ],
        {"opened"},
    ),
    "an acknowledgement whose time is up while the rule does not run": (
        rule_of(repeat_seconds=1800),
        [
            run(1, fired("A")),
            hand("acknowledge", Kind.ALERT, "A", 30, now=2),
            Released(at(32)),
            Released(at(33)),
            Released(at(34)),
            run(40, fired("A")),
            run(63, fired("A")),
        ],
        {"opened", "acknowledgement-ended", "reminder"},
    ),
    "an acknowledgement whose time is up while all is muted": (
        replace(rule_of(), silences=(silent(20, 50),)),
        [
            run(1, fired("A")),
            hand("acknowledge", Kind.ALERT, "A", 30, now=2),
            Released(at(33)),
            run(40, fired("A")),
            Released(at(50)),
            run(51, fired("A")),
        ],
        {"opened", "acknowledgement-ended"},
    ),
    "an acknowledgement until a value": (
        rule_of(repeat_seconds=60),
        [
            run(1, fired("A", metrics={"value": 91.0})),
            replace(by_hand("acknowledge", 2), limits=Limits(95.0, 85.0)),
            Released(at(3)),
            run(4, fired("A", metrics={"value": 95.0})),
            run(5, fired("A", metrics={"value": 95.5})),
            run(6, fired("A", metrics={"value": 99.0})),
        ],
        {"opened", "value-crossed", "reminder"},
    ),
    "an end for all who heard of what mattered more and more": (
        rule_of(notify_resolved=True),
        [run(0, fired("A")), run(1, CRITICAL), run(2, quiet("A"))],
        {"opened", "escalated-critical", "resolved"},
    ),
    "an end that a silence keeps from those who heard of the event": (
        replace(rule_of(notify_resolved=True), silences=(silent(1, 10),)),
        [run(0, fired("A")), run(1, CRITICAL), run(2, quiet("A"))],
        {"opened", "escalated-critical", "resolved"},
    ),
    "what was held back of an event that somebody ended": (
        replace(rule_of(), silences=(silent(0, 10),)),
        [run(1, fired("A")), by_hand("resolve", 2), Released(at(20)), run(21, fired("A"))],
        {"opened"},
    ),
    "what people do, told to who heard of the event and wants to know": (
        rule_of(notify=PAGED),
        [
            run(0, fired("A")),
            run(1, CRITICAL, fired("B")),
            by_hand("acknowledge", 1),
            by_hand("acknowledge", 2),  # somebody has it
            by_hand("unacknowledge", 3),
            by_hand("unacknowledge", 4),  # nobody has it
            by_hand("acknowledge", 5),
            by_hand("resolve", 6),
            by_hand("resolve", 6, ticker="B"),
        ],
        {"opened", "escalated-critical", "acknowledged", "unacknowledged", "resolved"},
    ),
    "what people do while a silence keeps it from all but the incidents": (
        replace(rule_of(notify=PAGED), silences=(silent(1, 60),)),
        [
            run(0, CRITICAL, fired("B")),
            by_hand("acknowledge", 2),
            by_hand("unacknowledge", 3),
            by_hand("resolve", 4),
            by_hand("resolve", 4, ticker="B"),
        ],
        {"opened", "acknowledged", "unacknowledged", "resolved"},
    ),
    "what people do with an event of which nobody was told": (
        replace(rule_of(notify=PAGED), silences=(silent(0, 2),)),
        [run(1, fired("A")), by_hand("acknowledge", 2), by_hand("resolve", 3)],
        {"opened"},
    ),
    "who has no pace of its own is not reminded at another's": (
        rule_of(
            notify={
                "high": [
                    "pager-duty-webhook/desk",
                    {"channel": "slack-incoming-webhook/high", "repeat_seconds": 60},
                ]
            }
        ),
        [run(0, fired("A")), run(2, fired("A"))],
        {"opened", "reminder"},
    ),
    "a missing ticker that counts as ok ends its error": (
        rule_of(on_missing="ok"),
        [
            run(0, quiet("A", problem="error"), quiet("B", problem="no_data"), fired("C")),
            run(1, quiet("C")),
            run(2, quiet("A", problem="error"), quiet("C")),
        ],
        {"opened"},
    ),
    "a window with a late measurement": (
        rule_of(
            [{"op": "gt", "value": 5, "aggregate": "avg", "over_seconds": 180, "minimum_points": 2}]
        ),
        [
            run(n, quiet("A", metrics={"value": float(value)}), now=max(n, 4 if n == 2 else 0))
            for n, value in ((0, 1), (1, 1), (3, 1), (4, 9), (2, 100), (5, 9), (40, 9))
        ],
        {"opened"},
    ),
}


@pytest.mark.parametrize("case", KNOWN)
def test_a_known_history_is_decided_in_memory_as_it_was_live(engine: Engine, case: str) -> None:
    setting, history, reasons = KNOWN[case]
    sim = both(engine, setting, history)
    assert {message.reason for message in sim.notifications} >= reasons
