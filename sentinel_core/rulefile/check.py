"""The whole check of a rule file: its form, its flows, their parameters, and what Prefect has.

Loads the flows, so that a rule whose family can't be imported is known before it goes silent.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from prefect import Flow

from sentinel_core.base.errors import PrefectUnreachableError
from sentinel_core.base.settings import get_settings
from sentinel_core.model.condition import OR_CONDITIONS
from sentinel_core.prefect_io.client import prefect_api, work_pool_exists
from sentinel_core.prefect_io.facts import trigger_of
from sentinel_core.prefect_io.unfinished_deploy import unfinished_note
from sentinel_core.rulefile.check_channels import channels_of, check_channels, check_recipients
from sentinel_core.rulefile.check_effects import check_effects, check_spread
from sentinel_core.rulefile.check_form import check_entry, check_form
from sentinel_core.rulefile.check_housekeeping import missing_housekeeping
from sentinel_core.rulefile.check_parameters import (
    check_parameters,
    given_parameters,
    stdout_to_stderr,
)
from sentinel_core.rulefile.check_reactions import Wanted, check_in_prefect, check_reactions
from sentinel_core.rulefile.check_rule_templates import check_rule_templates
from sentinel_core.rulefile.check_words import check_words
from sentinel_core.rulefile.load_flow import flow_loader
from sentinel_core.rulefile.sla_rule import check_settings, sla_rule, sla_rule_name
from sentinel_core.rulefile.source import Entry, Problem, RuleFile, dig, read
from sentinel_core.rulefile.yaml_lines import UnreadableError

_Load = Callable[[str], Flow[..., Any] | str]
_Schema = Callable[[Flow[..., Any]], dict[str, Any]]
_POOL_NAME = ("work_pool", "name")


@dataclass(frozen=True, slots=True)
class Declared:
    """A deployment of the file together with the flow it deploys."""

    entry: Entry
    flow: Flow[..., Any]
    schema: dict[str, Any]
    folder: Path
    """The project's folder, in which its runs are."""

    @property
    def is_rule(self) -> bool:
        """True if its flow was made by `rule_flow`."""
        return trigger_of(self.schema) is not None


@dataclass(slots=True)
class Report:
    """The result of a check.

    `unchecked` says in sentences what could not be checked, `notes` what else is to be known.
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
    load = flow_loader()
    schema_of = cache(lambda flow: flow.parameters.model_dump())
    with contextlib.chdir(file.folder):  # as the rules' runs are
        for entry in file.entries:
            if only is None or entry.name == only:
                declared = _check_flow(file, entry, load, schema_of)
                if declared is not None:
                    report.declared.append(declared)
        if only is None or only == sla_rule_name(file):
            _add_sla_rule(file, report, load, schema_of)
    rules = [(item.entry, item.flow.name) for item in report.declared if item.is_rule]
    elsewhere = check_reactions(file, rules, load, schema_of)
    if only is None and any(item.is_rule for item in report.declared):
        report.notes += missing_housekeeping({item.flow.name for item in report.declared})
    if ask_prefect:
        _check_against_prefect(file, report, file.entries, elsewhere)
    wanted = (p for p in file.problems if only is None or p.deployment in (only, None))
    report.problems = sorted(wanted, key=lambda problem: problem.line or 0)
    return report


def check_slas(path: Path) -> Report:
    """Check nothing but the SLAs of a file and the rule that is made of them.

    The file may be one that Sentinel knows nothing else of. Never raises for a bad file.
    """
    try:
        file = read(path)
    except UnreadableError as error:
        return Report([Problem(str(path), error.line, None, "", error.message)])
    report = Report(file=file)
    schema_of: _Schema = lambda flow: flow.parameters.model_dump()  # noqa: E731
    with contextlib.chdir(file.folder):
        _add_sla_rule(file, report, flow_loader(), schema_of)
    _check_against_prefect(file, report, [item.entry for item in report.declared])
    report.problems = sorted(file.problems, key=lambda problem: problem.line or 0)
    return report


def _add_sla_rule(file: RuleFile, report: Report, load: _Load, schema_of: _Schema) -> None:
    """Check the rule that the file's SLAs become, and add it to the file's deployments."""
    check_settings(file)
    rules = [item.entry for item in report.declared if item.is_rule]
    pools = [name for entry in rules if isinstance(name := dig(entry.config, _POOL_NAME), str)]
    with stdout_to_stderr():
        entry = sla_rule(file, load, pools)
    if entry is None:
        return
    if any(other.name == entry.name for other in file.entries):
        path = ("definitions", "sla", "name")
        message = f"a deployment is called {entry.name}, like the rule of the SLAs: choose another"
        file.complain(None, path, message)
        return
    file.entries.append(entry)
    check_entry(file, entry)
    declared = _check_flow(file, entry, load, schema_of)
    if declared is not None:
        report.declared.append(declared)


def _check_flow(
    file: RuleFile,
    entry: Entry,
    load: _Load,
    schema_of: _Schema,
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
    declared = Declared(entry, flow, schema, file.folder)
    if declared.is_rule:
        _check_has_schedule(file, entry)
    check_parameters(file, entry, flow, schema, is_rule=declared.is_rule)
    check_recipients(file, entry, is_rule=declared.is_rule)
    if declared.is_rule:
        check_rule_templates(file, entry)
        _check_can_trigger(file, entry, schema)
        check_effects(file, entry, flow, schema)
    check_spread(file, entry, schema if declared.is_rule else None)
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


def _check_against_prefect(
    file: RuleFile, report: Report, entries: Sequence[Entry], elsewhere: Sequence[Wanted] = ()
) -> None:
    channels = [
        (item.entry, named)
        for item in report.declared
        for named in channels_of(file, item.entry, is_rule=item.is_rule)
    ]
    pools: dict[str, Entry] = {}  # each with the entry that names it first
    for entry in entries:
        name = dig(entry.config, _POOL_NAME)
        if isinstance(name, str) and name and not entry.is_open(_POOL_NAME):
            pools.setdefault(name, entry)
    if not channels and not pools and not elsewhere:
        return
    try:
        with prefect_api() as client:
            for name, entry in pools.items():
                if not work_pool_exists(client, name):
                    message = (
                        f"there is no work pool {name} in Prefect: create it with "
                        f"`prefect work-pool create {name} --type sentinel`"
                    )
                    file.complain(entry, _POOL_NAME, message)
            check_channels(client, file, channels)
            known = [f"{item.flow.name}/{item.entry.name}" for item in report.declared]
            check_in_prefect(client, file, elsewhere, known)
            if note := unfinished_note(client, get_settings().store_variable):
                report.notes.append(note)
    except PrefectUnreachableError as error:
        what = "work pools and notification blocks"
        if elsewhere:
            what = "work pools, notification blocks and the deployments of reactions"
        report.unchecked.append(f"{what} were not checked: {error}")
