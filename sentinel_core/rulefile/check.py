"""The whole check of a rule file: its form, its flows, their parameters, and what Prefect has.

Loads the flows, so that a rule whose family can't be imported is known before it goes silent.
"""

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from prefect import Flow
from prefect.exceptions import ScriptError
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.importtools import load_script_as_module

from sentinel_core.base.errors import PrefectUnreachableError
from sentinel_core.base.settings import get_settings
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.condition import OR_CONDITIONS
from sentinel_core.prefect_io.client import prefect_api, work_pool_exists
from sentinel_core.prefect_io.facts import trigger_of
from sentinel_core.prefect_io.unfinished_deploy import unfinished_note
from sentinel_core.rulefile.check_channels import channels_of, check_channels, check_recipients
from sentinel_core.rulefile.check_effects import check_effects
from sentinel_core.rulefile.check_form import check_form
from sentinel_core.rulefile.check_parameters import (
    check_parameters,
    given_parameters,
    stdout_to_stderr,
)
from sentinel_core.rulefile.check_rule_templates import check_rule_templates
from sentinel_core.rulefile.check_words import check_words
from sentinel_core.rulefile.phrases import did_you_mean, shorten
from sentinel_core.rulefile.source import Entry, Problem, RuleFile, dig, read
from sentinel_core.rulefile.yaml_lines import UnreadableError


@dataclass(frozen=True, slots=True)
class Declared:
    """A deployment of the file together with the flow it deploys."""

    entry: Entry
    flow: Flow[..., Any]
    schema: dict[str, Any]

    @property
    def is_rule(self) -> bool:
        """True if its flow was made by `rule_flow`."""
        return trigger_of(self.schema) is not None


@dataclass(slots=True)
class Report:
    """The result of a check.

    `unchecked` says in sentences what could not be checked, `notes` what else Prefect shows.
    """

    problems: list[Problem] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    file: RuleFile | None = None
    declared: list[Declared] = field(default_factory=list)

    @property
    def errors(self) -> list[Problem]:
        """The problems that keep the file from being deployed."""
        return [problem for problem in self.problems if problem.level == "error"]


def check(path: Path, *, only: str | None = None, ask_prefect: bool = True) -> Report:
    """Check the file, or of its deployments the one named `only`. Never raises for a bad file."""
    try:
        file = read(path)
    except UnreadableError as error:
        return Report([Problem(str(path), error.line, None, "", error.message)])
    check_form(file)
    report = Report(file=file)
    load = cache(_load)  # each file once
    schema_of = cache(lambda flow: flow.parameters.model_dump())
    for entry in file.entries:
        if only is None or entry.name == only:
            declared = _check_flow(file, entry, load, schema_of)
            if declared is not None:
                report.declared.append(declared)
    if ask_prefect:
        _check_against_prefect(file, report)
    wanted = (p for p in file.problems if only is None or p.deployment in (only, None))
    report.problems = sorted(wanted, key=lambda problem: problem.line or 0)
    return report


def _load(entrypoint: str) -> Flow[..., Any] | str:
    """The flow, or a sentence on why it could not be loaded."""
    path, _, name = entrypoint.rpartition(":")
    try:
        if not path.endswith(".py"):
            return load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
        if not Path(path).is_file():
            return f"there is no file {shorten(path)} in {Path.cwd()}"
        return _pick(load_script_as_module(path), path, name)
    except ScriptError as error:
        return f"{shorten(path)} can't be imported: {last_line(error.user_exc)}"
    except SystemExit as error:
        return f"{shorten(path)} can't be imported: it exits ({error.code})"
    except Exception as error:
        return f"can't be loaded: {last_line(error)}"


def _pick(module: ModuleType, path: str, name: str) -> Flow[..., Any] | str:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if isinstance(found, Flow):
        return found
    flows = [key for key, value in vars(module).items() if isinstance(value, Flow)]
    what = "is not a flow" if found is not None else "does not exist"
    return f"{shorten(name)} {what} in {shorten(path)}{did_you_mean(name, flows)}"


