"""Is a rule file well formed: keys, types, names, schedules? Imports no flow, asks no server."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sentinel_core.model.calendar import time_zones
from sentinel_core.model.cleaning import clean_text
from sentinel_core.rulefile.source import (
    DEFINITIONS,
    PLACEHOLDER,
    Entry,
    RuleFile,
    Where,
    did_you_mean,
    kind,
    shown,
)

_ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffd]")
_BANNED = "/%&><"  # Prefect's, in names


def _models() -> Any:
    from prefect.cli.deploy import _models

    return _models


def _top_keys() -> list[str]:
    fields = _models().PrefectYamlModel.model_fields
    return [info.alias or name for name, info in fields.items()] + [DEFINITIONS]


def check_form(file: RuleFile) -> None:
    """Note what is wrong about the file's form: keys, types, names, schedules."""
    _check_top(file)
    for entry in file.entries:
        _check_entry(file, entry)
    _check_duplicates(file)


def _check_top(file: RuleFile) -> None:
    _check_keys(file, None, (), file.data, _top_keys(), "key")
    deployments = file.data.get("deployments")
    if deployments is None or deployments == []:
        file.complain(None, ("deployments",), "expected a list of deployments, found none")
    elif not isinstance(deployments, list):
        file.complain(None, ("deployments",), f"expected a list, got {kind(deployments)}")


def _check_entry(file: RuleFile, entry: Entry) -> None:
    before = len(file.problems)
    config = entry.config
    _check_unset(file, entry, config, ())
    _check_keys(
        file, entry, (), config, list(_models().DeploymentConfig.model_fields), "deployment key"
    )
    _check_identity(file, entry)
    _check_name(file, entry)
    _check_entrypoint(file, entry)
    _check_work_pool(file, entry)
    _check_concurrency(file, entry)
    for key in ("paused", "enforce_parameter_schema"):
        _expect(file, entry, key, bool, "true or false")
    for key in ("description", "version", "flow_name"):
        _expect(file, entry, key, str, "text")
    _expect(file, entry, "parameters", dict, "a mapping of parameters")
    _check_tags(file, entry)
    _check_schedules(file, entry)
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


def _check_identity(file: RuleFile, entry: Entry) -> None:
    """What a rule is called and where it is must be known here, to compare it with Prefect's."""
    for key in ("name", "entrypoint"):
        for name in PLACEHOLDER.findall(str(entry.config.get(key))):
            if not name.startswith("$"):
                message = f"expected text or {{{{ $VARIABLES }}}}, got {{{{ {name} }}}}"
                file.complain(entry, (key,), message)


def _check_keys(
    file: RuleFile,
    entry: Entry | None,
    path: Where,
    mapping: Mapping[Any, Any],
    known: Sequence[str],
    what: str,
) -> None:
    for key in mapping:
        if key not in known:
            file.complain(entry, (*path, str(key)), f"unknown {what}{did_you_mean(key, known)}")


def _expect(file: RuleFile, entry: Entry, key: str, wanted: type, words: str) -> None:
    value = entry.config.get(key)
    if value is not None and not isinstance(value, wanted):
        file.complain(entry, (key,), f"expected {words}, got {entry.written((key,), value)}")


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
        _check_keys(file, entry, ("work_pool",), pool, known, "work pool key")
        if not (isinstance(pool.get("name"), str) and pool["name"]) and not _default_pool():
            file.complain(entry, ("work_pool", "name"), f"missing or not text: {example}")
        if not isinstance(pool.get("job_variables", {}), dict):
            path = ("work_pool", "job_variables")
            file.complain(entry, path, f"expected a mapping, got {shown(pool['job_variables'])}")
    elif pool is not None:
        file.complain(entry, ("work_pool",), f"{example}, got {shown(pool)}")
    elif not _default_pool():
        file.complain(entry, ("work_pool",), f"missing: {example}")


def _default_pool() -> str | None:
    from prefect.settings import get_current_settings

    return get_current_settings().deployments.default_work_pool_name


def _check_concurrency(file: RuleFile, entry: Entry) -> None:
    limit = entry.config.get("concurrency_limit")
    path: Where = ("concurrency_limit",)
    if isinstance(limit, dict):
        known = list(_models().ConcurrencyLimitSpec.model_fields)
        _check_keys(file, entry, path, limit, known, "concurrency limit key")
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


def _check_tags(file: RuleFile, entry: Entry) -> None:
    tags = entry.config.get("tags")
    if tags is None:
        return
    if not isinstance(tags, list):
        file.complain(entry, ("tags",), f"expected a list of texts, got {shown(tags)}")
        return
    for number, tag in enumerate(tags):
        if not isinstance(tag, str) or not tag:
            file.complain(entry, ("tags", number), f"expected text, got {shown(tag)}")


def _check_as_prefect_does(file: RuleFile, entry: Entry) -> None:
    """A net below the checks above: one form Prefect refuses makes it skip the whole file."""
    raw = entry.raw
    if raw.get("schedules") == entry.config.get("schedules"):
        # Judged already; Prefect's model reads the whole time zone database for each schedule.
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
            message = f"expected a name of its own: line {line} has a deployment of this name"
            file.complain(entry, ("name",), message)


# -- schedules -----------------------------------------------------------------------------------


