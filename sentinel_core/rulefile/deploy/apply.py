"""Deploying a rule file through `prefect deploy`, all of it or none of it.

Carries out the plan of plan.py. Pauses made in Prefect's UI are written into the copy of the file
that Prefect is given, so that there is no moment in which a paused rule could run.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings

from sentinel_core.base.errors import DeployError, DeployTakenError, NotRestoredError, SentinelError
from sentinel_core.prefect_io.client import takes_slas
from sentinel_core.rulefile.deploy.plan import Action, Deployed, Plan, Step
from sentinel_core.rulefile.phrases import shorten
from sentinel_core.rulefile.source import RuleFile

_DONE = re.compile(r"Deployment '(?P<name>.+)' successfully created with id")
_PATIENCE_SECONDS = 600.0

_LEFT_OUT = {"version_info", "storage_document_id", "infrastructure_document_id"}
_LEFT_OUT |= {"schedules", "concurrency_limit"}  # set by themselves
_RESTORED = DeploymentUpdate.model_fields.keys() - _LEFT_OUT
_OF_A_SCHEDULE = ("schedule", "active", "max_scheduled_runs", "parameters", "slug")
Say = Callable[[str], None]
Done = Callable[[], None]


def apply(client: SyncPrefectClient, file: RuleFile, todo: Plan, say: Say, done: Done) -> None:
    """Deploy what the plan says, and call `done` after each deployment.

    Raises DeployError after restoring what was changed, NotRestoredError if not all could be. What
    `done` raises because another deploy has taken over, DeployTakenError, restores nothing.
    """
    steps = todo.to_deploy
    if not steps:
        return
    snapshot = _Snapshot(client, steps)
    try:
        for step in steps:
            for schedule_id in step.drop:
                assert step.deployed is not None
                client.delete_deployment_schedule(step.deployed.id, schedule_id)
        _run_prefect(file, steps, say, done, slas=takes_slas(client))
    except DeployTakenError:
        raise
    except BaseException as error:
        restored, complete = snapshot.restore()
        reason = str(error) if isinstance(error, SentinelError) else type(error).__name__
        if isinstance(error, KeyboardInterrupt):
            reason = "interrupted"
        kind = DeployError if complete else NotRestoredError
        raise kind(f"{reason}\n{restored}") from error


def prune(client: SyncPrefectClient, gone: Sequence[Deployed], say: Say, done: Done) -> None:
    """Delete deployments, and call `done` after each; one that no longer exists is fine."""
    for item in gone:
        try:
            client.delete_deployment(item.id)
        except ObjectNotFound:
            say(f"{item.name}: already gone")
        else:
            say(f"{item.name}: removed")
        done()


def _copy_for_prefect(file: RuleFile, steps: Sequence[Step], *, slas: bool) -> dict[str, Any]:
    """The file that Prefect is given: only what changes, with the pauses that are kept.

    Without `slas` their lists are left out: a server without Cloud refuses them.
    """
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
        if not slas:
            raw.pop("sla", None)
        copy["deployments"].append(raw)
    return copy


def _run_prefect(
    file: RuleFile, steps: Sequence[Step], say: Say, done: Done, *, slas: bool
) -> None:
    """`prefect deploy --all`, one line for each rule while it works. Raises DeployError."""
    data = _copy_for_prefect(file, steps, slas=slas)
    waiting = {f"{step.wanted.flow_name}/{step.name}": step for step in steps}
    lines: list[str] = []
    with tempfile.TemporaryDirectory(prefix="sentinel-") as folder:
        path = Path(folder) / "prefect.yaml"
        path.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), "utf-8")
        command = [sys.executable, "-P", "-m", "sentinel_core.rulefile.deploy.run_prefect"]
        command += [str(os.getpid()), "--no-prompt", "deploy", "--all"]
        # The project's folder may have a prefect.toml, and this process another server.
        settings = get_current_settings().to_environment_variables(exclude_unset=True)
        # Wide and plain, so that no name is broken over two lines.
        plain = {"COLUMNS": "2000", "NO_COLOR": "1", "TERM": "dumb", "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(  # noqa: S603 (our own interpreter, no shell)
            [*command, "--prefect-file", str(path)],
            env={**os.environ, **settings, **plain},
            cwd=file.folder,  # which Prefect gives to deployments without pull steps
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
                        did = "deployed" if step.action is Action.CREATE else "updated"
                        kept = ", still paused" if step.keep_paused else ""
                        done()
                        say(f"{step.name}: {did}{kept}")
                code = process.wait(_PATIENCE_SECONDS)
            except BaseException:
                process.kill()
                raise
    if code or waiting:
        texts = [line.strip("│╭╰─╮╯ ") for line in lines]
        last = next((text for text in reversed(texts) if text), "it printed nothing")
        name = next((step.name for step in waiting.values()), "?")
        raise DeployError(f"{name}: Prefect could not deploy it: {shorten(last, 400)}")


class _Snapshot:
    """The deployments of a plan as they were before."""

    def __init__(self, client: SyncPrefectClient, steps: Sequence[Step]) -> None:
        self.client = client
        self.steps = steps
        self.before = {
            step.wanted.index: client.read_deployment(step.deployed.id)
            for step in steps
            if step.deployed
        }

    def restore(self) -> tuple[str, bool]:
        """Restore everything; sentences on it, and whether all could be restored."""
        restored: list[str] = []
        failed: list[str] = []
        for step in self.steps:
            try:
                if self._restore_one(step):
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
        return "\n".join(lines), not failed

    def _restore_one(self, step: Step) -> bool:
        """Restore one; False when it was not changed."""
        client = self.client
        old = self.before.get(step.wanted.index)
        if old is None:
            try:
                new = client.read_deployment_by_name(f"{step.wanted.flow_name}/{step.name}")
            except ObjectNotFound:
                return False
            client.delete_deployment(new.id)
            return True
        now = client.read_deployment(old.id)
        if now.updated == old.updated and _ids(now) == _ids(old):
            return False
        for schedule in now.schedules:
            client.delete_deployment_schedule(old.id, schedule.id)
        limit = old.global_concurrency_limit
        given = {name: getattr(old, name) for name in _RESTORED}
        client.update_deployment(
            old.id, DeploymentUpdate(**given, concurrency_limit=limit.limit if limit else None)
        )
        if old.schedules:
            schedules = [
                DeploymentScheduleCreate(**{name: getattr(s, name) for name in _OF_A_SCHEDULE})
                for s in old.schedules
            ]
            client.create_deployment_schedules(old.id, schedules)
        return True


def _ids(item: DeploymentResponse) -> set[Any]:
    return {schedule.id for schedule in item.schedules}
