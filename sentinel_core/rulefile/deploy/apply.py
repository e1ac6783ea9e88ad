"""Deploying a rule file through `prefect deploy`, all of it or none of it.

Carries out the plan of plan.py. Pauses made in Prefect's UI are
written into the copy of the file that Prefect is given, so that there is no moment in which a
paused rule could run.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound

from sentinel_core.base.errors import DeployError, SentinelError
from sentinel_core.rulefile.deploy.plan import Action, Deployed, Plan, Step
from sentinel_core.rulefile.phrases import shorten
from sentinel_core.rulefile.source import RuleFile

_DONE = re.compile(r"Deployment '(?P<name>.+)' successfully created with id")
_PATIENCE_SECONDS = 600.0

Say = Callable[[str], None]


def apply(client: SyncPrefectClient, file: RuleFile, todo: Plan, say: Say) -> None:
    """Deploy what the plan says. Raises DeployError after restoring what was changed."""
    steps = todo.to_deploy
    if not steps:
        return
    snapshot = _Snapshot.of(client, steps)
    try:
        for step in steps:
            for schedule_id in step.drop:
                client.delete_deployment_schedule(_id(step), schedule_id)
        _run_prefect(_copy_for_prefect(file, steps), steps, say)
    except BaseException as error:
        restored = snapshot.restore(client)
        reason = str(error) if isinstance(error, SentinelError) else f"{type(error).__name__}"
        if isinstance(error, KeyboardInterrupt):
            reason = "interrupted"
        raise DeployError(f"{reason}\n{restored}") from error


def prune(client: SyncPrefectClient, gone: Sequence[Deployed], say: Say) -> None:
    """Delete deployments; one that no longer exists is fine."""
    for item in gone:
        try:
            client.delete_deployment(item.id)
        except ObjectNotFound:
            say(f"{item.name}: already gone")
        else:
            say(f"{item.name}: removed")


def _id(step: Step) -> Any:
    assert step.deployed is not None
    return step.deployed.id


def _copy_for_prefect(file: RuleFile, steps: Sequence[Step]) -> dict[str, Any]:
    """The file that Prefect is given: only what changes, with the pauses that are kept."""
    copy = {key: value for key, value in file.data.items() if key != "definitions"}
    entries = {entry.index: entry for entry in file.entries}
    copy["deployments"] = []
    for step in steps:
        raw = deepcopy(entries[step.wanted.index].raw)
        if raw.get("schedule") and raw.get("schedules") is None:
            raw["schedules"] = [raw.pop("schedule")]
        if step.keep_paused:
            raw["paused"] = True
        for place in step.keep_inactive:
            raw["schedules"][place]["active"] = False
        copy["deployments"].append(raw)
    return copy


@contextmanager
def _written(data: dict[str, Any]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sentinel-") as folder:
        path = Path(folder) / "prefect.yaml"
        path.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), "utf-8")
        yield path


def _run_prefect(data: dict[str, Any], steps: Sequence[Step], say: Say) -> None:
    """`prefect deploy --all`, one line for each rule while it works. Raises DeployError."""
    waiting = {f"{step.wanted.flow_name}/{step.name}": step for step in steps}
    lines: list[str] = []
    with _written(data) as path:
        command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
        # Wide and plain, so that no name is broken over two lines.
        plain = {"COLUMNS": "2000", "NO_COLOR": "1", "TERM": "dumb", "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(  # noqa: S603 (our own interpreter, no shell)
            [*command, "--prefect-file", str(path)],
            env={**os.environ, **plain},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    lines.append(line.rstrip())
                    found = _DONE.search(line)
                    step = waiting.pop(found["name"], None) if found else None
                    if step is not None:
                        say(f"{step.name}: {_past(step)}")
                code = process.wait(_PATIENCE_SECONDS)
            except BaseException:
                process.kill()
                raise
    if code or waiting:
        raise DeployError(_why(lines, list(waiting.values())))


def _past(step: Step) -> str:
    kept = ", still paused" if step.keep_paused else ""
    return ("deployed" if step.action is Action.CREATE else "updated") + kept


def _why(lines: Sequence[str], missing: Sequence[Step]) -> str:
    texts = [line.strip("│╭╰─╮╯ ") for line in lines]
    last = next((text for text in reversed(texts) if text), "it printed nothing")
    name = missing[0].name if missing else "?"
    return f"{name}: Prefect could not deploy it: {shorten(last, 400)}"


# -- restoring -----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Snapshot:
    """The deployments of a plan as they were before."""

    steps: Sequence[Step]
    before: dict[int, DeploymentResponse] = field(default_factory=dict)

    @classmethod
    def of(cls, client: SyncPrefectClient, steps: Sequence[Step]) -> "_Snapshot":
        found = {s.wanted.index: client.read_deployment(_id(s)) for s in steps if s.deployed}
        return cls(steps, found)

    def restore(self, client: SyncPrefectClient) -> str:
        """Restore everything; sentences on what was restored and what could not be."""
        restored: list[str] = []
        failed: list[str] = []
        for step in self.steps:
            try:
                if self._restore_one(client, step):
                    restored.append(step.name)
            except Exception as error:
                failed.append(f"{step.name} ({shorten(str(error), 120)})")
        lines = []
        if restored:
            lines.append(f"put back as they were: {', '.join(restored)}")
        if failed:
            lines.append(f"COULD NOT be put back, look at them in Prefect: {', '.join(failed)}")
        else:
            lines.append("nothing of this file is deployed that was not before")
        return "\n".join(lines)

    def _restore_one(self, client: SyncPrefectClient, step: Step) -> bool:
        """Restore one; False when it was not changed."""
        old = self.before.get(step.wanted.index)
        if old is None:
            return _remove_new(client, step)
        now = client.read_deployment(old.id)
        if now.updated == old.updated and _ids(now) == _ids(old):
            return False
        for schedule in now.schedules:
            client.delete_deployment_schedule(old.id, schedule.id)
        client.update_deployment(old.id, _as_update(old))
        if old.schedules:
            client.create_deployment_schedules(old.id, [_as_create(s) for s in old.schedules])
        return True


def _ids(item: DeploymentResponse) -> set[Any]:
    return {schedule.id for schedule in item.schedules}


def _remove_new(client: SyncPrefectClient, step: Step) -> bool:
    try:
        new = client.read_deployment_by_name(f"{step.wanted.flow_name}/{step.name}")
    except ObjectNotFound:
        return False
    client.delete_deployment(new.id)
    return True


def _as_update(old: DeploymentResponse) -> DeploymentUpdate:
    limit = old.global_concurrency_limit
    return DeploymentUpdate(
        version=old.version,
        description=old.description,
        paused=old.paused,
        tags=old.tags,
        parameters=old.parameters,
        parameter_openapi_schema=old.parameter_openapi_schema,
        enforce_parameter_schema=old.enforce_parameter_schema,
        concurrency_limit=limit.limit if limit else None,
        concurrency_options=old.concurrency_options,
        work_pool_name=old.work_pool_name,
        work_queue_name=old.work_queue_name,
        job_variables=old.job_variables,
        path=old.path,
        entrypoint=old.entrypoint,
        pull_steps=old.pull_steps,
    )


def _as_create(old: DeploymentSchedule) -> DeploymentScheduleCreate:
    return DeploymentScheduleCreate(
        schedule=old.schedule,
        active=old.active,
        max_scheduled_runs=old.max_scheduled_runs,
        parameters=old.parameters,
        slug=old.slug,
    )
