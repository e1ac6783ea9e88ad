"""The reactions of an event as a timeline in words. Pure.

Callers escape the words: the answers of Prefect and the values of events come from outside.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any

from sentinel_core.model.reaction import ReactionStatus
from sentinel_core.wording.labels import Row
from sentinel_core.wording.text import shorten
from sentinel_core.wording.times import clock_near

_OCCASIONS = {
    "open": "as it opened",
    "resolve": "as it ended",
    "escalate": "as it became more important",
}
_LONGEST = 300  # characters of the parameters


class State(StrEnum):
    """The state of a reaction."""

    WAITING = "waits for approval"
    DUE = "due"
    RETRYING = "trying again"
    RUNNING = "running"
    DONE = "done"
    RUN_FAILED = "run failed"
    NOT_STARTED = "not started"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One reaction: when, what it does and why, its state, details, and its run if there is one."""

    at: datetime
    what: str
    why: str
    state: State
    words: str
    run: str | None = None


def timeline(reactions: Sequence[Row], now: datetime, where: tzinfo = UTC) -> list[Entry]:
    """The reactions of an event in the order in which they were decided."""
    return [_entry(row, now, where) for row in reactions]


def waiting(reactions: Sequence[Row]) -> list[Row]:
    """The reactions that wait for somebody's approval."""
    return [row for row in reactions if row["status"] == ReactionStatus.WAITING]


def what_it_does(row: Row) -> str:
    """`run retrain/nightly`, `retry the failed run`, `resume ingest/hourly`."""
    if row["action"] == "retry":
        return "retry the failed run"
    return f"{row['action']} {row['target']}"


def parameters_of(row: Row) -> str:
    """`model=churn, drift=0.21`; empty for what takes none."""
    if row["action"] != "run":
        return ""
    parts = (f"{key}={_value(value)}" for key, value in row["parameters"].items())
    return shorten(", ".join(parts), _LONGEST)


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _entry(row: Row, now: datetime, where: tzinfo) -> Entry:
    state, words = _state(row, now, where)
    if row["approved_by"]:
        approved = f"approved by {row['approved_by']} at "
        approved += clock_near(row["approved_at"], now, where)
        words = f"{words}; {approved}" if words else approved
    at = row["ended_at"] or row["started_at"] or row["created_at"]
    run = str(row["flow_run_id"]) if row["flow_run_id"] else None
    why = _OCCASIONS.get(row["occasion"], "")
    return Entry(at, what_it_does(row), why, state, words, run)


def _state(row: Row, now: datetime, where: tzinfo) -> tuple[State, str]:
    status, sentence, run = row["status"], row["sentence"], row["flow_run_name"]
    if status == ReactionStatus.WAITING:
        return State.WAITING, _given(row)
    if status == ReactionStatus.PENDING:
        at = clock_near(row["next_attempt_at"], now, where)
        if row["attempts"] and row["claimed_at"] is None:
            return State.RETRYING, f"next at {at}: {sentence}"
        return State.DUE, f"since {at}"
    if status == ReactionStatus.STARTED:
        since = f"{run} since {clock_near(row['started_at'], now, where)}"
        return State.RUNNING, ", ".join(part for part in (since, _given(row)) if part)
    if status == ReactionStatus.ENDED:
        words = f"{run} ended as {row['run_state_name']}" if run else ""
        return (State.RUN_FAILED if row["code"] else State.DONE), words
    return (State.FAILED if status == ReactionStatus.FAILED else State.NOT_STARTED), sentence


def _given(row: Row) -> str:
    parameters = parameters_of(row)
    return f"with {parameters}" if parameters else ""
