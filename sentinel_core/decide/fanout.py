"""The recipients of an event's notifications, one row for each. Pure.

A route is where a rule notifies an importance; a row is a notification as the outbox keeps it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from sentinel_core.decide.ledger import Notify
from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason, Reason, Suppression, is_step
from sentinel_core.model.routing import Route
from sentinel_core.model.run import Rule

Row = dict[str, Any]

BLANK: Row = {"about": "", "content": {}, "attempts": 0, "unknown": 0, "claimed_at": None}
"""Column defaults for a new notification."""

AFTER, MEANT = "after_seconds", "importance"  # of a step: its delay, and whose step it is
_RESTARTED = 10  # sequence of steps that restart, above those of the four importances


def dropped_columns(suppression: Suppression | None) -> Row:
    """The columns that say why a notification is not sent."""
    if suppression is None:
        return {"last_error": None, "dropped_code": None}
    return {"last_error": suppression.sentence, "dropped_code": suppression.code.value}


@dataclass(frozen=True, slots=True)
class Target:
    """A route, with what all its notifications have in common."""

    route: Route
    recipient: str
    kept: dict[str, Any]
    wait: timedelta


class Fanout:
    """The notifications that one rule's routes and escalation ask for, in one transaction."""

    def __init__(self, rule: Rule, rule_id: int, now: datetime) -> None:
        self.settings = rule.settings
        self.rule_id = rule_id
        self.now = now
        self._targets: dict[Importance, list[Target]] = {}
        self._steps: dict[Importance, list[tuple[str, timedelta, list[Target]]]] = {}

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
            self._row(target, event_id, event, text, notify.sequence, notify.suppression)
            for target in self._targets_of(importance)
            if not reminder or self.settings.wants_reminder(target.route)
        ]
        if notify.escalates and notify.suppression is None and not reminder:
            number = _RESTARTED + notify.sequence if notify.restarts else importance.rank
            rows += self._step_rows(event_id, event, importance, number)
        return rows

    def _step_rows(
        self, event_id: int, event: Mapping[str, Any], importance: Importance, number: int
    ) -> Iterator[Row]:
        for reason, after, targets in self._steps_of(importance):
            for target in targets:
                row = self._row(target, event_id, event, reason, number, None)
                row["next_attempt_at"] = self.now + after
                row["route"] = {
                    **row["route"],
                    MEANT: importance.value,
                    AFTER: after.total_seconds(),
                }
                yield row

    def _row(
        self,
        target: Target,
        event_id: int,
        event: Mapping[str, Any],
        reason: str,
        sequence: int,
        suppressed: Suppression | None,
    ) -> Row:
        return {
            **BLANK,
            "event_id": event_id,
            "channel": target.route.channel,
            "recipient": target.recipient,
            "reason": reason,
            "sequence": sequence,
            "route": target.kept,
            "group_key": target.route.group_key(event),
            "status": "suppressed" if suppressed else "pending",
            "created_at": self.now,
            "next_attempt_at": self.now + target.wait,
            **dropped_columns(suppressed),
        }

    def _targets_of(self, importance: Importance) -> list[Target]:
        if importance not in self._targets:
            routes = self.settings.notify.routes(importance)
            self._targets[importance] = [self._target(route) for route in routes]
        return self._targets[importance]

    def _steps_of(self, importance: Importance) -> list[tuple[str, timedelta, list[Target]]]:
        if importance not in self._steps:
            self._steps[importance] = [
                (
                    str(Reason(NotifyReason.STEP, step=number)),
                    timedelta(seconds=step.after_seconds),
                    [self._target(one) for route in step.channels for one in route.each()],
                )
                for number, step in enumerate(self.settings.escalation.steps(importance), start=1)
            ]
        return self._steps[importance]

    def _target(self, route: Route) -> Target:
        # The policy decides reminders at the rule's own pace, by when runs were due: a row keeps
        # only a pace that is slower.
        pace = self.settings.repeat_of(route)
        slower = pace if pace != self.settings.effective_policy.repeat_seconds else None
        kept = kept_route(route, resolved=self.settings.wants_end(route), repeat_seconds=slower)
        return Target(route, route.recipient, kept, timedelta(seconds=route.group_wait_seconds))


def kept_route(
    route: Route, *, resolved: bool | None = None, repeat_seconds: float | None = None
) -> dict[str, Any]:
    """The settings of a route that its notification's row keeps: all that differ from the default.

    `resolved`: whether the route is notified of the event's end; `repeat_seconds`: its own pace of
    reminders, where that is slower than the rule's.
    """
    left_out = {"channel", "to", "repeat_seconds"}
    kept = route.model_dump(mode="json", exclude_defaults=True, exclude=left_out)
    if resolved is not None and resolved != route.follows:
        kept["resolved"] = resolved
    if repeat_seconds is not None:
        kept["repeat_seconds"] = repeat_seconds
    return kept


def route_of(row: Mapping[str, Any]) -> Route:
    """The route of a notification's row.

    What can't be read counts as not said: a row that an older or a newer Sentinel wrote must not
    hold up the others.
    """
    kept = {key: value for key, value in row["route"].items() if key in Route.model_fields}
    to = tuple(part for part in row["recipient"].split(",") if part)
    try:
        return Route.model_validate({"channel": row["channel"], "to": to, **kept})
    except ValidationError:
        return Route.model_construct(channel=row["channel"], to=to)


def follow_ups(
    previous: Sequence[Mapping[str, Any]],
    event_id: int,
    reason: str,
    now: datetime,
    suppression: Suppression | None = None,
) -> list[Row]:
    """Notifications of an event's end, or a person's action, for those notified of it before.

    `previous` are the event's notifications, oldest first. A channel that was notified by a storm's
    message gets none: the storm's summary counts those that have ended. PagerDuty incidents and
    Slack threads are followed up even when muted: somebody may be working on the page.
    """
    by_recipient: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in previous:
        by_recipient.setdefault((row["channel"], row["recipient"]), []).append(row)
    rows = []
    for (channel, recipient), earlier in by_recipient.items():
        delivered = [row for row in earlier if _may_be_delivered(row)]
        if not delivered:
            continue
        route = route_of(delivered[-1])
        if not _is_wanted(route, reason):
            continue
        withheld = suppression if not route.follows else None
        rows.append(
            {
                **BLANK,
                "event_id": event_id,
                "channel": channel,
                "recipient": recipient,
                "reason": reason,
                "sequence": sum(row["reason"] == reason for row in earlier),
                "route": delivered[-1]["route"],
                "group_key": delivered[-1]["group_key"],
                "status": "suppressed" if withheld else "pending",
                "created_at": now,
                "next_attempt_at": now,
                **dropped_columns(withheld),
            }
        )
    return rows


def _may_be_delivered(row: Mapping[str, Any]) -> bool:
    """True if the notification was delivered, may have been, or will be."""
    attempted = row["unknown"] > 0 or row["claimed_at"] is not None
    if row["status"] == "sent" or attempted:
        return True
    return row["status"] == "pending" and not is_step(row["reason"])


def _is_wanted(route: Route, reason: str) -> bool:
    """True if the route wants follow-ups of this kind. The end of flapping reaches everybody."""
    if reason == NotifyReason.RESOLVED:
        return route.follows if route.resolved is None else route.resolved
    if reason in (NotifyReason.ACKNOWLEDGED, NotifyReason.UNACKNOWLEDGED):
        return route.follows if route.acknowledged is None else route.acknowledged
    return True


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
    """A notification about something other than an event: a storm, a report."""
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
