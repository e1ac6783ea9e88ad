"""Values as typed: ids, times, durations, names."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Literal

from cyclopts import CoercionError, convert

from sentinel_core.base.errors import UsageError
from sentinel_core.cli.store import settings
from sentinel_core.model.alert import EARLIEST, LATEST
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.times import utc
from sentinel_core.rulefile.phrases import did_you_mean

_LONGEST = timedelta(days=3660)
_SHOWN = 60  # characters of a wrong value that are repeated


def utc_now() -> datetime:
    """This moment, aware UTC."""
    return datetime.now(UTC)


def quoted(value: str) -> str:
    """A typed value for a message: short, on one line, in quotes."""
    flat = " ".join(clean_text(value).split())
    return f"'{flat if len(flat) <= _SHOWN else flat[: _SHOWN - 1] + '…'}'"


def ids_of(what: Literal["event", "silence"], typed: Sequence[str]) -> list[int]:
    """Each id once, in the order typed. Raises UsageError for an invalid id and for none."""
    if not typed:
        raise UsageError(f"name at least one {what} by its id: `sentinel {what}s list` shows them")
    return list(dict.fromkeys(id_of(what, text) for text in typed))


def id_of(what: Literal["event", "silence"], text: str) -> int:
    """An id of the store. Raises UsageError."""
    if not (text.isascii() and text.isdigit()) or not 0 < int(text[:20]) < 2**63:
        raise UsageError(
            f"{quoted(text)} is not the id of any {what}: ids are numbers, as "
            f"`sentinel {what}s list` shows them"
        )
    return int(text)


def require_rules(names: Iterable[str], known: Sequence[str]) -> None:
    """Raise UsageError for a name that no rule on record has: nothing would look like no alert."""
    for name in sorted(set(names).difference(known)):
        raise UsageError(
            f"the event store has no rule named {quoted(name)}{did_you_mean(name, known)} "
            "(`sentinel rules list` shows them)"
        )


def _duration(text: str) -> timedelta | None:
    """The duration written; None where the text is not a duration at all."""
    try:
        # In lower case: cyclopts reads 5M as months
        length: timedelta = convert(timedelta, [text.strip().lower()])
    except CoercionError:
        return None
    except OverflowError:
        return timedelta.max
    return length


def duration(text: str, option: str) -> timedelta:
    """`2h`, `1h30m`, `90s`, `7d`. Raises UsageError."""
    length = _duration(text)
    if length is None or not timedelta(0) < length <= _LONGEST:
        raise UsageError(
            f"{option} {quoted(text)} is not a duration: write 90s, 30m, 2h, 1h30m, 7d or 2w"
        )
    return length


def time_at(text: str, option: str, *, hint: str = "") -> datetime:
    """`2026-11-20T18:00`, in UTC unless it says otherwise. Raises UsageError."""
    try:
        at = datetime.fromisoformat(text.strip())
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        if EARLIEST <= at <= LATEST:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise UsageError(
        f"{option} {quoted(text)} is not a time: write {hint}2026-11-20T18:00 (UTC) or "
        "2026-11-20T18:00+01:00"
    )


def time_ahead(text: str, option: str, now: datetime) -> datetime:
    """A duration from now, or a time in the future. Raises UsageError."""
    if _duration(text) is not None:
        return now + duration(text, option)
    at = time_at(text, option, hint="2h, ")
    if at <= now:
        raise UsageError(f"{option} {quoted(text)} is in the past: it is {utc(now)} now")
    return at


def time_ago(text: str, option: str, now: datetime) -> datetime:
    """A duration before now, or a time. Raises UsageError."""
    if _duration(text) is not None:
        return now - duration(text, option)
    return time_at(text, option, hint="24h, ")


def number(text: str, option: str) -> float:
    """`95`, `0.5`, `-3`. Raises UsageError, also for nan and infinity."""
    with suppress(ValueError):
        value = float(text)
        if isfinite(value):
            return value
    raise UsageError(f"{option} {quoted(text)} is not a number: write 95 or 0.5")


def author(by: str | None) -> str:
    """The name given, otherwise SENTINEL_USER or the login name. Raises UsageError."""
    who = " ".join(clean_text(settings().user if by is None else by).split())
    if not who:
        raise UsageError("--by is empty: your name is part of the record")
    return who
