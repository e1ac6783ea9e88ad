"""Checks a deployment's schedules: Prefect must be able to make runs by them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sentinel_core.base.errors import ScheduleError
from sentinel_core.model.calendar import time_zones
from sentinel_core.model.run import Schedule
from sentinel_core.rulefile.phrases import did_you_mean, shown
from sentinel_core.rulefile.source import Entry, RuleFile, Where


def check_schedules(file: RuleFile, entry: Entry) -> None:
    """Note what is wrong with the schedules of a deployment."""
    config = entry.config
    if config.get("schedule") and "schedules" in config:
        file.complain(
            entry, ("schedule",), "expected only `schedules`, but `schedule` is given as well"
        )
    if not file.expect(entry, ("schedules",), list, "a list of schedules"):
        return
    slugs: set[str] = set()
    for number, schedule in enumerate(entry.schedules):
        path: Where = ("schedules", number) if "schedules" in config else ("schedule",)
        if not isinstance(schedule, dict):
            file.complain(entry, path, f"expected a mapping with cron, got {shown(schedule)}")
            continue
        _check_schedule(file, entry, path, schedule)
        slug = schedule.get("slug")
        if isinstance(slug, str):
            if slug in slugs:
                file.complain(entry, (*path, "slug"), f"expected a unique slug, got {shown(slug)}")
            slugs.add(slug)


def _check_schedule(file: RuleFile, entry: Entry, path: Where, schedule: dict[str, Any]) -> None:
    from prefect.cli.deploy._models import RawScheduleConfig

    known = list(RawScheduleConfig.model_fields)
    file.check_keys(entry, path, schedule, known, "schedule key")
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
    cron = schedule.get("cron")
    if "day_or" not in schedule and isinstance(cron, str) and (words := _either_day(cron)):
        file.complain(entry, (*path, "cron"), words, warning=True)
    for key in ("active", "day_or"):
        file.expect(entry, (*path, key), bool, "true or false")
    for key in ("slug", "replaces"):
        file.expect(entry, (*path, key), str, "text")
    if (anchor := schedule.get("anchor_date")) is not None:
        try:
            TypeAdapter(datetime).validate_python(anchor)
        except ValidationError:
            message = f"expected a date and time like 2026-01-01T00:00:00Z, got {shown(anchor)}"
            file.complain(entry, (*path, "anchor_date"), message)
    if schedule.get("parameters"):
        file.expect(entry, (*path, "parameters"), dict, "a mapping of parameters")


def wrong_cron(cron: object) -> str | None:
    """The mistake in a cron expression; None when Prefect can make runs by it."""
    from sentinel_core.prefect_io.due import NeverDueError, next_due

    form = "expected five fields: minute hour day-of-month month day-of-week"
    if not isinstance(cron, str) or len(cron.split()) != 5:  # noqa: PLR2004
        return f"{form}; got {shown(cron)}"
    try:
        next_due([Schedule(cron=cron)], datetime.now(UTC))
    except NeverDueError:
        return f"expected a time that exists: {shown(cron)} never occurs"
    except ScheduleError:
        return f"{form}; Prefect can't read {shown(cron)}"
    return None


def _either_day(cron: str) -> str | None:
    """What people may not expect of a cron expression that limits both days; None of others."""
    fields = cron.split()
    if len(fields) != 5 or {"*", "?"} & {fields[2], fields[4]}:  # noqa: PLR2004
        return None
    return (
        f"runs on days {fields[2]} of the month and on weekdays {fields[4]}, whichever matches; "
        "for days that match both, add `day_or: false` (`day_or: true` ends this warning)"
    )


def wrong_timezone(timezone: object) -> str | None:
    """The mistake in a time zone; None when the IANA database has it."""
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
