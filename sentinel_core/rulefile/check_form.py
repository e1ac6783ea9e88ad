"""Checks the form of a rule file: keys, types, names. Imports no flow and asks no server."""

import math
import re
from typing import Any

from pydantic import ValidationError

from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.spread import MOST_SECONDS, VARIABLE, WORDS, spread_of
from sentinel_core.prefect_io.client import default_work_pool
from sentinel_core.rulefile.check_schedules import check_schedules
from sentinel_core.rulefile.phrases import did_you_mean, kind, shown
from sentinel_core.rulefile.placeholders import PLACEHOLDER
from sentinel_core.rulefile.source import DEFINITIONS, Entry, RuleFile, Where, dig

_ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffd]")
_BANNED = "/%&><"  # Prefect's, in names
SPREAD: Where = ("work_pool", "job_variables", VARIABLE)


def _models() -> Any:
    from prefect.cli.deploy import _models

    return _models


def check_form(file: RuleFile) -> None:
    """Note what is wrong with the form of the file: keys, types, names, schedules."""
    fields = _models().PrefectYamlModel.model_fields
    known = [info.alias or name for name, info in fields.items()]
    file.check_keys(None, (), file.data, [*known, DEFINITIONS], "key")
    deployments = file.data.get("deployments")
    if deployments is None or deployments == []:
        file.complain(None, ("deployments",), "expected a list of deployments, found none")
    elif not isinstance(deployments, list):
        file.complain(None, ("deployments",), f"expected a list, got {kind(deployments)}")
    for entry in file.entries:
        check_entry(file, entry)
    _check_duplicates(file)


def check_entry(file: RuleFile, entry: Entry) -> None:
    """Note what is wrong with the form of one deployment, but for its SLAs (check_sla.py)."""
    before = len(file.problems)
    config = entry.config
    _check_unset(file, entry, config, ())
    known = list(_models().DeploymentConfig.model_fields)
    file.check_keys(entry, (), config, known, "deployment key")
    for key in ("name", "entrypoint"):  # by which deployments are compared
        for name in PLACEHOLDER.findall(str(config.get(key))):
            if not name.startswith("$"):
                message = f"expected text or {{{{ $VARIABLES }}}}, got {{{{ {name} }}}}"
                file.complain(entry, (key,), message)
    _check_name(file, entry)
    _check_entrypoint(file, entry)
    _check_work_pool(file, entry)
    _check_spread(file, entry)
    _check_concurrency(file, entry)
    for key in ("paused", "enforce_parameter_schema"):
        file.expect(entry, (key,), bool, "true or false")
    for key in ("description", "version", "flow_name"):
        file.expect(entry, (key,), str, "text")
    file.expect(entry, ("parameters",), dict, "a mapping of parameters")
    if file.expect(entry, ("tags",), list, "a list of texts"):
        for number, tag in enumerate(config.get("tags") or []):
            if not isinstance(tag, str) or not tag:
                file.complain(entry, ("tags", number), f"expected text, got {shown(tag)}")
    check_schedules(file, entry)
    if len(file.problems) == before:
        _check_as_prefect_does(file, entry)


def _check_unset(file: RuleFile, entry: Entry, value: Any, path: Where) -> None:
    if isinstance(value, str):
        for name in PLACEHOLDER.findall(value):
            if name.startswith("$"):
                file.complain(
                    entry, path, f"the environment variable {name[1:]} is not set: set it"
                )
    elif isinstance(value, dict):
        for key, part in value.items():
            _check_unset(file, entry, part, (*path, key))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            _check_unset(file, entry, part, (*path, number))


def _check_name(file: RuleFile, entry: Entry) -> None:
    name = entry.config.get("name")
    if name is None:
        return file.complain(entry, ("name",), "missing: every deployment needs a name")
    if not isinstance(name, str):
        message = f"expected text, got {kind(name)}: put it in quotes"
    elif not name.strip() or name != name.strip():
        message = f"expected text without spaces around it, got {name!r}"
    elif _ODD.search(name) or clean_text(name) != name:
        message = f"expected a name without line breaks and control characters, got {name!r}"
    elif any(letter in name for letter in _BANNED):
        message = f"expected a name without any of {' '.join(_BANNED)}, got {shown(name)}"
    elif name.endswith(".py"):
        message = "expected a name that does not end in .py: Prefect would cut that off"
    elif len(name) > 200:  # noqa: PLR2004
        message = f"expected at most 200 characters, got {len(name)}"
    else:
        return None
    return file.complain(entry, ("name",), message)


