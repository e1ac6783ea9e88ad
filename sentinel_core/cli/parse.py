"""What people type: event ids, moments, lengths of time, their name; and the store they mean."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sentinel_core.base.errors import SchemaBehindError, StoreUnavailableError, UsageError
from sentinel_core.model.alert import EARLIEST, LATEST
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.times import utc

if TYPE_CHECKING:
    from sqlalchemy import Engine

_LENGTH = re.compile(r"(?:\d{1,6}(?:\.\d{1,3})?[smhdw])+", re.ASCII)
_PART = re.compile(r"([\d.]+)([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST = timedelta(days=3660)
_SHOWN = 60  # characters of a wrong value that are repeated


def moment_now() -> datetime:
    """This moment, aware UTC."""
    return datetime.now(UTC)


def said(value: str) -> str:
    """What was typed, short and harmless, in quotes."""
    flat = " ".join(clean_text(value).split())
    return f"'{flat if len(flat) <= _SHOWN else flat[: _SHOWN - 1] + '…'}'"


def event_ids(given: Sequence[str]) -> list[int]:
    """Each id once, in the order given. Raises UsageError for what is none, or when none is."""
    return _numbers(given, "event")


def silence_ids(given: Sequence[str]) -> list[int]:
    """The same for silences."""
    return _numbers(given, "silence")


def _numbers(given: Sequence[str], what: str) -> list[int]:
    if not given:
        raise UsageError(f"name at least one {what} by its id: `sentinel {what}s list` shows them")
    return list(dict.fromkeys(number(text, what) for text in given))


def number(text: str, what: str) -> int:
    """An id of the store. Raises UsageError."""
    if not (text.isascii() and text.isdigit()) or not 0 < int(text[:20]) < 2**63:
        raise UsageError(
            f"{said(text)} is not the id of any {what}: ids are numbers, as "
            f"`sentinel {what}s list` shows them"
        )
    return int(text)


def length(text: str, option: str) -> timedelta:
    """`2h`, `1h30m`, `90s`, `7d`. Raises UsageError."""
    flat = text.strip().lower()
    found = (
        timedelta(seconds=sum(float(n) * _SECONDS[unit] for n, unit in _PART.findall(flat)))
        if _LENGTH.fullmatch(flat)
        else timedelta(0)
    )
    if not timedelta(0) < found <= _LONGEST:
        raise UsageError(
            f"{option} {said(text)} is no length of time: write 90s, 30m, 2h, 1h30m, 7d or 2w"
        )
    return found


def moment(text: str, option: str) -> datetime:
    """`2026-11-20T18:00`, in UTC unless it says otherwise. Raises UsageError."""
    try:
        found = datetime.fromisoformat(text.strip())
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        if EARLIEST <= found <= LATEST:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise UsageError(
        f"{option} {said(text)} is no moment: write 2026-11-20T18:00 (UTC) or "
        "2026-11-20T18:00+01:00"
    )


def moment_ahead(text: str, option: str, now: datetime) -> datetime:
    """A length of time from now, or a moment that is still to come. Raises UsageError."""
    if _LENGTH.fullmatch(text.strip().lower()):
        return now + length(text, option)
    found = moment(text, option)
    if found <= now:
        raise UsageError(f"{option} {said(text)} has passed: it is {utc(now)} now")
    return found


def moment_back(text: str, option: str, now: datetime) -> datetime:
    """A length of time before now, or a moment. Raises UsageError."""
    if _LENGTH.fullmatch(text.strip().lower()):
        return now - length(text, option)
    return moment(text, option)


def author(by: str | None) -> str:
    """Who does it: the name given, else SENTINEL_USER, else the login name. Raises UsageError."""
    from sentinel_core.cli.store import settings

    who = " ".join(clean_text(settings().user if by is None else by).split())
    if not who:
        raise UsageError("--by is empty: say who does it, the name is part of the record")
    return who


@contextmanager
def event_store() -> Iterator["Engine"]:
    """The event store as it stands; looking at it makes none.

    Raises StoreUnavailableError and SchemaBehindError, each with what to do.
    """
    from sentinel_core.cli.store import exists, masked, opened, settings
    from sentinel_core.store.db.schema import SCHEMA_HEAD, schema_revision

    url = settings().database_url
    absent = (
        f"there is no event store at {masked(url)} yet: `sentinel db upgrade` makes it; if it is "
        "elsewhere, set SENTINEL_DATABASE_URL"
    )
    if not exists(url):
        raise StoreUnavailableError(absent)
    with opened(url) as engine:
        revision = schema_revision(engine)
        if revision is None:
            raise StoreUnavailableError(absent)
        if revision != SCHEMA_HEAD:
            advice = "run `sentinel db upgrade`" if revision < SCHEMA_HEAD else "upgrade Sentinel"
            raise SchemaBehindError(
                f"the event store stands at revision {revision}, this Sentinel needs "
                f"{SCHEMA_HEAD}: {advice}"
            )
        yield engine
