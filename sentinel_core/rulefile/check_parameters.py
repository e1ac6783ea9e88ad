"""Checks a deployment's parameters against its flow; problems name the field and what it takes.

Prefect's own `deploy` misses unknown and missing parameters, and never looks into a schedule's.
"""

import contextlib
import inspect
import json
import logging
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from prefect import Flow
from prefect.utilities.schema_tools import validate
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from sentinel_core.model.cleaning import clean_text
from sentinel_core.rulefile.phrases import did_you_mean, plain_message, shorten
from sentinel_core.rulefile.source import Entry, RuleFile, Where, dig

ROUTED = ("notify", "escalation")
"""The parameters that name channels."""
_REFERENCE = re.compile(r'"#/definitions/([^"]+)"')


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """A flow file that prints must not end up in the middle of `--json`."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def check_parameters(
    file: RuleFile, entry: Entry, flow: Flow[..., Any], schema: dict[str, Any], *, is_rule: bool
) -> None:
    """Note what is wrong with the parameters of a deployment and of each of its schedules."""
    for where, given in given_parameters(entry):
        if is_rule:
            _Parameters(file, entry, parameter_types(flow), schema, where).check(given)
        else:
            _check_plain_flow(file, entry, flow, schema, where, given)


def given_parameters(entry: Entry) -> Iterator[tuple[Where, dict[str, Any]]]:
    """The deployment's parameters, then those of each schedule, merged over them."""
    base = entry.config.get("parameters") or {}
    if not isinstance(base, dict):
        return
    yield ("parameters",), base
    for number, schedule in enumerate(entry.schedules):
        own = schedule.get("parameters") if isinstance(schedule, dict) else None
        if isinstance(own, dict) and own:
            yield ("schedules", number, "parameters"), {**base, **own}


@dataclass
class _Parameters:
    """The parameters of a rule against its trigger's fields."""

    file: RuleFile
    entry: Entry
    types: dict[str, Any]
    schema: dict[str, Any]
    where: Where
    wrong: set[str | int] = field(default_factory=set)

    def check(self, given: dict[str, Any]) -> None:
        for name in given:
            if name not in self.types and self._is_mine(name):
                self._say((name,), f"unknown parameter{did_you_mean(name, list(self.types))}")
        for name in self.schema.get("required", []):
            if name not in given and len(self.where) == 1:
                self._say((name,), "missing: this parameter is required")
        for name, annotation in self.types.items():
            value = given.get(name)
            computed = isinstance(value, dict) and "__prefect_kind" in value  # by Prefect's server
            if name in given and self._is_mine(name) and not computed:
                self._check_one(name, annotation, value)
        self._check_as_the_server_does(given)

    def _is_mine(self, name: str) -> bool:
        """True unless the value was checked already, as one of the deployment's parameters."""
        return name in (dig(self.entry.config, self.where) or {})

    def _check_one(self, name: str, annotation: Any, value: Any) -> None:
        try:
            TypeAdapter(annotation).validate_python(value)
        except ValidationError as error:
            located = [(item["loc"], item) for item in error.errors()]
            for path, item in as_written(located, value):
                self._explain((name, *path), item, value)

    def _explain(self, path: Where, item: ErrorDetails, value: Any) -> None:
        if self.entry.is_open((*self.where, *path)):
            return  # a placeholder that only Prefect's API can fill
        message = _message(item, path, self.schema, {path[0]: value})
        if item["type"] not in ("missing", "extra_forbidden"):
            given = dig({path[0]: value}, path)
            message += f", got {self.entry.written((*self.where, *path), given)}"
        if item["type"] == "missing" and len(self.where) > 1:
            message += f" (a schedule's own `{path[0]}` replaces the rule's as a whole)"
        self._say(path, message)

    def _check_as_the_server_does(self, given: dict[str, Any]) -> None:
        """Prefect's server is stricter than pydantic in places: "90" is no number to it."""
        mine = {k: v for k, v in given.items() if self._is_mine(k) and k not in self.wrong}
        for refused in validate(mine, part_of(self.schema, mine), ignore_required=True):
            error = _nearest(refused)
            path = tuple(error.absolute_path)
            if not self.entry.is_open((*self.where, *path)):
                given_as = self.entry.written((*self.where, *path), error.instance)
                expected = error.schema.get("type") if isinstance(error.schema, dict) else None
                words = f"expected {expected}" if expected else shorten(error.message, 200)
                self._say(path, f"{words}, got {given_as}")

    def _say(self, path: Where, message: str) -> None:
        self.wrong.add(path[0])
        self.file.complain(self.entry, (*self.where, *path), message)


