"""The triggers that rules can use: those of Sentinel, and those of the project's own flows."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect import Flow

from sentinel_core.model.trigger import Trigger
from sentinel_core.rulefile.check_parameters import parameter_types, stdout_to_stderr
from sentinel_core.rulefile.load_flow import import_place

_FLOWS, _TRIGGERS = "flows", "triggers"
_OURS = Path(__file__).parents[2] / _TRIGGERS
_SOURCES = "triggers.sources"  # what triggers read from, no triggers


@dataclass(frozen=True, slots=True)
class TriggerParameter:
    """One parameter of a trigger, in words. `default` is None for a required one."""

    name: str
    type: str
    required: bool
    default: Any
    description: str


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One trigger. `entrypoint` is what a rule names, empty where no flow of the project has it."""

    name: str
    trigger: type[Trigger]
    entrypoint: str = ""

    @property
    def description(self) -> str:
        """The docstring, which people see in Prefect as well."""
        return " ".join((self.trigger.__doc__ or "").split("\n\n")[0].split())

    @property
    def page(self) -> str:
        """The page of a trigger of Sentinel's own, by the name it has in docs; empty for others."""
        top, *parts = self.trigger.__module__.split(".")
        ours = top == _TRIGGERS and parts and _OURS.joinpath(*parts).with_suffix(".py").is_file()
        return f"triggers/{parts[-1]}" if ours else ""

    @property
    def missing_lines(self) -> tuple[str, list[str]]:
        """Where no flow has the trigger: a file for one, and the lines to add to it."""
        module, name = self.trigger.__module__, self.trigger.__name__
        family = module.split(".")[1] if module.count(".") > 1 else module.rpartition(".")[2]
        return f"{_FLOWS}/{family}.py", [
            "from sentinel_core import rule_flow",
            f"from {module} import {name}",
            "",
            f"{self.name.replace('-', '_')} = rule_flow({name})",
        ]

    def parameters(self) -> list[TriggerParameter]:
        """The fields that `check` takes, in their order."""
        schema = self.trigger.model_json_schema()
        required = schema.get("required", [])
        return [
            TriggerParameter(
                name,
                _type_words(about, schema.get("$defs", {})),
                name in required,
                about.get("default"),
                " ".join(str(about.get("description", "")).split()),
            )
            for name, about in schema.get("properties", {}).items()
        ]


@dataclass(slots=True)
class Catalogue:
    """The triggers by name, and a sentence on each file that could not be imported."""

    entries: list[CatalogueEntry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def catalogue(folder: Path) -> Catalogue:
    """The triggers of Sentinel, and those of the flows in this project's folder."""
    found = Catalogue()
    by_trigger: dict[type[Trigger], str] = {}
    with stdout_to_stderr(), _on_path(folder):
        for place, trigger in _of_flows(folder, found):
            by_trigger.setdefault(trigger, place)
        for trigger in _of_package(found):
            by_trigger.setdefault(trigger, "")
    # A module may be imported twice, by its file and by its name: one trigger for each name.
    named: dict[str, CatalogueEntry] = {}
    for trigger, place in by_trigger.items():
        entry = CatalogueEntry(trigger.slug(), trigger, place)
        if entry.name not in named or (place and not named[entry.name].entrypoint):
            named[entry.name] = entry
    found.entries = [named[name] for name in sorted(named)]
    return found


def _of_flows(folder: Path, found: Catalogue) -> Iterator[tuple[str, type[Trigger]]]:
    """The triggers that the project's files in `flows` make flows of, each with its entrypoint."""
    for file in sorted((folder / _FLOWS).glob("*.py")):
        if file.name.startswith("_"):
            continue
        with contextlib.chdir(folder):  # as the rules' runs are
            module = import_place(f"{_FLOWS}/{file.name}")
        if isinstance(module, str):
            found.problems.append(module)
            continue
        for name, value in vars(module).items():
            if isinstance(value, Flow) and (trigger := trigger_of_flow(value)):
                yield f"{_FLOWS}/{file.name}:{name}", trigger


def trigger_of_flow(flow: Flow[..., Any]) -> type[Trigger] | None:
    """The trigger that a rule's flow checks; None for another flow."""
    check = parameter_types(flow).get("check")
    return check if isinstance(check, type) and issubclass(check, Trigger) else None


def _of_package(found: Catalogue) -> Iterator[type[Trigger]]:
    """The triggers of the modules, installed and the project's, flows made of them or not."""
    for module in _modules(found):
        imported = import_place(module)
        if isinstance(imported, str):
            found.problems.append(imported)
            continue
        for value in vars(imported).values():
            if (
                isinstance(value, type)
                and issubclass(value, Trigger)
                and value.__module__ == module
                and value.display_name
            ):
                yield value


def _modules(found: Catalogue) -> list[str]:
    """The names of the modules. pkgutil does not see folders without `__init__.py`.

    Left out: what triggers read from, private modules, tests, and what can't be imported by name.
    """
    package = import_place(_TRIGGERS)
    if isinstance(package, str):
        found.problems.append(package)
        return []
    folders = [Path(folder) for folder in package.__path__]
    if _OURS not in folders:
        found.problems.append(
            f"{package.__file__} hides Sentinel's triggers: `sentinel docs install` says what to do"
        )
    names = {
        (_TRIGGERS, *file.relative_to(folder).with_suffix("").parts)
        for folder in folders
        for file in folder.rglob("*.py")
        if file.is_file()
    }
    return sorted(".".join(parts) for parts in names if _is_public(parts))


def _is_public(parts: tuple[str, ...]) -> bool:
    name = ".".join(parts)
    return (
        all(part.isidentifier() and not part.startswith("_") for part in parts)
        and not name.startswith(_SOURCES)
        and not parts[-1].startswith("test_")
        and parts[-1] != "conftest"
    )


@contextlib.contextmanager
def _on_path(folder: Path) -> Iterator[None]:
    """Let modules of the project be imported by their names, as its runs do."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _type_words(about: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """The type of a parameter as a rule file has it: `number`, `list of text`, `high or low`."""
    if "enum" in about:
        return " or ".join(str(value) for value in about["enum"])
    if "const" in about:
        return str(about["const"])
    if reference := about.get("$ref"):
        return _type_words(definitions.get(reference.rpartition("/")[2], {}), definitions)
    options = about.get("anyOf") or about.get("oneOf") or about.get("allOf")
    if options:
        words = [_type_words(option, definitions) for option in options]
        return " or ".join(dict.fromkeys(words))
    kind = about.get("type")
    if kind == "array":
        return f"list of {_type_words(about.get('items') or {}, definitions)}"
    names = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    names |= {"object": "mapping", "null": "nothing"}
    return names.get(str(kind), str(kind or "any value"))
