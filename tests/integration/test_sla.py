"""The `sla` lists of a prefect.yaml on a server without Cloud: deployed, violated, kept again."""

import contextlib
import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.responses import DeploymentResponse
from prefect.states import Scheduled
from sqlalchemy import Engine

from sentinel_core.base.settings import get_settings
from sentinel_core.cli import main
from sentinel_core.prefect_io.client import all_deployments, server_time
from tests.support.command import changes
from tests.support.deployed import deploy, rule_yaml
from tests.support.faulty import incoming_webhook
from tests.support.pipelines import Team
from tests.support.prefect import PrefectServer, client_of, make_pool
from tests.support.processes import ROOT, wait_for
from tests.support.scenes import Scene, running_here
from tests.support.slack import Slack, slack_endpoint
from triggers.pipelines.sla_flow import prefect_sla

Capture = pytest.CaptureFixture[str]
POOL = "sla-team"
WITHOUT_CLOUD = "SLA configuration is currently only supported on Prefect Cloud."
ETL = """
import time
from prefect import flow

@flow(name="{name}")
def etl(seconds: float = 0) -> None:
    "Extract, transform, load."
    time.sleep(seconds)

@flow(name="{name}-other")
def other() -> None:
    "Something else."
"""
SLAS = [
    {"name": "time-to-completion", "duration": 1, "severity": "high"},
    {"name": "lateness", "within": 600, "severity": "critical"},
    {"name": "frequency", "stale_after": 20, "severity": "moderate"},
]


@dataclass
class Project:
    """A team's folder with a flow and a prefect.yaml, on the shared server."""

    server: PrefectServer
    client: SyncPrefectClient
    folder: Path
    capture: Capture
    name: str

    @property
    def rule(self) -> str:
        return f"sla-{self.name}"

    @property
    def nightly(self) -> str:
        return f"{self.name}/nightly"

    def write(self, slas: list[dict[str, Any]], **settings: Any) -> None:
        (self.folder / "etl.py").write_text(ETL.format(name=self.name))
        pool = {"name": POOL}
        nightly: dict[str, Any] = {"name": "nightly", "entrypoint": "etl.py:etl", "work_pool": pool}
        other = {"name": "other", "entrypoint": "etl.py:other", "work_pool": pool}
        schedules = [{"cron": "0 6 1 1 *", "timezone": "UTC"}]
        data = {
            "name": self.name,
            "definitions": {"sla": {"work_pool": pool, "schedules": schedules, **settings}},
            "deployments": [{**nightly, **({"sla": slas} if slas else {})}, other],
        }
        (self.folder / "prefect.yaml").write_text(yaml.safe_dump(data, sort_keys=False))

    def sentinel(self, *arguments: str) -> str:
        get_settings.cache_clear()
        self.capture.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main(list(arguments))
        out, err = self.capture.readouterr()
        assert exit_.value.code == 0, f"{out}\n{err}"
        return out

    def names(self) -> set[str]:
        return {item.name for item, _ in self.deployed() if item.name == self.rule}

    def deployed(self) -> list[tuple[DeploymentResponse, str]]:
        """Its deployments, each with its flow's name; others have nightly ones, too."""
        ours = (self.name, f"{self.name}-other")
        return [
            (item, flow_name)
            for item, flow_name in all_deployments(self.client)
            if flow_name in ours or item.name == self.rule
        ]

    def scene(self, store: Engine) -> Scene:
        found = self.client.read_deployment_by_name(f"prefect-sla/{self.rule}")
        return Scene(self.client, store, prefect_sla, found)


@pytest.fixture
def project(
    server: PrefectServer,
    store: Engine,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Project]:
    path = list(sys.path)
    for key, value in server.env.items():
        if key not in os.environ:
            monkeypatch.setenv(key, value)
    monkeypatch.chdir(tmp_path)
    with client_of(server) as client, running_here(server):
        make_pool(client, POOL)
        made = Project(server, client, tmp_path, capsys, f"etl-{uuid.uuid4().hex[:6]}")
        yield made
        for item, _ in made.deployed():
            client.delete_deployment(item.id)
    sys.path[:] = path  # loading a flow puts its folder there


def test_the_rule_of_a_file_follows_its_slas(project: Project, store: Engine) -> None:
    project.write(SLAS)
    would = changes(project.sentinel("sla", "deploy", "--dry-run", "--json"))
    assert would["dry_run"]
    assert [item["name"] for item in would["changed"]] == [project.rule]
    assert project.names() == set()
    made = changes(project.sentinel("sla", "deploy", "--json"))
    assert [item["sentence"] for item in made["changed"]] == ["new"]
    assert "1 unchanged" in project.sentinel("sla", "deploy")
    listed = [
        one
        for one in json.loads(project.sentinel("sla", "list", "--json"))
        if one["rule"] == project.rule
    ]
    assert [(one["sla"], one["importance"], one["state"]) for one in listed] == [
        ("time-to-completion", "high", "not evaluated yet"),
        ("lateness", "critical", "not evaluated yet"),
        ("frequency", "medium", "not evaluated yet"),
    ]
    project.scene(store).run(0)  # the watched deployment is not deployed
    assert f"{project.nightly}  lateness" in project.sentinel("sla", "list")
    assert "not checked" in project.sentinel("sla", "list")
    project.write([])
    assert f"{project.rule}: removed" in project.sentinel("sla", "deploy")
    assert "no SLAs: nothing was changed" in project.sentinel("sla", "deploy")
    assert project.names() == set()


