"""Values that a rule names instead of holding them: `env:NAME` and `block:TYPE/NAME`."""

import os
import re
from collections.abc import Iterable
from typing import Annotated, Any

from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from pydantic import AfterValidator

from sentinel_core.prefect_io.client import prefect_api
from triggers.sources.allowed import variable_warning
from triggers.sources.errors import AccessError, SourceError

ENVIRONMENT = "env:"
BLOCK = "block:"
_BLOCK_FORM = re.compile(r"([a-z0-9-]+)/([a-z0-9-]+)(?:/([A-Za-z0-9_.]+))?")


def is_reference(text: str) -> bool:
    """True if `text` names a value instead of being it."""
    return text.startswith((ENVIRONMENT, BLOCK))


def well_formed(text: str) -> str:
    """`text`, if it is a value or a reference that can be followed. Raises ValueError."""
    if text.startswith(BLOCK) and not _BLOCK_FORM.fullmatch(text.removeprefix(BLOCK)):
        raise ValueError(
            "expected block:TYPE/NAME, for example block:secret/shop-token, or "
            "block:TYPE/NAME/FIELD for another field than `value`"
        )
    return text


def _only_reference(text: str) -> str:
    if not is_reference(text):
        raise ValueError("a secret does not belong here: give block:secret/NAME, or env:NAME")
    return well_formed(text)


Reference = Annotated[str, AfterValidator(_only_reference)]
"""`block:TYPE/NAME[/FIELD]` or `env:NAME`."""


def reference_warning(text: str, always: Iterable[str] = ()) -> str | None:
    """Why the settings here refuse to read what `text` names; None if they do not."""
    if not text.startswith(ENVIRONMENT):
        return None
    return variable_warning(text.removeprefix(ENVIRONMENT), always)


def value_of(what: str, text: str, always: Iterable[str] = ()) -> str:
    """`text`, or the value that it names.

    Raises AccessError for a variable that rules may not read, SourceError when there is none,
    PrefectUnreachableError when the block can't be read.
    """
    if text.startswith(ENVIRONMENT):
        return _variable(what, text.removeprefix(ENVIRONMENT), always)
    if text.startswith(BLOCK):
        return _of_block(what, text.removeprefix(BLOCK))
    return text


def _variable(what: str, name: str, always: Iterable[str]) -> str:
    if refusal := variable_warning(name, always):
        raise AccessError(f"{what}: {refusal}")
    if name not in os.environ:
        raise SourceError(
            f"{what} is to come from the environment variable {name}, which is not set "
            "where this check runs"
        )
    return os.environ[name]


def _of_block(what: str, reference: str) -> str:
    found = _BLOCK_FORM.fullmatch(reference)
    if found is None:
        raise SourceError(f"{what}: expected block:TYPE/NAME or block:TYPE/NAME/FIELD")
    kind, name, field = found[1], found[2], found[3] or "value"
    try:
        with prefect_api() as client:
            document = client.read_block_document_by_name(name, kind, include_secrets=True)
    except ObjectNotFound as error:
        raise SourceError(
            f"{what}: there is no block {kind}/{name} in Prefect; create it (Blocks in the Prefect "
            "UI), or correct the reference"
        ) from error
    except PrefectHTTPStatusError as error:
        raise SourceError(
            f"{what}: Prefect does not give the block {kind}/{name} "
            f"(status {error.response.status_code})"
        ) from error
    value: Any = document.data
    for part in field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise SourceError(
            f"{what}: the block {kind}/{name} has no text in its field {field}; name the field "
            f"that has, as block:{kind}/{name}/FIELD"
        )
    return str(value)
