"""Which messages are owed for what happened to an event, as rows. Pure: nothing read or written."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from sentinel_core.decide.effects import Notify
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason, Reason, Suppression, is_step
from sentinel_core.model.routing import Route
from sentinel_core.model.run import Rule

Row = dict[str, Any]

BLANK: Row = {"about": "", "content": {}, "attempts": 0, "unknown": 0, "claimed_at": None}
"""What a new message has in the columns nobody asks about."""


def dropped_columns(suppression: Suppression | None) -> Row:
    """Why a notification is not sent, as its row keeps it."""
    if suppression is None:
        return {"last_error": None, "dropped_code": None}
    return {"last_error": suppression.sentence, "dropped_code": suppression.code.value}


AFTER, MEANT = "after_seconds", "importance"  # what a step keeps beside its route
_AGAIN = 10  # steps that begin anew are numbered from here on, above the four importances


class Fanout:
    """What one rule's routes and escalation mean for messages, worked out once a transaction."""

    def __init__(self, rule: Rule, rule_id: int, now: datetime) -> None:
        self.settings = rule.settings
        self.rule_id = rule_id
        self.now = now
        self._ways: dict[Importance, list[_Way]] = {}
        self._steps: dict[Importance, list[tuple[str, timedelta, list[_Way]]]] = {}

    def plan(self, event_id: int, ticker: str, notify: Notify) -> list[Row]:
        """One notification for each route of an importance, and those of the escalation's steps.

        A suppressed one is never sent; it stays as the record of why. Steps are planned with the
        first notification that is sent: planning them once more changes nothing, unless they
        restart, as an acknowledgement does not hold any longer. An event that has ended has none.
        """
        importance = notify.importance
        event = {
            "rule_id": self.rule_id,
            "ticker": ticker,
            "category": self.settings.category,
            "importance": importance.value,
        }
        reminder = notify.reason is NotifyReason.REMINDER
        text = str(notify.full_reason)
        rows = [
            self._row(way, event_id, event, text, notify.sequence, notify.suppression)
            for way in self._of(importance)
            if not reminder or self.settings.wants_reminder(way.route)
        ]
        if notify.escalates and notify.suppression is None and not reminder:
            number = _AGAIN + notify.sequence if notify.restarts else importance.rank
            rows += self._step_rows(event_id, event, importance, number)
        return rows

    def _step_rows(
        self, event_id: int, event: Mapping[str, Any], importance: Importance, number: int
    ) -> Iterator[Row]:
        for reason, after, ways in self._later(importance):
            for way in ways:
                row = self._row(way, event_id, event, reason, number, None)
                row["next_attempt_at"] = self.now + after
                row["route"] = {
                    **row["route"],
                    MEANT: importance.value,
                    AFTER: after.total_seconds(),
                }
                yield row

    def _row(
        self,
        way: "_Way",
        event_id: int,
        event: Mapping[str, Any],
        reason: str,
        sequence: int,
        suppressed: Suppression | None,
    ) -> Row:
        return {
            **BLANK,
            "event_id": event_id,
            "channel": way.route.channel,
            "recipient": way.recipient,
            "reason": reason,
            "sequence": sequence,
            "route": way.kept,
            "group_key": way.route.group_key(event),
            "status": "suppressed" if suppressed else "pending",
            "created_at": self.now,
            "next_attempt_at": self.now + way.wait,
            **dropped_columns(suppressed),
        }

    def _of(self, importance: Importance) -> "list[_Way]":
        if importance not in self._ways:
            routes = self.settings.notify.routes(importance)
            self._ways[importance] = [self._way(route) for route in routes]
        return self._ways[importance]

    def _later(self, importance: Importance) -> "list[tuple[str, timedelta, list[_Way]]]":
        if importance not in self._steps:
            self._steps[importance] = [
                (
                    str(Reason(NotifyReason.STEP, step=number)),
                    timedelta(seconds=step.after_seconds),
                    [self._way(one) for route in step.channels for one in route.each()],
                )
                for number, step in enumerate(self.settings.escalation.steps(importance), start=1)
            ]
        return self._steps[importance]

    def _way(self, route: Route) -> "_Way":
        # At the rule's own pace, which the policy decides on by when runs were due, there is
        # nothing left to ask when the reminder is sent.
        pace = self.settings.repeat_of(route)
        slower = pace if pace != self.settings.effective_policy.repeat_seconds else None
        kept = kept_route(route, ends=self.settings.wants_end(route), repeat=slower)
        return _Way(route, route.recipient, kept, timedelta(seconds=route.group_wait_seconds))


