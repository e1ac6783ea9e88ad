"""Text for people: escaped where a page would take it for markup, times in their own zone. Pure."""

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from sentinel_core.message import shorten
from sentinel_core.model.cleaning import clean_text
from sentinel_core.wording.times import stamp

_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$&^=\"'])")

_FOUND_LATE = re.compile(r"([:@]|www(?=\\\.))", re.IGNORECASE)


def plain(text: object, limit: int = 400) -> str:
    """Text from outside on one line of markdown, as text and nothing else."""
    flat = shorten(" ".join(clean_text(str(text)).split()), limit)
    escaped = _MARKUP.sub(r"\\\1", flat)
    # Icons and colours are `:name:` and `:red[…]`, and addresses become links: all of that is
    # looked for after escapes are gone
    return _FOUND_LATE.sub("\\1\N{WORD JOINER}", escaped)


def code(text: object, limit: int = 400) -> str:
    """Text from outside on one line of markdown, as something to copy."""
    flat = shorten(" ".join(clean_text(str(text)).split()), limit)
    return f"`{flat.replace('`', chr(39))}`"


def zone(name: str | None) -> tzinfo:
    """The browser's time zone by name; UTC when it names none we know."""
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError, OSError):
        return UTC


def short_time(at: datetime, where: tzinfo) -> str:
    """`11-20 16:31:05`, in one piece wherever lines are broken."""
    text = stamp(at, where, year=False)
    return text.replace("-", "\N{NON-BREAKING HYPHEN}").replace(" ", "\N{NO-BREAK SPACE}")


def number(count: int, cap: int) -> str:
    """`1,234`, or `10,000+` for a count that stopped at its cap."""
    return f"{cap:,}+" if count > cap else f"{count:,}"


def listed(names: list[str] | tuple[str, ...], most: int = 3) -> str:
    """The first few names, escaped, and how many there are besides."""
    shown = ", ".join(plain(name, 60) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
