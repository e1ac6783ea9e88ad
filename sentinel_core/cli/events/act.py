"""People's actions on events: each command prints the outcome for each event.

Exit code 0 when all of it was done, 1 when something was not.
"""

from collections.abc import Callable, Sequence
from typing import Annotated

from cyclopts import Parameter

from sentinel_core.base.errors import UsageError
from sentinel_core.cli.options import By, EventIds, Flag, Json, Why
from sentinel_core.cli.output import print_outcomes
from sentinel_core.cli.parse import author, ids_of, number, quoted, time_ahead, utc_now
from sentinel_core.cli.store import writable_store
from sentinel_core.model.times import utc
from sentinel_core.store.record import acknowledge as acknowledging
from sentinel_core.store.record import annotate
from sentinel_core.store.record import resolve as resolving
from sentinel_core.store.record.change import Changed
from sentinel_core.wording.labels import held_until

NONE = "none"  # takes a disposition back


def acknowledge(
    *events: EventIds,
    comment: Annotated[str, Parameter(help="What you are doing about it.")] = "",
    until: Annotated[
        str | None,
        Parameter(help="Only until then: 30m, 2h, or a time like 2026-11-20T18:00 (UTC)."),
    ] = None,
    above: Annotated[
        str | None, Parameter(help="Only until the value is above this number.")
    ] = None,
    below: Annotated[
        str | None, Parameter(help="Only until the value is below this number.")
    ] = None,
    by: By = None,
    as_json: Json = False,
) -> int:
    """Acknowledge events: no more reminders until they end, until a time or until a value.

    An event that somebody else has acknowledged stays theirs.

    `sentinel events acknowledge 12 14 --comment "moving logs" --until 2h --above 95`
    """
    ids, who, now = ids_of("event", events), author(by), utc_now()
    end = time_ahead(until, "--until", now) if until is not None else None
    limits = {
        "above": number(above, "--above") if above is not None else None,
        "below": number(below, "--below") if below is not None else None,
    }
    with writable_store() as engine:
        result = acknowledging.acknowledge(
            engine, ids, by=who, comment=comment, until=end, **limits, now=now
        )
    taken = {}
    for item in result.handled:
        at = f" at {utc(item.at)}" if item.at else ""
        taken[item.id] = f"already acknowledged by {item.by or 'somebody'}{at}"
    held = {f"acknowledged_{side}": limit for side, limit in limits.items()}
    done = f"acknowledged by {who}" + held_until(held, utc(end) if end else "").removeprefix(",")
    return print_outcomes("event", ids, result.done, done, taken, as_json=as_json)


def unacknowledge(
    *events: EventIds, comment: Why = "", by: By = None, as_json: Json = False
) -> int:
    """Withdraw an acknowledgement: the events need attention again."""
    done, already = "no longer acknowledged", "not acknowledged before"
    return _change(
        acknowledging.unacknowledge, events, by, done, already, as_json=as_json, comment=comment
    )


def resolve(
    *events: EventIds,
    comment: Annotated[str, Parameter(help="What ended it.")] = "",
    by: By = None,
    as_json: Json = False,
) -> int:
    """End events by hand. When the rule still fires, its next run opens a new one."""
    already = "not resolved: it had ended already"
    return _change(
        resolving.resolve, events, by, "resolved", already, as_json=as_json, comment=comment
    )


def comment(
    *events: EventIds,
    comment: Annotated[str, Parameter(help="The comment.")],
    by: By = None,
    as_json: Json = False,
) -> int:
    """Write a comment on events; the newest is shown with the event, all stay in its audit.

    `sentinel events comment 12 --comment "vendor ticket 4711"`
    """
    return _change(
        annotate.comment,
        events,
        by,
        "commented on",
        "not changed",
        as_json=as_json,
        comment=comment,
    )


def assign(
    *events: EventIds,
    to: Annotated[
        str | None, Parameter(help="The name of the person they are assigned to.")
    ] = None,
    nobody: Annotated[bool, Flag, Parameter(help="Remove the assignment.")] = False,
    comment: Why = "",
    by: By = None,
    as_json: Json = False,
) -> int:
    """Assign events to somebody, or to --nobody.

    `sentinel events assign 12 14 --to bo`
    """
    name = " ".join((to or "").split())
    if bool(name) is nobody:
        raise UsageError("name the owner: --to NAME, or --nobody")
    whose = f"assigned to {quoted(name)}" if name else "assigned to nobody"
    return _change(
        annotate.assign,
        events,
        by,
        whose,
        f"already {whose}",
        as_json=as_json,
        to=name or None,
        comment=comment,
    )


def disposition(
    *events: Annotated[
        str, Parameter(help="Ids of events, then actionable, noise, duplicate or none.")
    ],
    comment: Why = "",
    by: By = None,
    as_json: Json = False,
) -> int:
    """Record what events were worth: actionable, noise or duplicate, as the last argument.

    `none` removes an earlier disposition.

    `sentinel events disposition 12 14 noise`
    """
    *ids, word = events or ("",)
    known = [*annotate.Disposition]
    if word != NONE and word not in known:
        raise UsageError(
            f"disposition must be one of {', '.join([*known, NONE])}; got {quoted(word)}"
        )
    done = f"disposition {word}"
    given = None if word == NONE else word
    return _change(
        annotate.disposition,
        ids,
        by,
        done,
        f"already {done}",
        as_json=as_json,
        disposition=given,
        comment=comment,
    )


def _change(
    act: Callable[..., Changed],
    events: Sequence[str],
    by: str | None,
    done: str,
    already: str,
    *,
    as_json: bool,
    **given: str | None,
) -> int:
    ids, who = ids_of("event", events), author(by)
    with writable_store() as engine:
        result = act(engine, ids, by=who, now=utc_now(), **given)
    left = dict.fromkeys(result.already, already)
    return print_outcomes("event", ids, result.done, done, left, as_json=as_json)
