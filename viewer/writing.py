"""The viewer's writes. All of them go through `change`, which is where they can be refused.

The functions called are those of the `sentinel` command: there is no other way to change an event.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeVar
from uuid import UUID

from sqlalchemy import Engine

from sentinel_core.model.silence import Silence
from sentinel_core.store.read.changes import Doer, last_changes
from sentinel_core.store.record import acknowledge as acknowledging
from sentinel_core.store.record import annotate, react, silences, views
from sentinel_core.store.record import resolve as resolving
from sentinel_core.store.record import undo as undoing
from sentinel_core.store.record.acknowledge import Acknowledged
from sentinel_core.store.record.change import Changed, Former
from sentinel_core.store.record.react import Approved
from viewer import access, data, operations, roles
from viewer.operations import Action as RuleAction
from viewer.outcomes import UNDOABLE, OnEvents, Outcome

T = TypeVar("T")
Action = (
    OnEvents
    | RuleAction
    | Literal["approve", "reconcile", "undo", "silence", "save-view", "delete-view"]
)
"""Everything that is written from a page."""

_ENTRIES: dict[OnEvents, tuple[str, ...]] = {
    "acknowledge": (),  # the event itself says who
    "snooze": (),
    "unacknowledge": ("unacknowledged",),
    "resolve": ("resolved",),
    "assign": ("assigned", "unassigned"),
    "rate": ("disposition",),
    "comment": (),
}
"""The entries of the audit that say who did it before."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a person adds to an action: a name, a comment, and what the action asks for."""

    by: str
    comment: str = ""
    to: str | None = None  # for whom an event is; None or "": for nobody
    disposition: str | None = None
    until: datetime | None = None
    above: float | None = None  # the values beyond which a snooze ends
    below: float | None = None


logger = logging.getLogger(__name__)


def change(action: Action, by: str, write: Callable[[Engine, datetime, str], T]) -> T:
    """Write something in a person's name, and forget what was read before.

    `write` is given the verified name where there is a login, else `by`. Raises NotAllowedError for
    somebody who may not, SentinelError when nothing was written, ValueError for what can't be.
    """
    by = access.permit(_kind(action), by)
    logger.info("%s in the name of %.200r", action, by)
    try:
        return write(data.engine(), data.now(), by)
    finally:
        data.forget()


def _kind(action: Action) -> roles.Action:
    if action in ("run", "pause", "resume"):
        return roles.Action.RULES
    if action in ("save-view", "delete-view"):
        return roles.Action.VIEWS
    if action == "silence":
        return roles.Action.SILENCES
    return roles.Action.RECONCILE if action == "reconcile" else roles.Action.EVENTS


def change_events(action: OnEvents, seen: Mapping[int, str | None], given: Given) -> Outcome:
    """Do this to exactly these events, each with the value that the person saw of what is changed.

    Raises as `change` does.
    """
    return change(
        action,
        given.by,
        lambda engine, now, by: _on_events(engine, action, seen, replace(given, by=by), now),
    )


def _on_events(
    engine: Engine, action: OnEvents, seen: Mapping[int, str | None], given: Given, now: datetime
) -> Outcome:
    result: Acknowledged | Changed
    ids, by, comment = list(seen), given.by, given.comment
    match action:
        case "acknowledge" | "snooze":
            result = acknowledging.acknowledge(
                engine,
                ids,
                by=by,
                comment=comment,
                until=given.until,
                above=given.above,
                below=given.below,
                now=now,
            )
        case "unacknowledge":
            result = acknowledging.unacknowledge(engine, ids, by=by, comment=comment, now=now)
        case "resolve":
            result = resolving.resolve(engine, ids, by=by, comment=comment, now=now)
        case "assign":
            result = annotate.assign(
                engine, ids, by=by, to=given.to, comment=comment, now=now, seen=seen
            )
        case "rate":
            result = annotate.disposition(
                engine,
                ids,
                by=by,
                disposition=given.disposition,
                comment=comment,
                now=now,
                seen=seen,
            )
        case "comment":
            result = annotate.comment(engine, ids, by=by, comment=comment, now=now)
    return _outcome(engine, action, result)


def _outcome(engine: Engine, action: OnEvents, result: Acknowledged | Changed) -> Outcome:
    """The result, and who was first where there was nothing left to do."""
    former = (
        (result.former,) if result.former and result.former.before and action in UNDOABLE else ()
    )
    if isinstance(result, Acknowledged):
        already = tuple(event.id for event in result.handled)
        doers = tuple(Doer(event.by or "somebody", event.at) for event in result.handled)
        return Outcome(result.done, already, result.missing, doers, former)
    doers = tuple(last_changes(engine, result.already, _ENTRIES[action]).values())
    return Outcome(result.done, result.already, result.missing, doers, former)


def undo(action: OnEvents, former: Sequence[Former], by: str) -> tuple[int, int]:
    """Take an action back; the number of events that are as they were, and of the others.

    Raises as `change` does.
    """

    def write(engine: Engine, now: datetime, by: str) -> tuple[int, int]:
        results = [undoing.undo(engine, UNDOABLE[action], one, by=by, now=now) for one in former]
        done = sum(len(result.done) for result in results)
        return done, sum(len(one.before) for one in former) - done

    return change("undo", by, write)


def silence(meant: Silence, by: str, comment: str) -> Silence:
    """Make a silence in a person's name; as stored, with its id. Raises as `change` does."""

    def write(engine: Engine, now: datetime, by: str) -> Silence:
        signed = {"author": by, "comment": comment}
        return silences.create(engine, meant.model_copy(update=signed), now=now)

    return change("silence", by, write)


def approve(event_id: int, by: str, comment: str) -> Approved:
    """Approve what waits for it. Raises as `change` does."""
    return change(
        "approve",
        by,
        lambda engine, now, who: react.approve(
            engine, [event_id], by=who, comment=comment, now=now
        ),
    )


def change_rules(action: RuleAction, deployment_ids: Sequence[UUID], by: str) -> int:
    """Run, pause or resume rules; the number changed. Raises as `change` does."""
    return change(
        action,
        by,
        lambda engine, now, who: operations.act(engine, action, deployment_ids, by=who, now=now),
    )


def reconcile(by: str) -> str:
    """Compare Prefect's runs with the record; the result in a sentence. Raises SentinelError."""
    return change(
        "reconcile", by, lambda engine, _now, _who: operations.reconcile(engine, data.settings())
    )


def save_view(name: str, query: str, by: str) -> int:
    """Save filters under a name; the view's id. Raises as `change` does."""
    return change(
        "save-view",
        by,
        lambda engine, now, who: views.save(engine, name, query, by=who, now=now),
    )


def delete_view(view_id: int, by: str) -> bool:
    """Delete a saved view; False if somebody has already. Raises as `change` does."""
    return change(
        "delete-view", by, lambda engine, now, who: views.remove(engine, view_id, by=who, now=now)
    )
