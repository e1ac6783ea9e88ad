"""Reads and checks the `sla` lists of a file: what Prefect ignores silently is an error here."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sentinel_core.model.sla import Severity, Sla, SlaKind
from sentinel_core.rulefile.phrases import did_you_mean, kind, plain_message, shown
from sentinel_core.rulefile.source import Entry, RuleFile, Where, dig

SLA = "sla"


def read_slas(file: RuleFile, entry: Entry) -> list[Sla]:
    """The SLAs of a deployment that can be read; a problem is added for each of the others."""
    given = entry.config.get(SLA)
    if given is None:
        return []
    if not isinstance(given, list):
        file.complain(entry, (SLA,), f"expected a list of SLAs, got {kind(given)}")
        return []
    found: dict[str, Sla] = {}
    for number, item in enumerate(given):
        sla = _read_one(file, entry, (SLA, number), item)
        if sla is not None and sla.name in found:
            message = f"expected a unique name: this deployment has another SLA {shown(sla.name)}"
            file.complain(entry, (SLA, number, "name"), message)
        elif sla is not None:
            found[sla.name] = sla
    return list(found.values())


def _read_one(file: RuleFile, entry: Entry, path: Where, item: Any) -> Sla | None:
    if not isinstance(item, dict):
        file.complain(entry, path, f"expected a mapping with name and severity, got {kind(item)}")
        return None
    try:
        return Sla.model_validate(item)
    except ValidationError as error:
        for one in error.errors():
            place = (*path, *one["loc"][:1])
            file.complain(entry, place, _message(entry, place, one))
        return None


def _message(entry: Entry, place: Where, item: ErrorDetails) -> str:
    if item["type"] == "extra_forbidden":
        return f"unknown SLA key{did_you_mean(place[-1], list(Sla.model_fields))}"
    if item["type"] == "missing":
        return "missing: every SLA needs a name"
    if entry.is_open(place):
        return "expected a value: a placeholder that only Prefect can fill is not read here"
    if place[-1] == "severity":
        expected = _one_of(list(Severity))
    elif place[-1] in list(SlaKind):
        expected = "seconds, more than 0 and at most a year"
    else:
        return plain_message(item)
    return f"expected {expected}, got {entry.written(place, dig(entry.config, place))}"


def _one_of(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
