"""A rule file and Prefect's deployments in one form, so that they can be compared.

The one place that knows what `prefect deploy` makes of each key of the file.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.utilities.templating import apply_values

from sentinel_core.prefect_io.client import all_deployments, default_work_pool, takes_slas
from sentinel_core.prefect_io.facts import is_rule, schedule_words
from sentinel_core.rulefile.check import Declared
from sentinel_core.rulefile.deploy.plan import Deployed, Plan, Schedule, Wanted, plan
from sentinel_core.rulefile.placeholders import PLACEHOLDER
from sentinel_core.rulefile.prefect_schedule import prefect_schedule
from sentinel_core.rulefile.source import RuleFile


def make_plan(client: SyncPrefectClient, file: RuleFile, declared: Sequence[Declared]) -> Plan:
    """The changes that deploying this checked file would make."""
    slas = takes_slas(client)
    wanted = [_wanted(file, item, slas=slas) for item in declared]
    return plan(wanted, deployed(client))


def deployed(client: SyncPrefectClient) -> list[Deployed]:
    """The deployments that Prefect has, of whatever project."""
    return [_deployed(*found) for found in all_deployments(client)]


def _wanted(file: RuleFile, item: Declared, *, slas: bool) -> Wanted:
    config = item.entry.config
    pool = config.get("work_pool") or {}
    limit = config.get("concurrency_limit")
    options = limit if isinstance(limit, dict) else {}
    pull = _pull_steps(file, item)
    fields = {
        "description": config.get("description") or item.flow.description,
        "tags": sorted(config.get("tags") or []),
        "parameters": config.get("parameters") or {},
        "entrypoint": config["entrypoint"],
        "work_pool.name": pool.get("name") or default_work_pool(),
        "work_pool.work_queue_name": pool.get("work_queue_name") or "default",
        "work_pool.job_variables": pool.get("job_variables") or {},
        "concurrency_limit.limit": options.get("limit") if options else limit,
        "concurrency_limit.collision_strategy": options.get("collision_strategy"),
        "pull": pull,
        "parameter form": _digest(item.schema),
    }
    if options.get("grace_period_seconds") is not None:
        fields["concurrency_limit.grace_period_seconds"] = options["grace_period_seconds"]
    for key in ("version", "enforce_parameter_schema"):  # Prefect infers a version from the commit
        if config.get(key) is not None:
            fields[key] = config[key]
    return Wanted(
        index=item.entry.index,
        name=item.entry.name,
        flow_name=item.flow.name,
        fields=fields,
        schedules=tuple(_wanted_schedule(entry) for entry in item.entry.schedules),
        paused=config.get("paused"),
        pull_steps=pull,
        entrypoint=config["entrypoint"],
        is_rule=item.is_rule,
        hidden=frozenset(_templated(item.entry.raw, "")),
        incomparable=_incomparable(file, item, slas=slas),
    )


def _digest(schema: dict[str, Any]) -> str:
    """A digest of the form of a flow's parameters, whose fields would fill pages."""
    filled = {key: value for key, value in schema.items() if value}
    return hashlib.sha256(json.dumps(filled, sort_keys=True).encode()).hexdigest()[:8]


def _pull_steps(file: RuleFile, item: Declared) -> list[Any]:
    """The steps by which a worker gets the code: the file's, or the project's folder."""
    raw = item.entry.raw.get("pull", file.data.get("pull"))
    if raw is not None:
        steps = [raw] if isinstance(raw, dict) and raw else list(raw)
        resolved: list[Any] = apply_values(steps, {}, remove_notset=False)  # type: ignore[assignment]
        return resolved
    pool = item.entry.config.get("work_pool") or {}
    image = (pool.get("job_variables") or {}).get("image")
    folder = "/opt/prefect" if image else str(file.folder)
    return [{"prefect.deployments.steps.set_working_directory": {"directory": folder}}]


def _incomparable(file: RuleFile, item: Declared, *, slas: bool) -> str:
    """The reason why a deployment can't be compared with what is deployed; "" when it can.

    `slas`: Prefect is given the `sla` list, and what it has of it can't be asked.
    """
    config = {**item.entry.config, "pull": None}
    steps = [key for key in ("build", "push") if item.entry.config.get(key, file.data.get(key))]
    keys = ("triggers", *(["sla"] if slas else []), "version_type")
    others = [key for key in keys if config.get(key) is not None]
    if steps or others:
        return f"has {' and '.join(steps + others)}"
    if any(_templated(config, "")):
        return "has values from Prefect blocks or variables"
    return ""


def _templated(value: Any, path: str) -> Iterator[str]:
    """The dotted paths of values with a `{{ placeholder }}`."""
    if isinstance(value, str) and PLACEHOLDER.search(value):
        yield path
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _templated(part, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(True for part in value for _ in _templated(part, "")):
        yield path


def _wanted_schedule(raw: dict[str, Any]) -> Schedule:
    active, parameters = raw.get("active"), raw.get("parameters") or {}
    return _schedule(prefect_schedule(raw), active, raw.get("slug"), parameters)


def _deployed(item: DeploymentResponse, flow_name: str) -> Deployed:
    limit = item.global_concurrency_limit
    options = item.concurrency_options
    return Deployed(
        id=item.id,
        name=item.name,
        flow_name=flow_name,
        fields={
            # A new deployment that has none is given this word by `prefect deploy`.
            "description": None if item.description == "None" else item.description,
            "tags": sorted(item.tags),
            "parameters": item.parameters,
            "entrypoint": item.entrypoint,
            "work_pool.name": item.work_pool_name,
            "work_pool.work_queue_name": item.work_queue_name,
            "work_pool.job_variables": item.job_variables,
            "concurrency_limit.limit": limit.limit if limit else None,
            "concurrency_limit.collision_strategy": (
                str(options.collision_strategy.value) if options else None
            ),
            "concurrency_limit.grace_period_seconds": getattr(
                options, "grace_period_seconds", None
            ),
            "pull": item.pull_steps or [],
            "parameter form": _digest(item.parameter_openapi_schema or {}),
            "version": item.version,
            "enforce_parameter_schema": item.enforce_parameter_schema,
        },
        schedules=tuple(
            _schedule(s.schedule, s.active, s.slug, s.parameters, s.id) for s in item.schedules
        ),
        paused=item.paused,
        pull_steps=item.pull_steps or [],
        entrypoint=item.entrypoint or "",
        is_rule=is_rule(item),
    )


def _schedule(schedule: Any, *rest: Any) -> Schedule:
    return Schedule(_timing(schedule), schedule_words(schedule), *rest)


def _timing(schedule: Any) -> tuple[Any, ...]:
    zone = schedule.timezone or "UTC" if hasattr(schedule, "timezone") else "UTC"
    if isinstance(schedule, CronSchedule):
        return ("cron", schedule.cron, zone, schedule.day_or)
    if isinstance(schedule, IntervalSchedule):
        # Without an anchor in the file Prefect takes the moment of deploying: not compared.
        return ("interval", schedule.interval.total_seconds(), zone)
    # Prefect writes a DTSTART into a rule that has none.
    bare = [line for line in schedule.rrule.split("\n") if not line.startswith("DTSTART")]
    return ("rrule", "\n".join(bare).removeprefix("RRULE:"), zone)
