"""Checks a rule's reactions: their deployments exist and take the parameters that are given."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound
from prefect.utilities.schema_tools import validate
from pydantic import ValidationError

from sentinel_core.model.reaction import EVENT_TEXTS, Occasion, Reaction, filled, whole_reference
from sentinel_core.rulefile.check_parameters import given_parameters
from sentinel_core.rulefile.check_rule_templates import check_braces
from sentinel_core.rulefile.phrases import did_you_mean, dotted, shorten, shown
from sentinel_core.rulefile.placeholders import REACTIONS
from sentinel_core.rulefile.source import Entry, RuleFile, Where, dig

assert set(REACTIONS) == {f"on_{occasion}" for occasion in Occasion}


class _Any(dict[str, Any]):
    """A mapping that has a value for every name."""

    def __init__(self, value: Any) -> None:
        super().__init__({"any": value})
        self.value = value

    def get(self, _name: str, _default: Any = None) -> Any:
        return self.value


EXAMPLE: Mapping[str, Any] = {
    **dict.fromkeys(EVENT_TEXTS, "text"),
    "id": 1,
    "metrics": _Any(1),
    "metadata": _Any("text"),
}
"""An event to fill parameters with: whether a value fits is known by its type."""


@dataclass(frozen=True, slots=True)
class Takes:
    """What a deployment takes: its parameters' schema, and those it has values for itself."""

    schema: Mapping[str, Any]
    has: frozenset[str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A reaction with a deployment, and where the file has it."""

    entry: Entry
    where: Where
    reaction: Reaction


def _has_reactions(entry: Entry) -> bool:
    """True if a deployment or one of its schedules declares a reaction."""
    return any(name in given for _, given in given_parameters(entry) for name in REACTIONS)


def _reactions_of(file: RuleFile, entry: Entry) -> Iterator[Wanted]:
    """The reactions of a rule and of its schedules, without those whose form was reported."""
    wrong = [problem.field for problem in file.problems if problem.deployment == entry.name]
    for base, _ in given_parameters(entry):
        for name in REACTIONS:
            items = dig(entry.config, (*base, name))
            for number, item in enumerate(items if isinstance(items, list) else ()):
                where: Where = (*base, name, number)
                if entry.has_open(where) or any(one.startswith(dotted(where)) for one in wrong):
                    continue
                try:
                    yield Wanted(entry, where, Reaction.model_validate(item))
                except ValidationError:  # reported by itself
                    continue


def check_reactions(
    file: RuleFile,
    rules: Sequence[tuple[Entry, str]],
    load: Callable[[str], Flow[..., Any] | str],
    schema_of: Callable[[Flow[..., Any]], dict[str, Any]],
) -> list[Wanted]:
    """Check the reactions of these rules; returns those whose deployment is not in the file.

    Each rule comes with its flow's name; `load` returns the flow of an entrypoint.
    """
    reacting = [(entry, flow_name) for entry, flow_name in rules if _has_reactions(entry)]
    known: dict[str, Takes] = {}
    for entry in file.entries if reacting else ():
        entrypoint = entry.config.get("entrypoint")
        flow = load(entrypoint) if isinstance(entrypoint, str) and entrypoint else ""
        if not isinstance(flow, str):
            has = frozenset(entry.config.get("parameters") or {})
            known[f"{flow.name}/{entry.name}"] = Takes(schema_of(flow), has)
    return [
        wanted
        for entry, flow_name in reacting
        for wanted in _check_in_file(file, entry, f"{flow_name}/{entry.name}", known)
    ]


def _check_in_file(
    file: RuleFile, entry: Entry, name: str, known: Mapping[str, Takes]
) -> list[Wanted]:
    """Check reactions with the deployments of this file; returns those with another deployment.

    `name` is the rule's own deployment, `known` are the file's by flow and name.
    """
    elsewhere = []
    for wanted in _reactions_of(file, entry):
        reaction, where = wanted.reaction, wanted.where
        for path in _texts(reaction.parameters, ("parameters",)):
            check_braces(file, entry, (*where, *path))
        if reaction.action == "retry":
            continue
        if reaction.run == name:
            message = (
                "runs this rule itself, which is a loop: what it opens then is not reacted to. "
                "Name the deployment that repairs something"
            )
            file.complain(entry, (*where, "run"), message, warning=True)
        if reaction.target in known:
            _check_parameters(file, wanted, known[reaction.target])
        else:
            elsewhere.append(wanted)
    return elsewhere


def check_in_prefect(
    client: SyncPrefectClient, file: RuleFile, elsewhere: Sequence[Wanted], known: Sequence[str]
) -> None:
    """Check reactions whose deployments are not in the file. `known` are those that are."""
    for wanted in elsewhere:
        target = wanted.reaction.target
        try:
            found = client.read_deployment_by_name(target)
        except ObjectNotFound:
            message = (
                f"there is no deployment {target} in this file or in Prefect"
                f"{did_you_mean(target, known)}"
            )
            file.complain(wanted.entry, (*wanted.where, wanted.reaction.action), message)
            continue
        schema = found.parameter_openapi_schema or {}
        _check_parameters(file, wanted, Takes(schema, frozenset(found.parameters)))


def _check_parameters(file: RuleFile, wanted: Wanted, takes: Takes) -> None:
    """Note parameters that the deployment does not take, lacks, or has with another type."""
    if wanted.reaction.run is None:
        return
    entry, where = wanted.entry, (*wanted.where, "parameters")
    given, target = wanted.reaction.parameters, wanted.reaction.target
    properties = takes.schema.get("properties") or {}
    for name in given:
        if name not in properties:
            message = f"{target} takes no such parameter{did_you_mean(name, list(properties))}"
            file.complain(entry, (*where, name), message)
    for name in takes.schema.get("required") or ():
        if name not in given and name not in takes.has:
            file.complain(entry, where, f"missing: {target} requires {name}")
    for name, value in given.items():
        if name in properties and not _depends_on_evidence(value):
            _check_type(file, wanted, (*where, name), takes.schema)


def _check_type(file: RuleFile, wanted: Wanted, where: Where, schema: Mapping[str, Any]) -> None:
    name = str(where[-1])
    value = wanted.reaction.parameters[name]
    example = filled({name: value}, EXAMPLE)
    for error in validate(example, dict(schema), ignore_required=True):
        expected = error.schema.get("type") if isinstance(error.schema, dict) else None
        words = f"{wanted.reaction.target} expects {expected}" if expected else error.message
        kind = "text" if isinstance(example[name], str) else "a number"
        is_event = whole_reference(value) is not None
        got = f"{value.strip()}, which is {kind}" if is_event else shown(value)
        file.complain(wanted.entry, where, f"{shorten(words, 200)}, got {got}")


def _depends_on_evidence(value: Any) -> bool:
    """True if the type depends on what a check puts into its evidence."""
    if isinstance(value, Mapping):
        return any(map(_depends_on_evidence, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_depends_on_evidence, value))
    return (whole_reference(value) or "").startswith("metadata.")


def _texts(value: Any, path: Where) -> Iterator[Where]:
    """The place of each text in a value."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _texts(part, (*path, key))
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _texts(part, (*path, number))
