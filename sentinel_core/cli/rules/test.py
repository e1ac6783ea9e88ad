"""`sentinel rules test`: one check, now, in this process; nothing recorded, nobody notified."""

import contextlib
import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import TypeAdapter, ValidationError

from sentinel_core.base.errors import CheckFailedError, RuleFileError, SentinelError
from sentinel_core.cli.options import RULE_FILE, Json, RuleFilePath, RuleName
from sentinel_core.cli.rules.checked import find_rule
from sentinel_core.cli.store import settings, stored_rules
from sentinel_core.flow.history import history_of
from sentinel_core.model.alert import AlertOutput, as_outputs, describe, dump_outputs
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.trigger import History, NoHistory, Trigger
from sentinel_core.rulefile.check import Declared
from sentinel_core.rulefile.check_parameters import parameter_types
from sentinel_core.rulefile.phrases import did_you_mean
from sentinel_core.wording.text import shorten

_LONGEST_CAUSE = 4_500  # characters: a script's stderr of 4,000 and what is said before it


def test(
    name: RuleName,
    *,
    file: RuleFilePath = RULE_FILE,
    param: Annotated[
        tuple[str, ...],
        Parameter(
            help="Another value for a parameter, like `check.threshold=5` (JSON, else text). May "
            "be repeated."
        ),
    ] = (),
    as_json: Json = False,
) -> None:
    """Run one rule's check now, here, and show what it measured.

    Nothing is recorded and nobody is notified. The rule is taken from the file, deployed or not;
    a trigger that needs its own past is given what the event store has. Exits with 0 when the check
    ran, triggered or not, and with 1 when it failed.
    """
    rule = find_rule(name, file)
    parameters = _overridden(rule, param)
    trigger = _trigger(rule, parameters)
    # `sentinel up` sets it for the worker as well: a rule that reads the event store finds it.
    os.environ.setdefault("SENTINEL_DATABASE_URL", settings().database_url)
    started = time.perf_counter()
    outputs = _measure(rule, trigger)
    seconds = time.perf_counter() - started
    if as_json:
        print(json.dumps(dump_outputs(outputs)))
    else:
        _print(rule, parameters, outputs, seconds)


def _overridden(rule: Declared, overrides: Sequence[str]) -> dict[str, Any]:
    parameters: dict[str, Any] = deepcopy(rule.entry.config.get("parameters") or {})
    known = list(parameter_types(rule.flow))
    for override in overrides:
        path, equals, text = override.partition("=")
        keys = path.strip().split(".")
        if not equals:
            raise RuleFileError(f"--param {override!r}: expected name=value")
        if keys[0] not in known:
            fields = parameter_types(rule.flow)["check"].model_fields
            hint = f"; did you mean check.{path}?" if path in fields else ""
            raise RuleFileError(
                f"--param {override!r}: unknown parameter{hint or did_you_mean(keys[0], known)}"
            )
        place: Any = parameters
        for key in keys[:-1]:
            place = place.setdefault(key, {})
            if not isinstance(place, dict):
                raise RuleFileError(f"--param {override!r}: {key} is not a mapping")
        try:
            place[keys[-1]] = json.loads(text)
        except ValueError:
            place[keys[-1]] = text
    return parameters


def _trigger(rule: Declared, parameters: dict[str, Any]) -> Trigger:
    given = _resolved(parameters) if rule.entry.has_open(("parameters", "check")) else parameters
    types = parameter_types(rule.flow)
    values: dict[str, Any] = {}
    for name, value in given.items():
        try:
            values[name] = TypeAdapter(types[name]).validate_python(value)
        except ValidationError as error:
            raise RuleFileError(f"{rule.entry.name}: {name}: {describe(error)}") from error
    check = values.get("check")
    assert isinstance(check, Trigger)
    return check


def _resolved(parameters: dict[str, Any]) -> dict[str, Any]:
    """Placeholders for Prefect's blocks and variables, filled from its API."""
    import asyncio

    from prefect.utilities.templating import resolve_block_document_references, resolve_variables

    from sentinel_core.prefect_io.client import prefect_api

    async def resolve() -> Any:
        return await resolve_variables(await resolve_block_document_references(parameters))

    with prefect_api():
        try:
            resolved: dict[str, Any] = asyncio.run(resolve())
        except ValueError as error:
            raise RuleFileError(f"a Prefect block or variable is missing: {error}") from error
    return resolved


def _measure(rule: Declared, trigger: Trigger) -> list[AlertOutput]:
    try:
        with contextlib.redirect_stdout(sys.stderr):  # a check that prints must not break --json
            return as_outputs(trigger.measure(_history(rule)))
    except Exception as error:
        raise CheckFailedError(
            f"{rule.entry.name}: the check failed: {_cause(error)}{_place(error)}"
        ) from error


def _cause(error: BaseException) -> str:
    """The whole message, as the event of a failed run has it: its last line may be a detail."""
    text = clean_text(str(error)).strip()
    return shorten(
        f"{type(error).__name__}: {text}" if text else type(error).__name__, _LONGEST_CAUSE
    )


def _place(error: BaseException) -> str:
    """The nearest line of the project's own code: where a trigger's author will look first."""
    here = str(Path.cwd())
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        inside = frame.filename.startswith(here) and "site-packages" not in frame.filename
        if inside and "sentinel_core" not in Path(frame.filename).parts:
            return f" (at {Path(frame.filename).relative_to(here)}:{frame.lineno})"
    return ""


def _history(rule: Declared) -> History:
    """The rule's past in the event store, where both exist."""
    try:
        stored = stored_rules()
    except SentinelError as error:
        print(f"note: without its recorded past: {error}", file=sys.stderr)
        return NoHistory()
    for row in stored:
        if (row["flow_name"], row["name"]) == (rule.flow.name, rule.entry.name):
            return history_of(row["deployment_id"])
    return NoHistory()


def _print(
    rule: Declared, parameters: dict[str, Any], outputs: Sequence[AlertOutput], seconds: float
) -> None:
    fired = sum(output.triggered for output in outputs)
    conditions = bool(parameters.get("conditions"))
    counted = f"{len(outputs)} series measured"
    if not conditions:
        counted = f"{fired} of {len(outputs)} series triggered"
    print(f"{rule.entry.name} ({rule.flow.name}): {counted}, checked in {seconds:.2f} s")
    if conditions:
        print("conditions need recorded measurements: they are evaluated when a run is recorded")
    for output in outputs:
        ours = output.importance or parameters.get("importance") or "the rule's"
        print(f"\n{_verdict(output, conditions):9}  {output.ticker or '(no ticker)'}")
        print(f"  message     {output.message.replace(chr(10), chr(10) + ' ' * 14)}")
        print(f"  importance  {ours}")
        for name, value in output.metrics.items():
            print(f"  {name:10}  {value:g}")
        if output.metadata:
            print(f"  evidence    {json.dumps(output.metadata, ensure_ascii=False)}")
    print("\nnothing was recorded, nobody was notified")


def _verdict(output: AlertOutput, conditions: bool) -> str:
    if output.problem is not None:
        return output.problem.upper().replace("_", " ")
    if output.triggered:
        return "TRIGGERED"
    return "measured" if conditions else "ok"
