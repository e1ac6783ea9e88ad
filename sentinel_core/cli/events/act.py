"""What people do to events: each command says what was done to which event, and what not and why.

Exit code 0 when all of it was done, 1 when something was not.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sentinel_core.base.errors import UsageError
from sentinel_core.cli.parse import author, ids_of, quoted, time_ahead, utc_now
from sentinel_core.cli.store import writable_store
from sentinel_core.model.times import utc
from sentinel_core.store.record import acknowledge as acknowledging
from sentinel_core.store.record import annotate
from sentinel_core.store.record import resolve as resolving
from sentinel_core.store.record.acknowledge import Changed

if TYPE_CHECKING:
    from sqlalchemy import Engine

NONE = "none"  # takes a disposition back


def acknowledge(events: Sequence[str], *, comment: str, until: str | None, by: str | None) -> int:
    """Acknowledge events; the exit code."""
    ids, who, now = ids_of("event", events), author(by), utc_now()
    end = time_ahead(until, "--until", now) if until is not None else None
    with writable_store() as engine:
        result = acknowledging.acknowledge(engine, ids, by=who, comment=comment, until=end, now=now)
    taken = {}
    for item in result.handled:
        at = f" at {utc(item.at)}" if item.at else ""
        taken[item.id] = f"already acknowledged by {item.by or 'somebody'}{at}"
    done = f"acknowledged by {who}" + (f" until {utc(end)}" if end else "")
    return _report(ids, result.done, done, taken)


def unacknowledge(events: Sequence[str], *, comment: str, by: str | None) -> int:
    """Take acknowledgements back; the exit code."""
    return _change(
        events,
        by,
        lambda engine, ids, who, now: acknowledging.unacknowledge(
            engine, ids, by=who, comment=comment, now=now
        ),
        "no longer acknowledged",
        "not acknowledged before",
    )


def resolve(events: Sequence[str], *, comment: str, by: str | None) -> int:
    """End events by hand; the exit code."""
    return _change(
        events,
        by,
        lambda engine, ids, who, now: resolving.resolve(
            engine, ids, by=who, comment=comment, now=now
        ),
        "resolved",
        "not resolved: it had ended already",
    )


def comment(events: Sequence[str], *, comment: str, by: str | None) -> int:
    """Write a comment on events; the exit code."""
    return _change(
        events,
        by,
        lambda engine, ids, who, now: annotate.comment(
            engine, ids, by=who, comment=comment, now=now
        ),
        "commented on",
        "not changed",
    )


def assign(
    events: Sequence[str], *, to: str | None, nobody: bool, comment: str, by: str | None
) -> int:
    """Say whose events are; the exit code. Raises UsageError for neither or both of the ways."""
    name = " ".join((to or "").split())
    if bool(name) is nobody:
        raise UsageError("name the owner: --to NAME, or --nobody")
    whose = f"assigned to {quoted(name)}" if name else "assigned to nobody"
    return _change(
        events,
        by,
        lambda engine, ids, who, now: annotate.assign(
            engine, ids, to=name or None, by=who, comment=comment, now=now
        ),
        whose,
        f"already {whose}",
    )


def disposition(words: Sequence[str], *, comment: str, by: str | None) -> int:
    """Say what events were worth; the exit code. Raises UsageError for another last word."""
    *events, word = words or ("",)
    known = [*annotate.Disposition]
    if word != NONE and word not in known:
        raise UsageError(
            f"disposition must be one of {', '.join([*known, NONE])}; got {quoted(word)}"
        )
    return _change(
        events,
        by,
        lambda engine, ids, who, now: annotate.disposition(
            engine,
            ids,
            disposition=None if word == NONE else word,
            by=who,
            comment=comment,
            now=now,
        ),
        f"disposition {word}",
        f"already disposition {word}",
    )


# -- all of them ---------------------------------------------------------------------------


def _change(
    events: Sequence[str],
    by: str | None,
    act: "Callable[[Engine, list[int], str, datetime], Changed]",
    done: str,
    already: str,
) -> int:
    ids, who = ids_of("event", events), author(by)
    with writable_store() as engine:
        result = act(engine, ids, who, utc_now())
    return _report(ids, result.done, done, dict.fromkeys(result.already, already))


def _report(ids: Iterable[int], done: Sequence[int], did: str, refused: Mapping[int, str]) -> int:
    """A line for each event, in the order they were named; the exit code."""
    code = 0
    for key in ids:
        if key in done:
            print(f"event {key}: {did}")
            continue
        code = 1
        print(f"event {key}: {refused.get(key, 'there is no such event')}")
    return code