def test_removing_the_rule_of_a_file_is_no_error_when_it_is_not_there(project: Project) -> None:
    project.write(SLAS)
    sla = {"deployment": project.nightly, "name": "frequency", "stale_after": 20}
    with contextlib.chdir(ROOT):
        deploy(
            project.client,
            rule_yaml(project.rule, "flows/pipelines.py:prefect_sla", {"slas": [sla]}, pool=POOL),
        )
    assert "1 rule would be removed" in project.sentinel("sla", "remove", "--dry-run")
    removed = changes(project.sentinel("sla", "remove", "--json"))
    assert [item["sentence"] for item in removed["changed"]] == ["removed"]
    assert f"{project.rule}: is not deployed" in project.sentinel("sla", "remove", project.rule)
    assert project.names() == set()


@pytest.mark.slow
def test_rules_deploy_takes_a_file_that_plain_prefect_deploy_does_not_finish(
    project: Project,
) -> None:
    project.write(SLAS)
    done = project.server.prefect("--no-prompt", "deploy", "--all", check=False, cwd=project.folder)
    assert done.returncode == 1
    there = {f"{name}/{item.name}" for item, name in project.deployed()}
    assert there == {project.nightly}, "Prefect stops at the first deployment with SLAs"
    said = project.sentinel("rules", "deploy", "--yes", "--no-gate")
    assert f"{project.rule}: new" in said
    assert {item.name for item, _ in project.deployed()} == {"nightly", "other", project.rule}
    again = project.sentinel("rules", "deploy", "--yes", "--no-gate")
    assert "3 unchanged" in again


@pytest.fixture
def slack() -> Iterator[Slack]:
    with slack_endpoint() as running:
        yield running


@pytest.mark.slow
def test_each_kind_of_sla_is_violated_reported_and_kept_again(
    project: Project, store: Engine, slack: Slack
) -> None:
    channel = incoming_webhook(slack.url.partition("/services")[0])
    route = {"channel": channel, "resolved": True}
    routes = {"critical": [route], "high": [route], "medium": [route]}
    project.write(SLAS, parameters={"notify": routes})
    done = project.server.prefect(
        "--no-prompt", "deploy", "--name", "nightly", check=False, cwd=project.folder
    )
    assert (done.returncode, WITHOUT_CLOUD in done.stdout) == (1, True), done.stdout
    deployment = project.client.read_deployment_by_name(project.nightly)
    project.sentinel("sla", "deploy")
    scene, team = project.scene(store), Team(project.client)
    minutes = iter(range(1_000))

    def evaluated() -> dict[str, list[Any]]:
        """One more evaluation; the resolution of each event so far, by SLA."""
        scene.run(next(minutes))
        ends: dict[str, list[Any]] = {}
        for kind, ticker, end in scene.events():
            assert kind == "alert"
            ends.setdefault(ticker.rpartition(": ")[2], []).append(end)
        return ends

    ten_minutes_ago = server_time(project.client) - timedelta(seconds=660)
    late = project.client.create_flow_run_from_deployment(
        deployment.id, state=Scheduled(scheduled_time=ten_minutes_ago)
    )
    assert evaluated()["lateness"] == [None]
    team.run(_flow(project), deployment.id, seconds=1.5)
    assert evaluated()["time-to-completion"] == [None]
    wait_for(
        lambda: evaluated().get("frequency") == [None],
        what="no run to complete in time",
        seconds=180,
        every=2,
    )
    project.client.delete_flow_run(late.id)
    team.run(_flow(project), deployment.id, seconds=0)
    ended = wait_for(
        lambda: _all_resolved(evaluated), what="the SLAs to be kept again", seconds=180
    )
    assert ended == {sla["name"]: ["recovered"] for sla in SLAS}
    assert {row["importance"] for row in scene.rows("alert_event")} == {
        "critical",
        "high",
        "medium",
    }
    for sla in SLAS:
        about = [text for text in slack.texts() if f"{project.nightly}: {sla['name']}" in text]
        assert ["resolved after" in text for text in about] == [False, True], about


def _all_resolved(evaluated: Callable[[], dict[str, list[Any]]]) -> dict[str, list[Any]] | None:
    ends = evaluated()
    return ends if len(ends) == 3 and all(end[-1] for end in ends.values()) else None


def _flow(project: Project) -> Any:
    @flow(name=project.name)
    def etl(seconds: float = 0) -> None:
        time.sleep(seconds)

    return etl