def _check_entrypoint(file: RuleFile, entry: Entry) -> None:
    entrypoint = entry.config.get("entrypoint")
    form = "flows/<family>.py:<flow>"
    if entrypoint is None:
        file.complain(entry, ("entrypoint",), f"missing: expected {form}")
    elif not isinstance(entrypoint, str) or not re.search(r"[:.]", entrypoint):
        file.complain(entry, ("entrypoint",), f"expected {form}, got {shown(entrypoint)}")


def _check_work_pool(file: RuleFile, entry: Entry) -> None:
    pool = entry.config.get("work_pool")
    example = "expected `work_pool: {name: sentinel}`"
    if isinstance(pool, dict):
        known = list(_models().WorkPoolConfig.model_fields)
        file.check_keys(entry, ("work_pool",), pool, known, "work pool key")
        if not (isinstance(pool.get("name"), str) and pool["name"]) and not default_work_pool():
            file.complain(entry, ("work_pool", "name"), f"missing or not text: {example}")
        if not isinstance(pool.get("job_variables", {}), dict):
            path = ("work_pool", "job_variables")
            file.complain(entry, path, f"expected a mapping, got {shown(pool['job_variables'])}")
    elif pool is not None:
        file.complain(entry, ("work_pool",), f"{example}, got {shown(pool)}")
    elif not default_work_pool():
        file.complain(entry, ("work_pool",), f"missing: {example}")


def _check_spread(file: RuleFile, entry: Entry) -> None:
    spread = dig(entry.config, SPREAD)
    if spread is None or entry.is_open(SPREAD) or spread_of(spread) is not None:
        return
    if isinstance(spread, float) and not math.isfinite(spread):
        return  # reported by itself
    hint = did_you_mean(spread, WORDS) if isinstance(spread, str) else ""
    words = f"expected {', '.join(WORDS)} or 0 to {MOST_SECONDS} seconds"
    file.complain(entry, SPREAD, f"{words}, got {entry.written(SPREAD, spread)}{hint}")


def _check_concurrency(file: RuleFile, entry: Entry) -> None:
    limit = entry.config.get("concurrency_limit")
    path: Where = ("concurrency_limit",)
    if isinstance(limit, dict):
        known = list(_models().ConcurrencyLimitSpec.model_fields)
        file.check_keys(entry, path, limit, known, "concurrency limit key")
        strategy = limit.get("collision_strategy")
        if strategy not in ("ENQUEUE", "CANCEL_NEW"):
            message = f"expected ENQUEUE or CANCEL_NEW, got {shown(strategy)}"
            file.complain(entry, (*path, "collision_strategy"), message)
        grace = limit.get("grace_period_seconds")
        if grace is not None and not (_is_count(grace) and 60 <= grace <= 86_400):  # noqa: PLR2004
            message = f"expected 60 to 86400 seconds, got {shown(grace)}"
            file.complain(entry, (*path, "grace_period_seconds"), message)
        path, limit = (*path, "limit"), limit.get("limit")
    if limit is not None and not _is_count(limit):
        file.complain(entry, path, f"expected a whole number from 1 up, got {shown(limit)}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _check_as_prefect_does(file: RuleFile, entry: Entry) -> None:
    """A last check by Prefect's own model: one error there makes it skip the whole file."""
    raw = {key: value for key, value in entry.raw.items() if key != "sla"}
    if raw.get("schedules") == entry.config.get("schedules"):
        # Checked already; Prefect's model reads the whole time zone database for each schedule.
        raw = {key: value for key, value in raw.items() if key != "schedules"}
    try:
        _models().DeploymentConfig.model_validate(raw)
    except ValidationError as error:
        for item in error.errors():
            path = tuple(part for part in item["loc"] if not str(part).startswith("function-"))
            file.complain(entry, path, f"Prefect refuses this: {item['msg']}")


def _check_duplicates(file: RuleFile) -> None:
    first: dict[str, Entry] = {}
    for entry in file.entries:
        if not isinstance(entry.config.get("name"), str):
            continue
        earlier = first.setdefault(entry.name, entry)
        if earlier is not entry:
            line = file.line(("deployments", earlier.index, "name"))
            message = f"expected a unique name: line {line} has a deployment of this name"
            file.complain(entry, ("name",), message)