def _check_schedules(file: RuleFile, entry: Entry) -> None:
    config = entry.config
    if config.get("schedule") and "schedules" in config:
        file.complain(entry, ("schedule",), "expected `schedules` alone: both are written")
    schedules = config.get("schedules")
    if schedules is not None and not isinstance(schedules, list):
        message = f"expected a list of schedules, got {shown(schedules)}"
        return file.complain(entry, ("schedules",), message)
    slugs: set[str] = set()
    for number, schedule in enumerate(entry.schedules):
        path: Where = ("schedules", number) if "schedules" in config else ("schedule",)
        if not isinstance(schedule, dict):
            file.complain(entry, path, f"expected a mapping with cron, got {shown(schedule)}")
            continue
        _check_schedule(file, entry, path, schedule)
        slug = schedule.get("slug")
        if isinstance(slug, str) and slug in slugs:
            file.complain(entry, (*path, "slug"), f"expected a slug of its own, got {shown(slug)}")
        slugs.add(str(slug))
    return None


def _check_schedule(file: RuleFile, entry: Entry, path: Where, schedule: dict[str, Any]) -> None:
    known = list(_models().RawScheduleConfig.model_fields)
    _check_keys(file, entry, path, schedule, known, "schedule key")
    kinds = [key for key in ("cron", "interval", "rrule") if schedule.get(key) is not None]
    if len(kinds) != 1:
        got = " and ".join(kinds) or "none"
        file.complain(entry, path, f"expected exactly one of cron, interval, rrule; got {got}")
    timezone = schedule.get("timezone")
    if timezone is not None and (wrong := wrong_timezone(timezone)):
        file.complain(entry, (*path, "timezone"), wrong)
        timezone = None
    checks = {"cron": wrong_cron, "interval": _wrong_interval, "rrule": _wrong_rrule}
    for key in kinds:
        if wrong := checks[key](schedule[key]):
            file.complain(entry, (*path, key), wrong)
    for key in ("active", "day_or"):
        if schedule.get(key) is not None and not isinstance(schedule[key], bool):
            message = f"expected true or false, got {shown(schedule[key])}"
            file.complain(entry, (*path, key), message)
    for key in ("slug", "replaces"):
        if schedule.get(key) is not None and not isinstance(schedule[key], str):
            file.complain(entry, (*path, key), f"expected text, got {shown(schedule[key])}")
    if (anchor := schedule.get("anchor_date")) is not None and (wrong := _wrong_date(anchor)):
        file.complain(entry, (*path, "anchor_date"), wrong)
    if not isinstance(schedule.get("parameters") or {}, dict):
        message = f"expected a mapping of parameters, got {shown(schedule['parameters'])}"
        file.complain(entry, (*path, "parameters"), message)


def wrong_cron(cron: object) -> str | None:
    """What is wrong with a cron expression; None when both schedulers that read it can.

    Prefect makes the runs, Sentinel works out which runs are missing: both must understand it.
    """
    from datetime import UTC, datetime

    from cronsim import CronSim, CronSimError
    from prefect.client.schemas.schedules import CronSchedule

    form = "expected five fields: minute hour day-of-month month day-of-week"
    if not isinstance(cron, str) or len(cron.split()) != 5:  # noqa: PLR2004
        return f"{form}; got {shown(cron)}"
    try:
        CronSchedule(cron=cron)
        next(CronSim(cron, datetime.now(UTC)))
    except ValidationError:
        return f"{form}; Prefect can't read {shown(cron)}"
    except CronSimError as error:
        return f"{form}; {shown(cron)}: {str(error)[:1].lower()}{str(error)[1:]}"
    except StopIteration:
        return f"expected a time that exists: {shown(cron)} never comes"
    return None


def wrong_timezone(timezone: object) -> str | None:
    """What is wrong with a time zone; None when it is one of the IANA database."""
    zones = time_zones()
    if isinstance(timezone, str) and timezone in zones:
        return None
    hint = did_you_mean(timezone, sorted(zones), cutoff=0.7)
    return f"expected an IANA time zone like Europe/London, got {shown(timezone)}{hint}"


def _wrong_interval(interval: object) -> str | None:
    form = f"expected seconds above 0, or a duration like PT5M; got {shown(interval)}"
    if isinstance(interval, bool):
        return form
    try:
        return None if TypeAdapter(timedelta).validate_python(interval) > timedelta(0) else form
    except ValidationError:
        return form


def _wrong_rrule(rrule: object) -> str | None:
    import json

    from prefect.client.schemas.schedules import RRuleSchedule

    form = f"expected an iCalendar rule like FREQ=HOURLY;INTERVAL=6, got {shown(rrule)}"
    if not isinstance(rrule, str):
        return form
    try:
        fields = json.loads(rrule)
    except ValueError:
        fields = {"rrule": rrule}
    try:
        RRuleSchedule(**fields)
    except (ValidationError, ValueError, TypeError) as error:
        return f"{form}: {str(error).splitlines()[0]}"
    return None


def _wrong_date(value: object) -> str | None:
    from datetime import datetime

    try:
        TypeAdapter(datetime).validate_python(value)
    except ValidationError:
        return f"expected a date and time like 2026-01-01T00:00:00Z, got {shown(value)}"
    return None
