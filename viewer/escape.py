"""Text for pages: escaped markdown, times in the viewer's zone. Pure."""

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from sentinel_core.model.cleaning import clean_text
from sentinel_core.wording.text import shorten
from sentinel_core.wording.times import stamp

_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$&^=\"'])")
_COMMAND = re.compile(r"`([^`|\s][^`|]*)`")  # a bar would end a cell of a table, also in code
_AFTER_ESCAPES = re.compile(r"([:@]|www(?=\\\.))", re.IGNORECASE)


def plain(text: object, limit: int = 400) -> str:
    """Text from outside on one line of markdown, without any effect as markup."""
    return _escaped(_flat(text, limit))


def code(text: object, limit: int = 400) -> str:
    """Text from outside on one line of markdown, as code to copy."""
    return f"`{_flat(text, limit).replace('`', chr(39))}`"


def sentence(text: object, limit: int = 400) -> str:
    """A sentence from outside as `plain`, but what stands between two backticks as `code`."""
    parts = enumerate(_COMMAND.split(_flat(text, limit)))
    return "".join(code(part) if n % 2 else _escaped(part) for n, part in parts)


def _flat(text: object, limit: int) -> str:
    return shorten(" ".join(clean_text(str(text)).split()), limit)


def _escaped(flat: str) -> str:
    # Icons (`:name:`), colours (`:red[…]`) and addresses are recognised after escapes are removed.
    return _AFTER_ESCAPES.sub("\\1\N{WORD JOINER}", _MARKUP.sub(r"\\\1", flat))


def zone(name: str | None) -> tzinfo:
    """The browser's time zone by name; UTC for an unknown one."""
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError, OSError):
        return UTC


def short_time(at: datetime, where: tzinfo) -> str:
    """`11-20 16:31:05`, without line breaks inside."""
    text = stamp(at, where, year=False)
    return text.replace("-", "\N{NON-BREAKING HYPHEN}").replace(" ", "\N{NO-BREAK SPACE}")


def number(count: int, cap: int) -> str:
    """`1,234`, or `10,000+` for a count that stopped at its cap."""
    return f"{cap:,}+" if count > cap else f"{count:,}"


def listed(names: list[str] | tuple[str, ...], most: int = 3) -> str:
    """The first few names, escaped, and the number of others."""
    shown = ", ".join(plain(name, 60) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
