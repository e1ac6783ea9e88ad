"""The notifications of an event as a timeline in words. Pure.

Callers escape the words: addresses and the answers of providers come from outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

from sentinel_core.decide.delivery import still_needed
from sentinel_core.model.reasons import NotifyReason, Reason, Suppression, SuppressionCode, is_step
from sentinel_core.wording.labels import REASONS, Row
from sentinel_core.wording.text import counted
from sentinel_core.wording.times import clock_near


class State(StrEnum):
    """The state of a notification."""

    SENT = "sent"
    SENDING = "sending"
    DUE = "due"
    WAITING = "waiting"
    ESCALATES = "escalates"
    RETRYING = "retrying"
    FAILED = "failed"
    NOT_SENT = "not sent"
    STOPPED = "stopped"
    STORM = "in a storm"


@dataclass(frozen=True, slots=True)
class Entry:
    """One notification: when it was or will be sent, to whom, why, and its state.

    `words` have details of the state; they may be empty.
    """

    at: datetime
    to: str
    why: str
    state: State
    words: str


def reason_words(text: str) -> str:
    """The reason of a notification in words."""
    reason = Reason.parse(text)
    if reason.kind is NotifyReason.STEP:
        return f"step {reason.step} of the escalation"
    if reason.kind is NotifyReason.ESCALATED and reason.importance:
        return f"more important: {reason.importance}"
    return REASONS.get(reason.kind, text)


def recipients(row: Row) -> str:
    """The channel, with its recipients where the channel alone does not name them."""
    to = row.get("recipient") or ""
    return f"{row['channel']} → {', '.join(to.split(','))}" if to else str(row["channel"])


def timeline(
    event: Row, messages: Sequence[Row], now: datetime, where: tzinfo = UTC
) -> list[Entry]:
    """The notifications of an event in order of time; future ones are last."""
    pending_before: set[tuple[str, str]] = set()
    entries = []
    for row in messages:
        target = (row["channel"], row["recipient"])
        pending = row["status"] == "pending"
        state, words = _state(event, row, target in pending_before, now, where)
        if pending and not is_step(row["reason"]):
            pending_before.add(target)
        at = row["sent_at"] or row.get("settled_at")
        at = at or (row["next_attempt_at"] if pending else row["created_at"])
        entries.append(Entry(at, recipients(row), reason_words(row["reason"]), state, words))
    return sorted(entries, key=lambda entry: entry.at)


def next_step(event: Row, messages: Sequence[Row], now: datetime) -> list[Row]:
    """The notifications of the escalation's next step; none once the event is acknowledged."""
    pending = [
        row
        for row in messages
        if row["status"] == "pending"
        and is_step(row["reason"])
        and _dropped(event, row, now) is None
    ]
    first = min((row["next_attempt_at"] for row in pending), default=None)
    return [row for row in pending if row["next_attempt_at"] == first]


def escalation_words(steps: Sequence[Row], now: datetime, where: tzinfo = UTC) -> str:
    """The next step in words: recipients, time, and what stops it; empty without steps."""
    if not steps:
        return ""
    to = " and ".join(sorted({recipients(row) for row in steps}))
    number = Reason.parse(steps[0]["reason"]).step
    due = steps[0]["next_attempt_at"]
    since = "at" if due > now else "due since"
    return f"step {number} to {to} {since} {clock_near(due, now, where)}, unless acknowledged"


def _dropped(event: Row, row: Row, now: datetime) -> str | None:
    """Why a pending notification will not be sent, as the event is now."""
    verdict = still_needed(row, event, None, max(now, row["next_attempt_at"]))
    return verdict.sentence if isinstance(verdict, Suppression) else None


def _state(event: Row, row: Row, behind: bool, now: datetime, where: tzinfo) -> tuple[State, str]:
    status, error = row["status"], row["last_error"] or ""
    if status == "sent":
        return State.SENT, _joined(*_besides(row))
    if status == "failed":
        exhausted = row["dropped_code"] == SuppressionCode.ATTEMPTS_EXHAUSTED
        # The sentence of the last attempt has their number.
        tried = "" if row["attempts"] == 1 or exhausted else f" after {row['attempts']} attempts"
        return State.FAILED, _joined(f"for good{tried}: {error}", *_besides(row))
    if status == "pending":
        return _pending(event, row, behind, now, where)
    if row.get("storm_id") is not None:
        storm, message = f"storm {row['storm_id']}", row.get("storm_message")
        if message is None:
            return State.STORM, f"waits for the next message of {storm}"
        words = {"sent": "", "failed": ", which failed for good"}
        sent = words.get(message, ", which is not sent yet")
        return State.STORM, f"part of the message of {storm}{sent}"
    return State.NOT_SENT, error


def _pending(event: Row, row: Row, behind: bool, now: datetime, where: tzinfo) -> tuple[State, str]:
    due, at = row["next_attempt_at"] <= now, clock_near(row["next_attempt_at"], now, where)
    claimed = row.get("claimed_at")
    if (claimed is None or due) and (dropped := _dropped(event, row, now)):
        return State.STOPPED, dropped
    if claimed is not None:
        began = clock_near(claimed, now, where)
        if not due:
            return State.SENDING, f"since {began}"
        return State.RETRYING, f"how the attempt at {began} ended is not known; it is sent again"
    if row["attempts"]:
        tried = f"tried {_count(row['attempts'])}"
        again = f"due again since {at}" if due else f"next at {at}"
        last = f"last error: {row['last_error']}" if row["last_error"] else ""
        return State.RETRYING, _joined(f"{tried}, {again}", last, *_unknown(row))
    return _waiting(row, behind, due, at)


def _waiting(row: Row, behind: bool, due: bool, at: str) -> tuple[State, str]:
    """The state of a notification that was never attempted; `at` is its time in words."""
    error, step = row["last_error"], is_step(row["reason"])
    if step and not due:
        if error:  # was due before, and postponed
            return State.WAITING, f"until {at}: {error}"
        return State.ESCALATES, f"at {at} unless acknowledged"
    if behind and not step:
        return State.WAITING, "for the message before it"
    if due:
        return State.DUE, f"since {at}"
    wait = timedelta(seconds=row["route"].get("group_wait_seconds") or 0)
    grouped = error or row["next_attempt_at"] <= row["created_at"] + wait
    words = f"for its group until {at}" if grouped else f"until {at}, as its channel asks"
    return State.WAITING, words


def _besides(row: Row) -> list[str]:
    """Details of a notification that was attempted."""
    together = row.get("together") or 0
    others = f"together with {counted(together, 'other event')}" if together else ""
    return [others, *_unknown(row)]


def _unknown(row: Row) -> list[str]:
    unknown = row.get("unknown") or 0
    again = ", sent again" if row["status"] == "sent" else ""
    return [f"arrival unknown {_count(unknown)}{again}"] if unknown else []


def _count(times: int) -> str:
    return {1: "once", 2: "twice"}.get(times, f"{times} times")


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
