"""Arbitrary histories of one rule: runs of several tickers, failures, late ones, what people do.

A history is a list of what happened, in the order in which it was recorded. Each item knows how to
happen to a `MemoryLedger`; the store test lets the same items happen to a real store.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from sentinel_core.decide.observe import Kind, Observation, judge
from sentinel_core.decide.snooze import Limits
from sentinel_core.decide.state import Key, Series, Status
from sentinel_core.model.alert import AlertOutput, Importance
from sentinel_core.model.rule import Meaning, RuleSettings
from sentinel_core.model.run import SKIPPED, Run
from sentinel_core.model.silence import Inhibition, Inhibitor, Matchers, Silence
from sentinel_core.replay.actions import acknowledge, resolve, unacknowledge
from sentinel_core.replay.ledger import MemoryLedger
from tests.support.runs import a_run, at

TICKERS = ("A", "B", "C")
CHANNELS = {level.value: [f"slack-incoming-webhook/{level}"] for level in Importance}
PAGED = {
    "high": [
        "pager-duty-webhook/desk",
        {"channel": "slack-credentials/desk", "to": "#alerts", "acknowledged": False},
        {"channel": "slack-incoming-webhook/high", "resolved": True},
    ],
    "critical": [
        "pager-duty-webhook/desk",
        {"channel": "slack-incoming-webhook/all", "acknowledged": True, "resolved": False},
    ],
}
RULE = "surge"
ENDS = 24 * 60  # the minute at which nothing mutes any longer


def firing(sim: MemoryLedger) -> dict[Key, Series]:
    """The series with an open event."""
    return {key: one for key, one in sim.series.items() if one.status is Status.FIRING}


@dataclass(frozen=True)
class Ran:
    """A run, recorded at `now`."""

    facts: Run
    outputs: tuple[AlertOutput, ...]
    now: datetime

    def seen(self, settings: RuleSettings) -> list[Observation]:
        """What it observed."""
        return judge(self.facts, settings, self.outputs)

    def happen(self, sim: MemoryLedger) -> None:
        """It is recorded."""
        sim.run(self.seen(sim.settings), self.now)

    def without(self, ticker: str) -> "Ran":
        """The same run of a check that does not know this ticker."""
        return replace(self, outputs=tuple(o for o in self.outputs if o.ticker != ticker))


@dataclass(frozen=True)
class Hand:
    """What a person does to the open event of a series, should there be one."""

    what: str
    kind: Kind
    ticker: str
    at: datetime
    until: datetime | None = None
    limits: Limits | None = None

    @property
    def key(self) -> Key:
        """Of which series."""
        return self.kind, self.ticker

    def happen(self, sim: MemoryLedger) -> bool:
        """It is done, when there is an open event that it can be done to."""
        known = sim.series.get(self.key)
        if known is None or known.event_id is None:
            return False
        if self.what == "acknowledge":
            return acknowledge(sim, *self.key, self.at, "ann", self.until, self.limits)
        if self.what == "unacknowledge":
            return unacknowledge(sim, *self.key, self.at)
        return resolve(sim, *self.key, self.at, "ann")


@dataclass(frozen=True)
class Released:
    """What is held back is told, should nothing mute it any longer."""

    at: datetime

    def happen(self, sim: MemoryLedger) -> None:
        """Reconcile comes by."""
        sim.release(self.at)


History = Sequence[Ran | Hand | Released]


@dataclass(frozen=True)
class Setting:
    """A rule, and what mutes it."""

    settings: RuleSettings
    silences: tuple[Silence, ...] = ()
    inhibited: tuple[int, int] = (0, 0)  # from which minute to which, for ticker A
    name: str = RULE

    def simulation(self) -> MemoryLedger:
        """A new one, in which nothing has happened."""
        return MemoryLedger(
            self.name,
            self.settings,
            silences=self.silences,
            inhibitors=self._inhibitors,
            keep_evaluations=True,
        )

    def _inhibitors(self, moment: datetime) -> Iterable[Inhibitor]:
        start, end = self.inhibited
        if at(start) <= moment < at(end):
            yield Inhibitor("exchange-down", "A", (Inhibition(rule=self.name),))

    def after(self, history: History) -> MemoryLedger:
        """What became of a history."""
        sim = self.simulation()
        for item in history:
            item.happen(sim)
        return sim


# -- what there may be ---------------------------------------------------------------------

importances = st.sampled_from(list(Importance))


def _maybe(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(st.just({}), values.map(lambda value: {name: value}))


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """Any policy, of numbers small enough to matter in a short history."""
    minutes = st.integers(1, 40).map(lambda n: n * 60)
    said: dict[str, Any] = {}
    for one in (
        _maybe("breaches", st.integers(1, 3)),
        _maybe("of_last", st.integers(3, 5)),
        _maybe("recoveries", st.integers(1, 3)),
        _maybe("keep_firing_seconds", minutes),
        _maybe("cooldown_seconds", minutes),
        _maybe("max_notifications_per_hour", st.integers(1, 4)),
        _maybe("repeat_seconds", minutes),
        _maybe("expire_seconds", minutes),
        _maybe("notify_resolved", st.just(True)),
        _maybe("sticky_acknowledgement", st.just(True)),
        _maybe("on_error", st.sampled_from(list(Meaning))),
        _maybe("errors", st.integers(1, 3)),
        _maybe("on_no_data", st.sampled_from(list(Meaning))),
        _maybe("no_data", st.integers(1, 3)),
        _maybe("on_missing", st.sampled_from(list(Meaning))),
        _maybe(
            "flapping",
            st.sampled_from([None, {"start_percent": 10, "stop_percent": 5}]),
        ),
    ):
        said |= draw(one)
    return said


CONDITIONS: list[list[dict[str, Any]]] = [
    [{"op": "gte", "value": 6, "clear": 4}],
    [{"op": "gt", "value": 5, "aggregate": "avg", "over_seconds": 1200, "minimum_points": 2}],
    [{"any": [{"op": "gt", "value": 8}, {"op": "lt", "value": 1}]}],
]


@st.composite
def silences(draw: st.DrawFn) -> Silence:
    """One of some of the rule's events, over before the history's last word."""
    start = draw(st.integers(0, 200))
    matchers: dict[str, Any] = {"rule": RULE}
    matchers |= draw(_maybe("ticker", st.sampled_from(TICKERS)))
    matchers |= draw(_maybe("importance", st.lists(importances, min_size=1, max_size=2)))
    return Silence(
        matchers=Matchers.model_validate(matchers),
        starts_at=at(start),
        ends_at=at(start + draw(st.integers(1, 200))),
        author="bob",
        comment="moving the database",
    )


@st.composite
def rule_settings(draw: st.DrawFn) -> RuleSettings:
    """Any rule."""
    said: dict[str, Any] = {"importance": draw(importances)}
    said["notify"] = draw(st.sampled_from([CHANNELS, CHANNELS, PAGED]))
    said |= draw(_maybe("policy", policies()))
    said |= draw(_maybe("conditions", st.sampled_from(CONDITIONS)))
    return RuleSettings.model_validate(said)


def any_setting(*, inhibited: bool = True) -> st.SearchStrategy[Setting]:
    """Any rule, and what mutes it."""
    minute = st.integers(0, 300)
    spans = st.tuples(minute, minute) if inhibited else st.just((0, 0))
    return st.builds(Setting, rule_settings(), st.lists(silences(), max_size=2).map(tuple), spans)


@st.composite
def outputs_of(draw: st.DrawFn, ticker: str) -> AlertOutput:
    """What a check says of a ticker: mostly yes or no."""
    what = draw(st.sampled_from(["yes", "yes", "yes", "no", "no", "no", "error", "no_data"]))
    value = draw(st.integers(0, 10))
    return AlertOutput(
        triggered=what == "yes",
        ticker=ticker,
        importance=draw(st.one_of(st.none(), importances)),
        message=f"{ticker} is {value}",
        problem=what if what in ("error", "no_data") else None,  # type: ignore[arg-type]
        metrics={} if what in ("error", "no_data") else {"value": float(value)},
        timestamp=at(0),
    )


tickers_seen = st.one_of(
    st.just(TICKERS),
    st.lists(st.sampled_from(TICKERS), unique=True, max_size=3).map(tuple),
)


@st.composite
def outcomes(draw: st.DrawFn) -> tuple[str, str | None, tuple[AlertOutput, ...]]:
    """How a run ends: mostly well."""
    state = draw(st.sampled_from(["COMPLETED"] * 9 + ["FAILED", "CANCELLED", SKIPPED]))
    if state == SKIPPED:
        return "COMPLETED", SKIPPED, ()
    if state != "COMPLETED":
        return state, None, ()
    return state, None, tuple(draw(outputs_of(ticker)) for ticker in draw(tickers_seen))


def ran(
    minute: float, outcome: tuple[str, str | None, tuple[AlertOutput, ...]], *, now: float
) -> Ran:
    """A run due at one minute and recorded at another."""
    state, name, outputs = outcome
    facts = a_run(minute, state, name=name, message="boom")
    return Ran(facts, outputs, at(now) + timedelta(seconds=2))


deeds = st.sampled_from(["acknowledge", "acknowledge", "unacknowledge", "resolve"])
hands = st.tuples(
    deeds,
    st.sampled_from([Kind.ALERT] * 4 + [Kind.ERROR, Kind.NO_DATA, Kind.FAILURE]),
    st.sampled_from(TICKERS),
    st.one_of(st.none(), st.integers(1, 60)),
)


def hand(what: str, kind: Kind, ticker: str, minutes: int | None, *, now: float) -> Hand:
    """What a person does a few seconds after that minute; acknowledging for some minutes."""
    until = at(now + minutes) + timedelta(seconds=5) if minutes else None
    return Hand(what, kind, ticker, at(now) + timedelta(seconds=5), until)


@st.composite
def histories(
    draw: st.DrawFn, longest: int = 20, *, releases: bool = False
) -> list[Ran | Hand | Released]:
    """Runs, one after another, some of them late, and people between; reconcile, if asked for."""
    found: list[Ran | Hand | Released] = [ran(0, draw(outcomes()), now=0)]
    now = 0
    due = {0}
    for _ in range(draw(st.integers(longest // 2, longest))):
        between = ["release", "release"] if releases else []
        what = draw(st.sampled_from(["run", "run", "run", "late", "hand", *between]))
        if what == "release":
            now += draw(st.sampled_from([1, 5, 30]))
            found.append(Released(at(now)))
            continue
        if what == "hand":
            deed, kind, ticker, minutes = draw(hands)
            of_rule = kind is Kind.FAILURE
            found.append(hand(deed, kind, "" if of_rule else ticker, minutes, now=now))
            continue
        now += draw(st.sampled_from([1, 1, 5, 5, 30]))
        minute = now if what == "run" else max(0, now - draw(st.integers(1, 40)))
        if minute not in due:
            due.add(minute)
            found.append(ran(minute, draw(outcomes()), now=now))
    return found
