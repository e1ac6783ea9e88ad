"""What became of an action on events, and that in a sentence. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sentinel_core.store.read.changes import Doer
from sentinel_core.store.record.change import Former
from sentinel_core.store.record.undo import Undoable
from sentinel_core.wording.text import counted
from viewer.escape import listed

OnEvents = Literal["acknowledge", "snooze", "unacknowledge", "resolve", "assign", "rate", "comment"]
"""What people do to events."""

UNDOABLE: dict[OnEvents, Undoable] = {
    "acknowledge": "acknowledged",
    "snooze": "acknowledged",
    "unacknowledge": "unacknowledged",
    "assign": "assigned",
}
"""What can be taken back, with its entry in the audit."""
_DID: dict[OnEvents, str] = {
    "acknowledge": "Acknowledged {}.",
    "snooze": "Snoozed {}.",
    "unacknowledge": "Unacknowledged {}.",
    "resolve": "Resolved {}.",
    "assign": "Assigned {}.",
    "rate": "Rated {}.",
    "comment": "Commented on {}.",
}
_FIRST: dict[OnEvents, tuple[str, str]] = {
    "acknowledge": ("already been acknowledged by {}", "already been acknowledged"),
    "snooze": ("already been acknowledged by {}", "already been acknowledged"),
    "unacknowledge": ("already been taken back by {}", "not been acknowledged"),
    "resolve": ("already been resolved by {}", "already ended"),
    "assign": ("already been assigned by {}, which stays", "not changed"),
    "rate": ("already been rated by {}, which stays", "not changed"),
    "comment": ("already been commented on by {}", "not changed"),
}
"""Why nothing was left to do, with and without a name."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of each event: changed, as wanted before (and by whom), no longer there."""

    done: tuple[int, ...] = ()
    already: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    doers: tuple[Doer, ...] = ()
    former: tuple[Former, ...] = ()

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(
            self.done + other.done,
            self.already + other.already,
            self.missing + other.missing,
            self.doers + other.doers,
            self.former + other.former,
        )


def sentence(action: OnEvents, outcome: Outcome) -> str:
    """How many events were changed, and how many by whom before (markdown, escaped)."""
    parts = [_DID[action].format(counted(len(outcome.done), "event"))]
    if outcome.already:
        known, unknown = _FIRST[action]
        why = known.format(_names(outcome.doers)) if outcome.doers else unknown
        have = "has" if len(outcome.already) == 1 else "have"
        parts.append(f"{counted(len(outcome.already), 'event')} {have} {why}.")
    if outcome.missing:
        parts.append(f"{counted(len(outcome.missing), 'event')} no longer in the store.")
    return " ".join(parts)


def undone(done: int, changed: int) -> str:
    """How many events are as they were, and how many somebody has changed since."""
    text = f"Took it back for {counted(done, 'event')}."
    return f"{text} {counted(changed, 'event')} changed since." if changed else text


def _names(doers: Iterable[Doer]) -> str:
    return listed(sorted({doer.by for doer in doers}), 5)