@dataclass(frozen=True, slots=True)
class _Way:
    """A route with what its messages have in common."""

    route: Route
    recipient: str
    kept: dict[str, Any]
    wait: timedelta


def kept_route(
    route: Route, *, ends: bool | None = None, repeat: float | None = None
) -> dict[str, Any]:
    """How a route tells, as its messages keep it: what is not the default.

    `ends`: whether it hears of the end; `repeat`: how often of what goes on, where less often than
    the rule is reminded.
    """
    left_out = {"channel", "to", "repeat_seconds"}
    kept = route.model_dump(mode="json", exclude_defaults=True, exclude=left_out)
    if ends is not None and ends != route.follows:
        kept["resolved"] = ends
    if repeat is not None:
        kept["repeat_seconds"] = repeat
    return kept


def route_of(row: Mapping[str, Any]) -> Route:
    """The route a message was owed by. What can't be read counts as not said: a message that an
    older Sentinel owed, or a newer one, must not hold up the others."""
    kept = {key: value for key, value in row["route"].items() if key in Route.model_fields}
    to = tuple(part for part in row["recipient"].split(",") if part)
    try:
        return Route.model_validate({"channel": row["channel"], "to": to, **kept})
    except ValidationError:
        return Route.model_construct(channel=row["channel"], to=to)


# -- news for those who were told before -----------------------------------------------------


def notices(
    before: Sequence[Mapping[str, Any]],
    event_id: int,
    reason: str,
    now: datetime,
    suppressed: Suppression | None = None,
) -> list[Row]:
    """Messages that go to whoever was told of an event: its end, its acknowledgement.

    `before` are the event's messages, oldest first. A channel in which a storm told of it hears no
    more: the storm's summary says how many are over. The end of an incident is told although its
    rule is mute: the page was sent, and somebody would work on it.
    """
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in before:
        found.setdefault((row["channel"], row["recipient"]), []).append(row)
    owed = []
    for (channel, recipient), rows in found.items():
        told = [row for row in rows if _heard(row)]
        if not told:
            continue
        route = route_of(told[-1])
        if not _wanted(route, reason):
            continue
        mute = suppressed if not route.follows else None
        owed.append(
            {
                **BLANK,
                "event_id": event_id,
                "channel": channel,
                "recipient": recipient,
                "reason": reason,
                "sequence": sum(row["reason"] == reason for row in rows),
                "route": told[-1]["route"],
                "group_key": told[-1]["group_key"],
                "status": "suppressed" if mute else "pending",
                "created_at": now,
                "next_attempt_at": now,
                **dropped_columns(mute),
            }
        )
    return owed


def _heard(row: Mapping[str, Any]) -> bool:
    """Did, or will, anybody get this message, as far as one can know?"""
    may_have_arrived = row["unknown"] > 0 or row["claimed_at"] is not None
    if row["status"] == "sent" or may_have_arrived:
        return True
    return row["status"] == "pending" and not is_step(row["reason"])


def _wanted(route: Route, reason: str) -> bool:
    if reason == NotifyReason.RESOLVED:
        return route.follows if route.resolved is None else route.resolved
    if reason in (NotifyReason.ACKNOWLEDGED, NotifyReason.UNACKNOWLEDGED):
        return route.follows if route.acknowledged is None else route.acknowledged
    return True  # who heard that it flaps hears that it does no longer


# -- what is no event ------------------------------------------------------------------------


def about_row(
    about: str,
    channel: str,
    recipient: str,
    reason: str,
    now: datetime,
    *,
    content: Mapping[str, Any] | None = None,
    storm_id: int | None = None,
) -> Row:
    """A message about something else than an event: a storm, a report."""
    return {
        **BLANK,
        "about": about,
        "content": dict(content or {}),
        "storm_id": storm_id,
        "event_id": None,
        "channel": channel,
        "recipient": recipient,
        "reason": reason,
        "sequence": 0,
        "route": {},
        "group_key": "",
        "status": "pending",
        "created_at": now,
        "next_attempt_at": now,
        **dropped_columns(None),
    }
