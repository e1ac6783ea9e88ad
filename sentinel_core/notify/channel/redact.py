"""Removes a block's secrets from texts about it. Pure."""

import base64
import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

from pydantic import BaseModel

from sentinel_core.model.cleaning import clean_text

LIMIT = 500
_SHORTEST = 4  # shorter values are no secrets, and would be replaced inside of words
_LONG_SEGMENT = 8
_HIDDEN = "***"
# A webhook's URL is its password: only the host of an address is shown. Without a limit to its
# scheme, a megabyte of letters takes hours.
_ADDRESS = re.compile(r"(\w{1,30}://)([^\s'\"]+)")
# Plain text in Prefect's custom webhook, but the usual place for a token.
_AS_GOOD_AS_SECRET = ("url", "headers", "cookies", "params")


def secrets_of(block: BaseModel) -> frozenset[str]:
    """Every secret value in a block, as its fields hold them."""
    return frozenset(_secrets(block, is_secret=False))


def _secrets(value: Any, *, is_secret: bool) -> Iterator[str]:
    """The texts in a value: all if it is secret, else those that pydantic or Prefect masks."""
    if hasattr(value, "get_secret_value"):
        value, is_secret = value.get_secret_value(), True
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            named = is_secret or name in _AS_GOOD_AS_SECRET
            yield from _secrets(getattr(value, name, None), is_secret=named)
    elif isinstance(value, Mapping | list | tuple | set | frozenset):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _secrets(item, is_secret=is_secret)
    elif is_secret and value is not None:
        yield value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` cleaned and shortened, without any of `secrets` in any usual spelling."""
    return without_secrets(text, secrets)[:LIMIT]


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` as `redact` gives it, but not shortened. Cut what it returns, never what it gets."""
    replacements = {
        form: shown
        for secret in secrets
        if len(secret) >= _SHORTEST
        for form, shown in _forms(secret)
        if len(form) >= _SHORTEST
    }
    longest_first = sorted(replacements, key=len, reverse=True)

    def hidden(text: str) -> str:
        for form in longest_first:
            text = text.replace(form, replacements[form])
        return text

    # Before cleaning, which changes characters, and after it, as removals may complete a secret.
    return _ADDRESS.sub(_host_alone, hidden(clean_text(hidden(text))))


def _host_alone(address: re.Match[str]) -> str:
    """The scheme and the host of an address; no host where it can't be told from a password."""
    scheme, rest = address.groups()
    authority = rest.partition("/")[0]
    _user, at, after = authority.rpartition("@")  # a password may have another @, unescaped
    host = re.split("[?#]", after)[0]
    if at and (not host or re.search("[?#]", authority)):
        return f"{scheme}{_HIDDEN}/…"
    return f"{scheme}{host}/…" if host else address[0]


def _forms(secret: str) -> Iterator[tuple[str, str]]:
    """The spellings of a secret in an error, each with its replacement.

    Of a URL, the host may be shown; path, query and password are secret by themselves.
    """
    shown = _HIDDEN
    if "://" in secret:
        with contextlib.suppress(ValueError):
            url = urlsplit(secret)
            shown = f"{url.scheme}://{url.hostname or ''}/…"
            tail = url.path + (f"?{url.query}" if url.query else "")
            segments = [part for part in url.path.split("/") if len(part) >= _LONG_SEGMENT]
            for part in (tail, *segments, url.query, url.password or ""):
                yield from ((form, _HIDDEN) for form in _spelled(part))
    yield from ((form, shown) for form in _spelled(secret))


def _spelled(text: str) -> Iterator[str]:
    raw = text.encode("utf-8", "surrogatepass")
    yield text
    yield clean_text(text)
    yield quote(raw)
    yield quote(raw, safe="")
    yield quote_plus(raw)
    yield repr(text)[1:-1]
    yield base64.b64encode(raw).decode()
