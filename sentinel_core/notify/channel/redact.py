"""Removes a block's secrets from texts about it. Pure."""

import base64
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
# A webhook's URL is its password: only the host of an address is shown.
_ADDRESS = re.compile(r"(\w+://)(?:[^\s/@'\"]*@)?([^\s/?#@'\"]+)(?:[/?#][^\s'\"]*)?")
# Plain text in Prefect's custom webhook, but the usual place for a token.
_AS_GOOD_AS_SECRET = ("url", "headers", "cookies", "params")


def secrets_of(block: BaseModel) -> frozenset[str]:
    """Every secret value in a block, as its fields hold them."""
    values = set[str]()
    for name in type(block).model_fields:
        value = getattr(block, name, None)
        values.update(_leaves(value) if name in _AS_GOOD_AS_SECRET else _hidden(value))
    return frozenset(values)


def _hidden(value: Any) -> Iterator[str]:
    """The texts inside values that pydantic or Prefect masks."""
    if hasattr(value, "get_secret_value"):
        yield from _leaves(value.get_secret_value())
    elif isinstance(value, BaseModel):
        yield from secrets_of(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _hidden(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _hidden(item)


def _leaves(value: Any) -> Iterator[str]:
    if hasattr(value, "get_secret_value"):
        value = value.get_secret_value()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _leaves(item)
    elif value is not None:
        yield str(value)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` cleaned and shortened, without any of `secrets` in any usual spelling."""
    replacements = {
        form: shown
        for secret in secrets
        if len(secret) >= _SHORTEST
        for form, shown in _forms(secret)
        if len(form) >= _SHORTEST
    }
    longest_first = sorted(replacements, key=len, reverse=True)
    # Before cleaning, which changes characters, and after it, as removals may complete a secret.
    for form in longest_first:
        text = text.replace(form, replacements[form])
    text = clean_text(text)
    for form in longest_first:
        text = text.replace(form, replacements[form])
    return _ADDRESS.sub(r"\1\2/…", text)[:LIMIT]


def _forms(secret: str) -> Iterator[tuple[str, str]]:
    """The spellings of a secret in an error, each with its replacement."""
    host = ""
    if "://" in secret:
        host, parts = _address(secret)
        for part in parts:
            yield from ((form, _HIDDEN) for form in _spelled(part))
    for form in _spelled(secret):
        yield form, host or _HIDDEN


def _address(url: str) -> tuple[str, list[str]]:
    """The part of a URL that may be shown, and the parts that are secret by themselves."""
    try:
        split = urlsplit(url)
        host = f"{split.scheme}://{split.hostname or ''}/…"
    except ValueError:
        return _HIDDEN, []
    tail = split.path + (f"?{split.query}" if split.query else "")
    segments = [part for part in split.path.split("/") if len(part) >= _LONG_SEGMENT]
    return host, [tail, *segments, split.query, split.password or ""]


def _spelled(text: str) -> Iterator[str]:
    raw = text.encode("utf-8", "surrogatepass")
    yield text
    yield clean_text(text)
    yield quote(raw)
    yield quote(raw, safe="")
    yield quote_plus(raw)
    yield repr(text)[1:-1]
    yield base64.b64encode(raw).decode()
