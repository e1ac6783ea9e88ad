"""A whole installation to look at: a rule, its channel, a worker, and Sentinel's own flows."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Failed

from sentinel_core.prefect_io.client import all_deployments
from sentinel_core.prefect_io.latest_runs import newest_runs
from tests.support.command import Command
from tests.support.deployed import deploy, rule_yaml

DISK = "flows/system.py:disk_usage"
HOUSEKEEPING = {
    "reconcile": "flows/reconcile.py:reconcile",
    "deliver": "flows/deliver.py:deliver",
    "daily-report": "flows/daily_report.py:daily_report",
    "retention": "flows/retention.py:retention",
}


@dataclass(frozen=True)
class Looked:
    """What `sentinel doctor --json` said."""

    code: int
    findings: list[dict[str, Any]]

    def of(self, component: str, name: str | None = None) -> dict[str, Any]:
        """The one finding on this."""
        [finding] = [
            one
            for one in self.findings
            if one["component"] == component and name in (None, one["name"])
        ]
        return finding

    def bad(self) -> list[tuple[str, str, str]]:
        """Everything that is not ok, with its state."""
        return [
            (one["component"], one["name"], one["state"])
            for one in self.findings
            if one["state"] != "ok"
        ]


@dataclass(frozen=True)
class House:
    """An installation of which nothing is wrong, but for what a test breaks."""

    client: SyncPrefectClient
    sentinel: Command
    pool: str
    rule: str
    file: Path

    def look(self, *flags: str, **env: str) -> Looked:
        """Everything, as JSON; it must say by its exit code whether it is good."""
        done = self.run("doctor", "--json", "--file", str(self.file), *flags, **env)
        assert done.stdout, done.stderr
        answer = json.loads(done.stdout)
        assert done.returncode == (0 if answer["ok"] else 1), done.stderr
        return Looked(done.returncode, answer["findings"])

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command with these variables, whatever comes of it."""
        command = Command(self.sentinel.url, self.sentinel.folder, {**self.sentinel.env, **env})
        # This process has Prefect's settings already, and would not look at its environment.
        with temporary_settings({PREFECT_API_URL: command.env["PREFECT_API_URL"]}):
            return command.run(*arguments)

    def id_of(self, name: str) -> UUID:
        """The deployment of one of Sentinel's own flows."""
        return self.client.read_deployment_by_name(f"{name}/{name}").id

    def ran(self, name: str, *messages: str) -> None:
        """Runs of one of Sentinel's own flows that ended: one that went well, then failures."""
        for message in ("", *messages):
            state = Failed(message=message) if message else Completed()
            self.client.create_flow_run_from_deployment(self.id_of(name), state=state)

    def write(self, **changes: Any) -> None:
        """The rule file: the rule as it is deployed, with these changes."""
        item = rule_yaml(self.rule, DISK, {"path": "/", "threshold": 90}, pool=self.pool)
        self.file.write_text(yaml.safe_dump({"deployments": [{**item, **changes}]}), "utf-8")

    def notify(self, channel: str) -> None:
        """The rule file, with this channel for its events."""
        check = {"path": "/", "threshold": 90}
        self.write(parameters={"check": check, "notify": {"high": [channel]}})

    def mend(self) -> None:
        """Deploy again what is missing or paused, remove what is too much, run what failed."""
        wanted = {"disk-usage": self.rule, **{name: name for name in HOUSEKEEPING}}
        good = set()
        for item, flow_name in all_deployments(self.client):
            changed = item.paused or not all(schedule.active for schedule in item.schedules)
            if wanted.get(flow_name) != item.name or changed:
                self.client.delete_deployment(item.id)
            else:
                good.add(item.name)
        for name, place in {self.rule: DISK, **HOUSEKEEPING}.items():
            if name not in good:
                check = {"path": "/", "threshold": 90}
                item = rule_yaml(name, place, check, pool=self.pool)
                deploy(self.client, item if place == DISK else {**item, "parameters": {}})
        for name in HOUSEKEEPING:
            newest = newest_runs(self.client, self.id_of(name), 1)
            if not newest or newest[0].state_name != "Completed":
                self.ran(name)
        self.write()