def part_of(schema: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The schema of these parameters alone. Prefect goes through the whole of it for each check."""
    defined = schema.get("definitions", {})
    properties = {name: of for name, of in schema["properties"].items() if name in names}
    needed: dict[str, Any] = {}
    referring = [*properties.values()]
    while referring:
        for name in _REFERENCE.findall(json.dumps(referring.pop())):
            if name in defined and name not in needed:
                needed[name] = defined[name]
                referring.append(defined[name])
    return {**schema, "properties": properties, "definitions": needed}


def _nearest(error: Any) -> Any:
    """The most specific cause of an error: of several, the one deepest in the value."""
    while error.context:
        error = max(error.context, key=lambda inside: len(inside.absolute_path))
    return error


Located = tuple[Where, ErrorDetails]


def as_written(errors: Sequence[Located], value: Any) -> list[Located]:
    """Errors at the paths where their author wrote the values.

    For a value of a union, pydantic reports the errors of every alternative under names of its
    own: only those of the alternative that fits best are kept.
    """
    inside: dict[str | int, list[Located]] = {}
    options: dict[str | int, list[Located]] = {}
    for (first, *rest), item in (one for one in errors if one[0]):
        missing = item["type"] == "missing" and not rest
        group = inside if missing or _has(value, first) else options
        group.setdefault(first, []).append((tuple(rest), item))
    # pydantic does not count a wrong item of a list, and adds "too short".
    here = [one for one in errors if not one[0] and not (inside and one[1]["type"] == "too_short")]
    for first, found in inside.items():
        part = value[first] if _has(value, first) else None
        here += [((first, *path), item) for path, item in as_written(found, part)]
    return here + min(
        (as_written(found, value) for found in options.values()), key=_how_far, default=[]
    )


def _has(value: Any, part: str | int) -> bool:
    if isinstance(value, Mapping):
        return part in value
    return isinstance(value, list | tuple) and isinstance(part, int) and part < len(value)


def _how_far(errors: Sequence[Located]) -> tuple[bool, int]:
    """The distance of a value from an alternative: the wrong kind, then the number of errors."""
    other = any(not path and item["type"] != "value_error" for path, item in errors)
    return other, len(errors)


def parameter_types(flow: Flow[..., Any]) -> dict[str, Any]:
    """The flow's parameters with their annotations."""
    hints = get_type_hints(flow.fn, include_extras=True)
    signature = inspect.signature(flow.fn)
    return {name: hints.get(name, Any) for name in signature.parameters}


def _message(item: ErrorDetails, path: Where, schema: dict[str, Any], given: Any) -> str:
    """The expectation in words; pydantic's own where they are clear."""
    if item["type"] == "extra_forbidden":
        known = list(_properties(path[:-1], schema, given))
        return f"unknown parameter{did_you_mean(path[-1], known)}"
    if item["type"] == "missing":
        own = _properties(path[:-1], schema, given).get(str(path[-1]), {})
        words = [str(own[key]) for key in ("type", "description") if own.get(key)]
        about = f" ({shorten(': '.join(words), 120)})" if words else ""
        return f"missing: this parameter is required{about}"
    if item["type"] == "string_pattern_mismatch" and path[0] in ROUTED and path[-1] != "to":
        return (
            "expected a notification block as type/name, like slack-incoming-webhook/alerts; email "
            "is {channel: email-server-credentials/NAME, to: …}"
        )
    if item["type"] in ("model_type", "dict_type", "model_attributes_type"):
        if path[0] in ROUTED and isinstance(path[-1], int) and path[-2:-1] != ("escalation",):
            return "expected a notification block as type/name, or a mapping with `channel`"
        return "expected a mapping"
    return plain_message(item)


def _properties(path: Where, schema: dict[str, Any], given: Any) -> dict[str, Any]:
    """The properties of the model at `path`; of several models, of those that fit what is given."""
    definitions = schema.get("definitions") or {}
    found: Any = schema
    for part in path:
        given = dig(given, (part,))
        if isinstance(part, str):
            found = (found.get("properties") or {}).get(part) or {}
        else:
            found = found.get("items") or {}
        options = found.get("allOf") or found.get("anyOf") or [found]
        named = [option["$ref"].rpartition("/")[2] for option in options if "$ref" in option]
        if named:
            parts = [(definitions.get(name) or {}).get("properties") or {} for name in named]
            parts = [part for part in parts if _is_of_kind(part, given)] or parts
            found = {"properties": {key: part[key] for part in parts for key in part}}
    properties: dict[str, Any] = found.get("properties") or {}
    return properties


def _is_of_kind(properties: dict[str, Any], given: Any) -> bool:
    """True if what is given has the constants of this model, like its `kind`."""
    return all(
        about.get("const", written) == written
        for name, about in properties.items()
        if (written := dig(given, (name,))) is not None
    )


def _check_plain_flow(
    file: RuleFile,
    entry: Entry,
    flow: Flow[..., Any],
    schema: dict[str, Any],
    where: Where,
    given: dict[str, Any],
) -> None:
    """A flow that is not a rule: Prefect itself says whether it would take these parameters."""
    required = schema.get("required") or []
    if not entry.schedules and any(name not in given for name in required):
        return  # the rest is given when a run is started
    if any(entry.is_open((*where, name)) for name in given):
        return
    logging.getLogger("prefect.flows").disabled = True  # it logs what it then raises
    try:
        with stdout_to_stderr():
            flow.validate_parameters(given)
    except Exception as error:
        lines = [line.strip(" -") for line in str(error).splitlines()]
        text = "; ".join(line for line in lines if line)
        file.complain(entry, where, shorten(clean_text(text), 400))
    finally:
        logging.getLogger("prefect.flows").disabled = False
