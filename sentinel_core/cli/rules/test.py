"""`sentinel rules test`: one check, now, in this process; nothing recorded, nobody notified."""

import contextlib
import difflib
import json
import os
import sys
import time
from collections.abc import Sequence
from copy import deepcopy
from typing import Annotated, Any

from cyclopts import Parameter

from sentinel_core.base.errors import RuleFileError, StoreRefusedError, StoreUnavailableError
from sentinel_core.cli.options import RULE_FILE, Json, RuleFilePath, RuleName, Several
from sentinel_core.cli.rules.checked import find_rule
from sentinel_core.cli.store import settings
from sentinel_core.flow.one_check import check_once, recorded_history, trigger_of_rule
from sentinel_core.message.event_view import BOOKKEEPING
from sentinel_core.model.alert import AlertOutput, dump_outputs
from sentinel_core.model.trigger import History, NoHistory, Trigger
from sentinel_core.rulefile.check import Declared
from sentinel_core.rulefile.check_parameters import parameter_types
from sentinel_core.rulefile.phrases import did_you_mean


def test(
    name: RuleName,
    *,
    file: RuleFilePath = RULE_FILE,
    param: Annotated[
        tuple[str, ...],
        Several,
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
    # `sentinel up` sets it for the worker as well: a rule that reads the event store finds it.
    os.environ.setdefault("SENTINEL_DATABASE_URL", settings().database_url)
    with contextlib.chdir(rule.folder):
        trigger = trigger_of_rule(rule, parameters)
        started = time.perf_counter()
        outputs = _measure(rule, trigger)
        seconds = time.perf_counter() - started
    if as_json:
        print(json.dumps(dump_outputs(outputs)))
    else:
        _print(rule, parameters, outputs, seconds)


def _overridden(rule: Declared, overrides: Sequence[str]) -> dict[str, Any]:
    parameters: dict[str, Any] = deepcopy(rule.entry.config.get("parameters") or {})
    for override in overrides:
        path, equals, text = override.partition("=")
        keys = path.strip().split(".")
        if not equals:
            raise RuleFileError(f"--param {override!r}: expected name=value")
        if (wrong := _unknown(rule, keys)) is not None:
            raise RuleFileError(f"--param {override!r}: unknown parameter{wrong}")
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


def _unknown(rule: Declared, keys: Sequence[str]) -> str | None:
    """A hint on the name that was meant; None for a known parameter."""
    types = parameter_types(rule.flow)
    fields = list(types["check"].model_fields)
    if keys[0] not in types:
        if keys[0] in fields:
            return f"; did you mean check.{'.'.join(keys)}?"
        near = difflib.get_close_matches(keys[0], fields, 1)
        return f"; did you mean check.{near[0]}?" if near else did_you_mean(keys[0], list(types))
    if keys[0] == "check" and len(keys) > 1 and keys[1] not in fields:
        return did_you_mean(keys[1], fields)
    return None


def _measure(rule: Declared, trigger: Trigger) -> list[AlertOutput]:
    history: History
    try:
        history = recorded_history(settings().database_url, rule)
    except (StoreUnavailableError, StoreRefusedError) as error:
        print(f"note: without its recorded past: {error}", file=sys.stderr)
        history = NoHistory()
    with contextlib.redirect_stdout(sys.stderr):  # a check that prints must not break --json
        return check_once(rule, trigger, history)


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
            if name not in BOOKKEEPING:
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
