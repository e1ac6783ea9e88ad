"""The status lines: unacknowledged events, rules and deliveries. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from sentinel_core.model.run import Schedule
from sentinel_core.store.outbox.channels import FailingChannel
from sentinel_core.store.read.deliveries import Deliveries, OpenStorm
from sentinel_core.store.read.filters import COUNT_CAP
from sentinel_core.store.state import system_rule
from sentinel_core.wording.colours import COLOUR_NAMES
from sentinel_core.wording.text import counted
from sentinel_core.wording.times import clock
from viewer.escape import code, listed, number, plain, short_time
from viewer.filters import IMPORTANCES, storm_address

RECONCILE_PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Coverage:
    """The number of active rules, and the names of those that are not checked on time."""

    active: int
    overdue: tuple[str, ...]
    never: tuple[str, ...]
    sentences: tuple[str, ...]
    reconcile_is_old: bool = False


def coverage(
    rules: Sequence[Mapping[str, Any]], now: datetime, reconciled_at: datetime | None
) -> Coverage:
    """The schedule status of the active rules. A rule that was never evaluated may be overdue too.

    `reconciled_at` is the time up to which reconcile has recorded runs.
    """
    from sentinel_core.prefect_io.due import schedule_status  # takes a second to import, once

    overdue, never, sentences = [], [], []
    # Sentinel's own rule has no schedule: it is never overdue.
    active = [r for r in rules if r["is_active"] and r["deployment_id"] not in system_rule.OWN]
    for rule in active:
        known = (rule["last_evaluated_at"], rule["changed_at"], rule["first_seen_at"])
        since = max(moment for moment in known if moment is not None)
        schedules = [Schedule(**item) for item in rule["schedules"]]
        policy = rule["parameters"].get("policy")
        grace = policy.get("grace_seconds") if isinstance(policy, dict) else None
        found = schedule_status(schedules, since, now, grace)
        if found.overdue:
            overdue.append(rule["name"])
            sentences.append(f"{rule['name']}: {found.sentence}")
        elif rule["last_evaluated_at"] is None:
            never.append(rule["name"])
    # A new store has not had time for its first reconcile.
    settled = [rule for rule in active if now - rule["first_seen_at"] > RECONCILE_PATIENCE]
    is_old = bool(settled) and (reconciled_at is None or now - reconciled_at > RECONCILE_PATIENCE)
    return Coverage(len(active), tuple(overdue), tuple(never), tuple(sentences), is_old)


def line(
    unacknowledged: Mapping[str, int], covered: Coverage, updated: datetime, where: tzinfo
) -> str:
    """The whole status line as markdown."""
    attention = [
        f":{COLOUR_NAMES[name]}-badge[{number(unacknowledged[name], COUNT_CAP)} {name}]"
        for name in IMPORTANCES
        if unacknowledged.get(name)
    ]
    first = " ".join(attention) + " unacknowledged" if attention else "Nothing needs attention"
    return " \u2002·\u2002 ".join([first, *_rules(covered), f"last update {clock(updated, where)}"])


def _rules(covered: Coverage) -> list[str]:
    if not covered.active:
        return [":orange-badge[no rule is active]"]
    parts = []
    if covered.overdue:
        names = listed(covered.overdue)
        parts.append(f":orange-badge[{len(covered.overdue)} overdue: {names}]")
    if covered.reconcile_is_old:
        parts.append(":orange-badge[reconcile is not running: lost runs go unnoticed]")
    if covered.never:
        parts.append(f"{len(covered.never)} never evaluated: {listed(covered.never)}")
    return parts


# -- deliveries ---------------------------------------------------------------------------

_NAMED = 3  # channels and storms that have a line of their own
_STORM_MESSAGE = {"sent": "in one message", "failed": "their one message failed for good"}


def deliveries(state: Deliveries, now: datetime, where: tzinfo) -> list[str]:
    """Failing channels, late notifications and open storms, a line of markdown each."""
    lines = [_failing(channel, where) for channel in state.failing[:_NAMED]]
    if more := state.failing[_NAMED:]:
        names = listed([channel.channel for channel in more])
        lines.append(
            f":red-badge[not delivered] as well by {counted(len(more), 'channel')}: {names}"
        )
    if state.late:
        count = number(state.late, COUNT_CAP)
        have = "message has" if state.late == 1 else "messages have"
        lines.append(
            f":red-badge[not sent] {count} {have} been due for 5 minutes: "
            f"is the deployment {code('deliver')} running?"
        )
    lines += [_storm(storm, now, where) for storm in state.storms[:_NAMED]]
    if more_storms := state.storms[_NAMED:]:
        lines.append(f":orange-badge[storm] on {counted(len(more_storms), 'more channel')}")
    return lines


def _failing(channel: FailingChannel, where: tzinfo) -> str:
    name, messages = plain(channel.channel), counted(channel.failed, "message")
    when = "It accepts messages again" if channel.recovered else "Once it is repaired"
    return (
        f":red-badge[{messages} not delivered] by {name}, last "
        f"{short_time(channel.latest, where)}: {plain(channel.error, 140)} · {when}: "
        f"{code(f'sentinel channels retry {channel.channel}')}"
    )


def _storm(storm: OpenStorm, now: datetime, where: tzinfo) -> str:
    to = f" to {plain(storm.recipient, 80)}" if storm.recipient else ""
    count = f"{number(storm.events, COUNT_CAP)} {'event' if storm.events == 1 else 'events'}"
    message = _STORM_MESSAGE.get(storm.message_status, "their one message is not sent yet")
    if storm.waiting:
        wait = "waits" if storm.waiting == 1 else "wait"
        message += f"; {number(storm.waiting, COUNT_CAP)} of them {wait} for the next message"
    began = storm.started_at
    recent = now - began < timedelta(hours=12)
    since = clock(began, where) if recent else short_time(began, where)
    return (
        f":orange-badge[storm] on {plain(storm.channel)}{to} since {since}: "
        f"[{count}]({storm_address(storm.id)}), {message}"
    )