def last_line(error: BaseException) -> str:
    """The line a traceback would end in."""
    lines = "".join(traceback.format_exception_only(error)).strip().splitlines()
    return shorten(clean_text(lines[-1] if lines else type(error).__name__), 300)


def _check_flow(
    file: RuleFile,
    entry: Entry,
    load: Callable[[str], Flow[..., Any] | str],
    schema_of: Callable[[Flow[..., Any]], dict[str, Any]],
) -> Declared | None:
    entrypoint = entry.config.get("entrypoint")
    if not isinstance(entrypoint, str) or not entrypoint or entry.is_open(("entrypoint",)):
        return None
    with stdout_to_stderr():
        flow = load(entrypoint)
    if isinstance(flow, str):
        file.complain(entry, ("entrypoint",), flow)
        return None
    schema = schema_of(flow)
    declared = Declared(entry, flow, schema)
    if declared.is_rule:
        _check_has_schedule(file, entry)
    check_parameters(file, entry, flow, schema, is_rule=declared.is_rule)
    check_recipients(file, entry, is_rule=declared.is_rule)
    if declared.is_rule:
        check_rule_templates(file, entry)
        _check_can_trigger(file, entry, schema)
        check_effects(file, entry, flow, schema)
    check_words(file, entry, flow)
    return declared


def _check_has_schedule(file: RuleFile, entry: Entry) -> None:
    if entry.schedules:
        return
    if entry.config.get("paused") is True or entry.config.get("schedules") == []:
        message = "no schedule: this rule is checked only when somebody starts it"
        file.complain(entry, ("schedules",), message, warning=True)
    elif not isinstance(entry.config.get("schedules"), str | dict | int):
        file.complain(
            entry,
            ("schedules",),
            "missing: without a schedule this rule would never be checked; add one, or write "
            "`schedules: []` to run it only by hand",
        )


def _check_can_trigger(file: RuleFile, entry: Entry, schema: dict[str, Any]) -> None:
    """Warn of a number that nothing is compared with: it is recorded, and never triggers."""
    properties = (trigger_of(schema) or {}).get("properties") or {}
    fields = [name for name, about in properties.items() if OR_CONDITIONS in about]
    if not fields:
        return
    for where, given in given_parameters(entry):
        judged = ("conditions", *(f"check.{name}" for name in fields))
        if any(entry.is_open((*where, *name.split("."))) for name in judged):
            continue
        check = given.get("check")
        if not isinstance(check, dict) or any(check.get(name) is not None for name in fields):
            continue
        if not given.get("conditions"):
            names = " and no ".join(["conditions", *fields])
            message = f"no {names}: the number is recorded, and this rule never triggers"
            file.complain(entry, (*where, "check"), message, warning=True)


def _check_against_prefect(file: RuleFile, report: Report) -> None:
    channels = [
        (item.entry, named)
        for item in report.declared
        for named in channels_of(file, item.entry, is_rule=item.is_rule)
    ]
    pools: dict[str, Entry] = {}  # each with the entry that names it first
    for entry in file.entries:
        name = dig(entry.config, ("work_pool", "name"))
        if isinstance(name, str) and name and not entry.is_open(("work_pool", "name")):
            pools.setdefault(name, entry)
    if not channels and not pools:
        return
    try:
        with prefect_api() as client:
            for name, entry in pools.items():
                if not work_pool_exists(client, name):
                    message = (
                        f"there is no work pool {name} in Prefect: create it with "
                        f"`prefect work-pool create {name} --type sentinel`"
                    )
                    file.complain(entry, ("work_pool", "name"), message)
            check_channels(client, file, channels)
            if note := unfinished_note(client, get_settings().store_variable):
                report.notes.append(note)
    except PrefectUnreachableError as error:
        report.unchecked.append(f"work pools and notification blocks were not checked: {error}")
