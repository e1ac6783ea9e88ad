"""One check of a rule of the rule file, here and now: nothing is recorded, nobody is notified."""

import asyncio
import traceback
from pathlib import Path
from typing import Any

from prefect.utilities.templating import resolve_block_document_references, resolve_variables
from pydantic import TypeAdapter, ValidationError

from sentinel_core.base.errors import CheckFailedError, RuleFileError
from sentinel_core.flow.history import history_of
from sentinel_core.flow.opening import look
from sentinel_core.model.alert import AlertOutput, as_outputs, describe
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.trigger import History, NoHistory, Trigger
from sentinel_core.prefect_io.client import prefect_api
from sentinel_core.rulefile.check import Declared
from sentinel_core.rulefile.check_parameters import parameter_types
from sentinel_core.store.db.failure import explained
from sentinel_core.store.state.rules import all_rules
from sentinel_core.wording.text import shorten

_LONGEST_CAUSE = 4_500  # characters: a script's stderr of 4,000 and what is said before it


def trigger_of_rule(rule: Declared, parameters: dict[str, Any]) -> Trigger:
    """The rule's trigger with these parameters. Raises RuleFileError for invalid ones."""
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

    async def resolve() -> Any:
        return await resolve_variables(await resolve_block_document_references(parameters))

    with prefect_api():
        try:
            resolved: dict[str, Any] = asyncio.run(resolve())
        except ValueError as error:
            raise RuleFileError(f"a Prefect block or variable is missing: {error}") from error
    return resolved


def recorded_history(url: str, rule: Declared) -> History:
    """The rule's past in the event store at this address; an empty one where it has none.

    Raises StoreUnavailableError and StoreRefusedError.
    """
    with explained(url):
        engine, _ = look(url)
        stored = all_rules(engine) if engine is not None else []
    for row in stored:
        if (row["flow_name"], row["name"]) == (rule.flow.name, rule.entry.name):
            return history_of(row["deployment_id"])
    return NoHistory()


def check_once(rule: Declared, trigger: Trigger, history: History) -> list[AlertOutput]:
    """The outputs of one check. Raises CheckFailedError, which names the cause and its place."""
    try:
        return as_outputs(trigger.measure(history))
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
    here = Path.cwd()
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if file.is_relative_to(here) and not {"site-packages", "sentinel_core"} & {*file.parts}:
            return f" (at {file.relative_to(here)}:{frame.lineno})"
    return ""
