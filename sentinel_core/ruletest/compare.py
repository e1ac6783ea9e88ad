"""Compares expectations with what happened, one to one; lists what is left over. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel

from sentinel_core.replay.ledger import MemoryLedger
from sentinel_core.replay.timeline import Evaluated, Event, Notification, Reacted
from sentinel_core.ruletest.form import RuleTest
from sentinel_core.ruletest.values import offset_words
from sentinel_core.wording.text import shorten

_GLOBS = {
    "message",
    "reason",
    "code",
    "action",
    "resolution",
    "suppressed",
    "acknowledged_by",
    "target",
}
MOST_SHOWN = 20  # unexpected ones: a rule that misfires fills pages


@dataclass(frozen=True, slots=True)
class Difference:
    """The differences in one part of the expectations (`events`, …), in lines."""

    part: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Actual:
    """Something that happened: when, and its fields as expectations name them."""

    at: datetime
    fields: dict[str, Any]
    must_be_expected: bool = True


def differences(form: RuleTest, simulation: MemoryLedger) -> Iterator[Difference]:
    """Each part of the expectations that is given and does not hold."""
    parts: list[tuple[str, Sequence[BaseModel] | None, list[Actual]]] = [
        ("events", form.events, [_event(one) for one in simulation.events]),
        ("notifications", form.notifications, [_message(m) for m in simulation.notifications]),
        ("reactions", form.reactions, [_reacted(one) for one in simulation.reactions]),
        ("reasons", form.reasons, [_step(step) for step in simulation.evaluations]),
    ]
    for part, wanted, came in parts:
        if wanted is None:
            continue
        lines = _Comparison(form, part, wanted, came).lines()
        silent = {m.importance.value for m in simulation.notifications if not m.channels}
        if lines and silent and part == "notifications":
            levels = " and ".join(sorted(silent))
            lines.append(f"note: the rule's `notify` names no channel for {levels}")
        if lines:
            yield Difference(part, tuple(lines))


def _event(event: Event) -> Actual:
    names = ("resolved_at", "importance", "message", "occurrences", "resolution", "acknowledged_by")
    fields = {name: getattr(event, name) for name in names}
    where = {"opened_at": event.opened_at, "ticker": event.ticker, "kind": event.kind}
    return Actual(event.opened_at, where | fields)


def _message(message: Notification) -> Actual:
    """A suppressed notification, or one without a channel, need not be expected."""
    names = ("ticker", "kind", "importance", "reason", "channels", "suppressed")
    fields = {"at": message.at} | {name: getattr(message, name) for name in names}
    return Actual(message.at, fields, message.suppressed is None and bool(message.channels))


def _reacted(reaction: Reacted) -> Actual:
    """A reaction that does not start need not be expected."""
    names = ("occasion", "action", "target", "ticker", "kind", "status", "code", "parameters")
    fields = {"at": reaction.at} | {name: getattr(reaction, name) for name in names}
    return Actual(reaction.at, fields, reaction.code is None)


def _step(step: Evaluated) -> Actual:
    seen, decision = step.observation, step.decision
    fields = {"at": seen.at, "ticker": seen.ticker, "kind": seen.kind}
    fields |= {"action": decision.action, "code": decision.code, "reason": decision.reason}
    return Actual(seen.at, fields, must_be_expected=False)


class _Comparison:
    """One part of the expectations, each matched with something of its own that happened."""

    def __init__(
        self, form: RuleTest, part: str, wanted: Sequence[BaseModel], came: list[Actual]
    ) -> None:
        self.form = form
        self.part = part
        self.wanted = wanted
        self.came = came
        self.shared = part == "reasons"  # two expectations may be about the same decision
        self.at: dict[datetime, list[int]] = {}
        for number, one in enumerate(came):
            self.at.setdefault(one.at, []).append(number)
        self.taken: dict[int, int] = {}  # index of what happened -> index of the expectation

    def lines(self) -> list[str]:
        """The differences in words; empty if there are none."""
        lines = []
        for number in [n for n in range(len(self.wanted)) if not self._find(n, set())]:
            given = self.wanted[number].model_dump(exclude_unset=True)
            lines.append(f"- expected, did not happen: {self._words(given)}")
            if (near := self._nearest(number)) is not None:
                lines.append(f"    nearest: {'; '.join(self._wrong(number, near))}")
        left = [
            one
            for n, one in enumerate(self.came)
            if one.must_be_expected and n not in self.taken and not self.shared
        ]
        for one in left[:MOST_SHOWN]:
            fields = {name: v for name, v in one.fields.items() if v or name == "resolved_at"}
            lines.append(f"+ not expected: {self._words(fields)}")
        if len(left) > MOST_SHOWN:
            lines.append(f"+ and {len(left) - MOST_SHOWN:,} more")
        return lines

    def _find(self, number: int, tried: set[int]) -> bool:
        """Match an expectation; the holder of its match may have to take another one."""
        for place in self.at.get(self._when(number), []):
            if place in tried or any(self._wrong(number, self.came[place])):
                continue
            if self.shared:
                return True
            tried.add(place)
            if place not in self.taken or self._find(self.taken[place], tried):
                self.taken[place] = number
                return True
        return False

    def _when(self, number: int) -> datetime:
        wanted = self.wanted[number]
        moment: datetime | timedelta = getattr(
            wanted, "opened_at" if self.part == "events" else "at"
        )
        return self.form.at(moment)

    def _wrong(self, number: int, came: Actual) -> Iterator[str]:
        """The fields of an expectation that differ here, in words."""
        wanted = self.wanted[number]
        given = wanted.model_fields_set
        for name in type(wanted).model_fields:
            if name in given:
                expected = getattr(wanted, name)
                if isinstance(expected, timedelta):
                    expected = self.form.at(expected)
                actual = came.fields.get("channels" if name == "channel" else name)
                if not _matches(name, expected, actual):
                    yield f"{name} is {self._value(actual)}, not {self._value(expected)}"
        if self.part == "reactions" and "status" not in given and came.fields["code"] is not None:
            yield f"it does not start ({came.fields['code']})"
        if self.part == "notifications" and "suppressed" not in given:
            if (why := came.fields["suppressed"]) is not None:
                yield f"it was suppressed ({why})"
            elif not came.fields["channels"]:
                yield "it has no channel"

    def _nearest(self, number: int) -> Actual | None:
        """The event, notification or decision that differs least, preferably at the same time."""
        here = self.at.get(self._when(number)) or range(len(self.came))
        free = [self.came[place] for place in here if place not in self.taken][:200]
        if self.shared and self._when(number) not in self.at:
            return None  # no decision then, and those at other times are no help
        return min(free, key=lambda one: len(list(self._wrong(number, one))), default=None)

    def _words(self, fields: dict[str, Any]) -> str:
        return ", ".join(f"{name} {self._value(value)}" for name, value in fields.items())

    def _value(self, value: Any) -> str:
        if isinstance(value, datetime):
            return offset_words(value - self.form.start)
        if isinstance(value, timedelta):
            return offset_words(value)
        if isinstance(value, list | tuple):
            return " and ".join(value) or "none"
        if value is None:
            return "none"
        text = str(value)
        return text if text and " " not in text else f'"{shorten(text, 300)}"'


def _matches(field: str, expected: Any, actual: Any) -> bool:
    if field in _GLOBS:
        return _like(expected, actual)
    if field == "channel":
        return any(_like(expected, one) for one in actual)
    if field == "channels":  # in any order
        return sorted(expected or ()) == sorted(actual)
    return bool(expected == actual)


def _like(pattern: object, actual: object) -> bool:
    if pattern is None or actual is None:
        return pattern is actual
    return pattern == actual or fnmatchcase(str(actual), str(pattern))
