"""Any life of a rule is replayed as it was recorded: decisions, events and notifications.

Runs in time and late, failures, what people do, silences that are ended early, another rule that
inhibits: everything happens to a real store at its time, and is then replayed from the record.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select, update

from sentinel_core.model.rule import RuleSettings
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.tables import EVENT, NOTIFICATION, SILENCE
from sentinel_core.store.record.acknowledge import acknowledge, unacknowledge
from sentinel_core.store.record.recording import end_due_snoozes, notify_unmuted, record
from sentinel_core.store.record.resolve import resolve
from sentinel_core.store.record.silences import expire
from sentinel_core.store.state.rules import sync
from tests.support.histories import Hand, Ran, Released, histories, rule_settings
from tests.support.runs import a_rule, a_run, at, fired, quiet, rows, told
from tests.support.search import examples
from tests.unit.replay.test_history import again

_numbers = itertools.count()
_AFTER = 130  # minutes after the last thing that happens: rate limits last an hour


@dataclass(frozen=True)
class Mute:
    """A silence from one minute to another, and the minute at which somebody ends it."""

    start: int
    end: int
    ended: int
    ticker: str | None


@dataclass(frozen=True)
class Life:
    """What happens to a rule; the other one inhibits it, on each ticker while that is in a span."""

    settings: RuleSettings
    history: list[Ran | Hand | Released]
    mutes: list[Mute]
    inhibited: dict[str, tuple[int, int]]


minutes = st.integers(0, 120)
mutes = st.builds(
    lambda start, size, cut, ticker: Mute(start, start + size, start + min(cut, size), ticker),
    minutes,
    st.integers(2, 90),
    st.integers(1, 120),
    st.sampled_from([None, "A", "B"]),
)
lives = st.builds(
    Life,
    rule_settings(),
    histories(14),
    st.lists(mutes, max_size=2),
    st.dictionaries(st.sampled_from(["A", "B"]), st.tuples(minutes, minutes), max_size=2),
)


class World:
    """A rule and its inhibitor in a real store, while a life happens to them."""

    def __init__(self, engine: Engine, life: Life) -> None:
        number = next(_numbers)
        self.engine, self.life = engine, life
        self.rule = a_rule(f"surge-{number}", **life.settings.model_dump(mode="json"))
        self.host = a_rule(f"host-{number}", inhibits=[self.rule.name])
        sync(engine, [self.host, self.rule], at(0))

    def live(self) -> int:
        """Everything, at its time; the minute after the last."""
        moments = [*self._history(), *self._mutes()]
        last = max(int((when - at(0)).total_seconds() // 60) for when, *_ in moments) + _AFTER
        moments += [(at(minute), self._reconcile, at(minute)) for minute in range(last)]
        moments += list(self._inhibition(last))
        for _, do, argument in sorted(moments, key=lambda moment: moment[0]):
            do(argument)
        return last

    def _history(self) -> Iterator[tuple[datetime, Any, Any]]:
        for item in self.life.history:
            if isinstance(item, Ran):
                yield item.now, self._run, item
            elif isinstance(item, Hand):
                yield item.at, self._act, item

    def _run(self, item: Ran) -> None:
        record(self.engine, self.rule, item.facts, item.seen(self.rule.settings), now=item.now)
        self._deliver()

    def _act(self, item: Hand) -> None:
        events = rows(self.engine, "alert_event", rule_name=self.rule.name, kind=item.kind.value)
        ids = [e["id"] for e in events if e["ticker"] == item.ticker and e["resolved_at"] is None]
        if not ids:
            return
        if item.what == "acknowledge":
            acknowledge(self.engine, ids, by="ann", now=item.at, until=item.until)
        elif item.what == "unacknowledge":
            unacknowledge(self.engine, ids, by="ann", now=item.at)
        else:
            resolve(self.engine, ids, by="ann", now=item.at)
        self._deliver()

    def _deliver(self) -> None:
        mine = select(EVENT.c.id).where(EVENT.c.rule_name == self.rule.name)
        n = NOTIFICATION.c
        sent = update(NOTIFICATION).where(n.status == "pending", n.event_id.in_(mine))
        with writing(self.engine) as connection:
            connection.execute(sent.values(status="sent", attempts=1))

    def _mutes(self) -> Iterator[tuple[datetime, Any, Any]]:
        for mute in self.life.mutes:
            matchers = {"rule": self.rule.name}
            matchers |= {"ticker": mute.ticker} if mute.ticker else {}
            row = {
                "matchers": matchers,
                "starts_at": at(mute.start),
                "ends_at": at(mute.end),
                "author": "bob",
                "comment": "moving the database",
                "created_at": at(mute.start),
            }
            with writing(self.engine) as connection:
                key = connection.scalar(insert(SILENCE).values(**row).returning(SILENCE.c.id))
            if mute.ended < mute.end:
                yield at(mute.ended) + timedelta(seconds=3), self._end, (key, mute)

    def _end(self, silence: tuple[int, Mute]) -> None:
        key, mute = silence
        expire(self.engine, [key], by="bob", now=at(mute.ended) + timedelta(seconds=3))

    def _inhibition(self, last: int) -> Iterator[tuple[datetime, Any, Any]]:
        for minute in range(0, last, 3):
            if self.life.inhibited:
                yield at(minute) + timedelta(seconds=1), self._inhibit, minute

    def _inhibit(self, minute: int) -> None:
        outputs = [
            fired(ticker) if start <= minute < end else quiet(ticker)
            for ticker, (start, end) in sorted(self.life.inhibited.items())
        ]
        told(self.engine, self.host, a_run(minute), outputs, now=at(minute) + timedelta(seconds=1))

    def _reconcile(self, now: datetime) -> None:
        known = {self.rule.deployment_id: self.rule}
        ended = end_due_snoozes(self.engine, known, now)
        if notify_unmuted(self.engine, known, now) or ended:
            self._deliver()

    def events(self) -> list[tuple[Any, ...]]:
        """Every event on record."""
        names = ("kind", "ticker", "timestamp", "resolved_at", "resolution", "importance")
        names += ("occurrences", "acknowledged_by", "message")
        found = rows(self.engine, "alert_event", rule_name=self.rule.name)
        return sorted((tuple(e[name] for name in names) for e in found), key=str)

    def notifications(self) -> list[tuple[Any, ...]]:
        """Every notification on record, and why it was suppressed."""
        events = {
            e["id"]: (e["kind"], e["ticker"], e["timestamp"])
            for e in rows(self.engine, "alert_event", rule_name=self.rule.name)
        }
        found = [n for n in rows(self.engine, "notification") if n["event_id"] in events]
        return sorted(
            ((*events[n["event_id"]], n["channel"], n["reason"], n["last_error"]) for n in found),
            key=str,
        )


@pytest.mark.slow("postgres")
@settings(
    max_examples=examples(20),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(life=lives)
def test_any_life_is_replayed_as_it_was_recorded(engine: Engine, life: Life) -> None:
    world = World(engine, life)
    last = world.live()
    [line] = again(engine, world.rule, until=last)
    assert line.mismatches == 0, line.examples
    replayed = [
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
        )
        for e in line.events
    ]
    assert sorted(replayed, key=str) == world.events()
    opened = {e.id: e.opened_at for e in line.events}
    sent = [
        (n.kind.value, n.ticker, opened[n.event_id], channel, n.reason, n.suppressed)
        for n in line.notifications
        for channel in n.channels
    ]
    assert sorted(sent, key=str) == world.notifications()
