"""`sentinel rules` and `sentinel db` against a real Prefect server, as a user runs them."""

import json
import os
import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.responses import DeploymentResponse
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Failed
from prefect_email import EmailServerCredentials
from prefect_slack import SlackWebhook
from pydantic import SecretStr
from sqlalchemy import select

from sentinel_core.base.settings import get_settings
from sentinel_core.cli import main
from sentinel_core.model.rule import RuleSettings
from sentinel_core.prefect_io.facts import read_rule
from sentinel_core.store.db.engine import open_engine, reading
from sentinel_core.store.db.tables import AUDIT, RULE
from tests.support.command import changes
from tests.support.faulty_prefect import faulty_prefect
from tests.support.prefect import PrefectServer, client_of, make_pool
from tests.support.processes import BIN, ROOT
from tests.support.recorded import fire
from tests.support.runs import rows

DISK = "flows/system.py:disk_usage"
POOL = "rules-cli"
SET_FOLDER = "prefect.deployments.steps.set_working_directory"
Capture = pytest.CaptureFixture[str]
HOURLY = {"cron": "0 * * * *", "timezone": "UTC"}
PLAIN_FLOW = """
from prefect import flow

@flow
def tidy(days: int = 30) -> None:
    pass  # no description, which Prefect's first deploy writes down as the word None
"""

TELLING_FLOW = """
from prefect import flow
from sentinel_core.model.routing import Routes

@flow
def tells(notify: Routes = Routes()) -> None:
    "A flow that is no rule and tells people all the same."
"""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


class Project:
    """One user's rule file and event store, on the shared server."""

    def __init__(self, client: SyncPrefectClient, folder: Path, capture: Capture) -> None:
        self.client = client
        self.folder = folder
        self.capture = capture
        self.file = folder / "prefect.yaml"
        self.tag = uuid.uuid4().hex[:6]

    def rule(self, name: str, **keys: Any) -> dict[str, Any]:
        parameters = keys.pop("parameters", {"check": {"path": "/", "threshold": 90}})
        return {
            "name": self.name(name),
            "entrypoint": DISK,
            "work_pool": {"name": POOL},
            "schedules": [HOURLY],
            "parameters": parameters,
            # a pull step of its own keeps this project apart from others on the server
            "pull": [{SET_FOLDER: {"directory": str(self.folder)}}],
            **keys,
        }

    def name(self, name: str) -> str:
        return f"{name}-{self.tag}"

    def write(self, *deployments: dict[str, Any]) -> None:
        self.file.write_text(yaml.safe_dump({"deployments": list(deployments)}), "utf-8")

    def sentinel(self, *arguments: str, check: bool = True) -> Done:
        """Run a command in this process: the imports of a new one would take most of the time."""
        get_settings.cache_clear()
        self.capture.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main(list(arguments))
        out, err = self.capture.readouterr()
        assert not check or exit_.value.code == 0, f"{out}\n{err}"
        return Done(int(str(exit_.value.code)), out, err)

    def deploy(self, *flags: str, check: bool = True) -> Done:
        return self.sentinel("rules", "deploy", str(self.file), *flags, check=check)

    def get(self, name: str, flow: str = "disk-usage") -> DeploymentResponse:
        return self.client.read_deployment_by_name(f"{flow}/{self.name(name)}")

    def names(self) -> set[str]:
        found = self.client.read_deployments(limit=200)
        return {item.name.rpartition("-")[0] for item in found if item.name.endswith(self.tag)}


@pytest.fixture(scope="module")
def client(server: PrefectServer) -> Iterator[SyncPrefectClient]:
    """This process as a user's shell: its environment names the server."""
    path, environment = list(sys.path), dict(os.environ)
    os.environ.update(server.env)
    with client_of(server) as connected:
        make_pool(connected, POOL)
        yield connected
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = path  # loading a flow puts its folder there


@pytest.fixture
def project(client: SyncPrefectClient, tmp_path: Path, capsys: Capture) -> Iterator[Project]:
    made = Project(client, tmp_path, capsys)
    yield made
    for item in client.read_deployments(limit=200):
        if item.name.endswith(made.tag):
            client.delete_deployment(item.id)


def test_deploying_the_same_file_twice_changes_nothing(project: Project) -> None:
    flow_file = project.folder / "tidying.py"
    flow_file.write_text(PLAIN_FLOW)
    project.write(
        project.rule("cron", tags=["b", "a"], description="Disk."),
        project.rule(
            "everything",
            schedules=[
                {"interval": 300, "timezone": "Europe/Paris", "slug": "often"},
                {
                    "cron": "5 4 * * 1-5",
                    "slug": "nightly",
                    "parameters": {"check": {"threshold": 50}},
                },
                {"rrule": "FREQ=DAILY;INTERVAL=2", "slug": "rare"},
            ],
            parameters={
                "check": {"threshold": 90.0},
                "importance": "low",
                "display_duration_minutes": 5,
            },
            concurrency_limit={"limit": 1, "collision_strategy": "CANCEL_NEW"},
            work_pool={
                "name": POOL,
                "work_queue_name": "urgent",
                "job_variables": {"env": {"A": "1"}},
            },
            version="7",
        ),
        project.rule("plain", entrypoint=f"{flow_file}:tidy", parameters={"days": 3}),
    )
    first = project.deploy()
    assert "3 new" in first.stdout
    before = [project.get("cron"), project.get("everything"), project.get("plain", "tidy")]
    second = project.deploy()
    names = ", ".join(project.name(each) for each in ("cron", "everything", "plain"))
    assert f"unchanged: {names}" in second.stdout.splitlines()
    after = [project.get("cron"), project.get("everything"), project.get("plain", "tidy")]
    assert [item.model_dump() for item in after] == [item.model_dump() for item in before]


def test_plain_prefect_deploy_of_the_same_file_leaves_nothing_to_change(
    project: Project, server: PrefectServer
) -> None:
    project.write(project.rule("plain"))
    plain = ("--no-prompt", "deploy", "--all", "--prefect-file", str(project.file))
    server.prefect(*plain)
    before = project.get("plain").id
    server.prefect(*plain)
    assert project.get("plain").id == before
    assert len(project.get("plain").schedules) == 1
    assert f"unchanged: {project.name('plain')}" in project.deploy().stdout


def test_an_edited_rule_takes_effect_and_every_change_is_named(project: Project) -> None:
    project.write(project.rule("edited"))
    project.deploy()
    project.write(
        project.rule(
            "edited",
            parameters={"check": {"path": "/", "threshold": 42}},
            schedules=[{"cron": "*/10 * * * *", "timezone": "UTC"}],
        )
    )
    told = project.deploy().stdout
    assert "parameters.check.threshold: 90 -> 42" in told
    assert "schedules[0]: every hour -> every 10 minutes" in told
    edited = project.get("edited")
    assert edited.parameters["check"]["threshold"] == 42
    assert [item.schedule.cron for item in edited.schedules] == ["*/10 * * * *"]  # type: ignore[union-attr]


def test_an_invalid_rule_is_refused_before_anything_is_deployed(project: Project) -> None:
    bad = {"check": {"threshold": "plenty"}}
    project.write(project.rule("good"), project.rule("bad", parameters=bad))
    done = project.deploy(check=False)
    assert done.returncode == 1
    assert f"{project.name('bad')}: parameters.check.threshold: expected" in done.stderr
    assert "'plenty'" in done.stderr
    assert "Traceback" not in done.stderr
    assert project.names() == set()


def test_a_dry_run_says_what_would_change_and_changes_nothing(project: Project) -> None:
    project.write(project.rule("dry"))
    told = project.deploy("--dry-run").stdout
    assert f"{project.name('dry')}: new" in told
    assert "nothing was changed" in told
    assert project.names() == set()


@pytest.mark.slow
def test_pauses_made_in_the_ui_survive_a_change_of_the_rule(project: Project) -> None:
    schedules = [HOURLY, {"cron": "30 6 * * *", "timezone": "UTC"}]
    project.write(project.rule("paused"), project.rule("half", schedules=schedules))
    project.deploy()
    client = project.client
    client.pause_deployment(project.get("paused").id)
    half = project.get("half")
    six = next(item for item in half.schedules if item.schedule.cron.startswith("30"))  # type: ignore[union-attr]
    client.update_deployment_schedule(half.id, six.id, active=False)

    lower = {"check": {"threshold": 10}}
    project.write(
        project.rule("paused", parameters=lower),
        project.rule("half", parameters=lower, schedules=schedules),
    )
    told = project.deploy().stdout
    assert f"{project.name('paused')}: changes, stays paused" in told
    assert project.get("paused").paused
    assert project.get("paused").parameters == lower
    active = {item.schedule.cron: item.active for item in project.get("half").schedules}  # type: ignore[union-attr]
    assert active == {"0 * * * *": True, "30 6 * * *": False}

    project.write(project.rule("paused", parameters=lower, paused=False))
    again = project.deploy().stdout
    assert "paused: True -> False" in again
    assert not project.get("paused").paused, "the file has the last word when it says something"


@pytest.mark.slow
def test_a_paused_rule_is_never_resumed_not_even_while_it_is_deployed(
    project: Project, server: PrefectServer
) -> None:
    every_second = {"schedules": [{"interval": 1}]}
    project.write(project.rule("never", paused=True, **every_second))
    project.deploy()
    deployment_id = project.get("never").id
    seen: set[bool] = set()
    done = threading.Event()

    def watch() -> None:
        with httpx.Client() as http:
            while not done.is_set():
                answer = http.get(f"{server.api_url}/deployments/{deployment_id}")
                seen.add(answer.json()["paused"])
                time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        low = {"check": {"threshold": 1}}
        project.write(project.rule("never", parameters=low, **every_second))
        assert "parameters.check.threshold: 90 -> 1" in project.deploy().stdout
    finally:
        done.set()
        watcher.join()
    assert seen == {True}
    runs = project.client.read_flow_runs(limit=200)
    assert [run for run in runs if run.deployment_id == deployment_id] == []


@pytest.mark.slow
def test_edits_made_in_the_ui_are_named_before_they_are_lost(project: Project) -> None:
    project.write(project.rule("ui", description="From the file."))
    project.deploy()
    deployment = project.get("ui")
    project.client.request(
        "PATCH",
        "/deployments/{id}",
        path_params={"id": deployment.id},
        json={"description": "By hand.", "tags": ["urgent"], "parameters": {"check": {}}},
    )
    told = project.deploy().stdout
    assert "description: 'By hand.' -> 'From the file.'" in told
    assert "tags: ['urgent'] -> []" in told
    assert "parameters.check.threshold: nothing -> 90" in told
    assert project.get("ui").description == "From the file."


@pytest.mark.slow
def test_schedules_the_file_no_longer_has_are_removed(project: Project) -> None:
    slugged = [{**HOURLY, "slug": "a"}, {"cron": "1 1 * * *", "slug": "b"}]
    project.write(
        project.rule("emptied"),
        project.rule("slugs", schedules=slugged),
        project.rule("unslugged", schedules=slugged),
    )
    project.deploy()
    project.write(
        project.rule("emptied", schedules=[]),
        project.rule("slugs", schedules=slugged[:1]),
        project.rule("unslugged", schedules=[HOURLY]),
    )
    project.deploy()
    assert project.get("emptied").schedules == []
    assert [item.slug for item in project.get("slugs").schedules] == ["a"]
    assert [item.slug for item in project.get("unslugged").schedules] == [None]


def test_when_one_deployment_fails_midway_all_are_put_back(project: Project) -> None:
    project.write(project.rule("first", description="Before."))
    project.deploy()
    before = project.get("first")
    broken = {"name": POOL, "job_variables": {"env": "no mapping"}}
    project.write(
        project.rule("first", description="After.", schedules=[{"cron": "7 7 * * *"}]),
        project.rule("second"),
        project.rule("third", work_pool=broken),
    )
    done = project.deploy(check=False)
    assert done.returncode == 1
    assert f"{project.name('third')}: Prefect could not deploy it" in done.stderr
    assert "put back as they were" in done.stderr
    assert project.name("first") in done.stderr
    assert project.names() == {"first"}
    after = project.get("first")
    ours = {"id", "updated", "schedules", "version_id", "updated_by"}
    assert after.model_dump(exclude=ours) == before.model_dump(exclude=ours)
    assert [s.schedule for s in after.schedules] == [s.schedule for s in before.schedules]
    assert after.id == before.id


@pytest.mark.slow
def test_schedules_that_were_deleted_before_a_deploy_failed_are_put_back(project: Project) -> None:
    """Only its schedules differ then: Prefect had not come to this deployment yet."""
    before = [{"cron": "0 * * * *", "slug": "hourly"}, {"cron": "0 0 * * *", "slug": "daily"}]
    project.write(project.rule("second", schedules=before))
    project.deploy()
    broken = {"name": POOL, "job_variables": {"env": "no mapping"}}
    after = [{"cron": "7 7 * * *", "slug": "another"}]
    project.write(project.rule("first", work_pool=broken), project.rule("second", schedules=after))
    done = project.deploy(check=False)
    assert f"{project.name('first')}: Prefect could not deploy it" in done.stderr
    assert f"put back as they were: {project.name('second')}" in done.stderr
    assert {item.slug for item in project.get("second").schedules} == {"hourly", "daily"}


@pytest.mark.slow
def test_only_rules_of_this_project_are_pruned(project: Project, server: PrefectServer) -> None:
    elsewhere = [{SET_FOLDER: {"directory": "/elsewhere"}}]
    project.write(project.rule("stays"), project.rule("goes"))
    project.deploy()
    other = project.folder / "other.yaml"
    foreign = project.rule("foreign", pull=elsewhere)
    other.write_text(yaml.safe_dump({"deployments": [foreign]}))
    server.prefect("--no-prompt", "deploy", "--all", "--prefect-file", str(other))

    project.write(project.rule("stays"))
    told = project.deploy().stdout
    assert f"{project.name('goes')}: not in the file, still deployed and running" in told
    left_alone = next(line for line in told.splitlines() if line.startswith("left alone"))
    assert project.name("foreign") in left_alone
    assert project.names() == {"stays", "goes", "foreign"}
    assert f"{project.name('goes')}: removed" in project.deploy("--prune").stdout
    assert project.names() == {"stays", "foreign"}
    listed = json.loads(project.sentinel("rules", "list", "--json").stdout)
    mine = {row["rule"]: row["active"] for row in listed if row["rule"].endswith(project.tag)}
    assert mine[project.name("goes")] == "not deployed"
    assert mine[project.name("stays")] == "active"

    project.write(project.rule("stays"), project.rule("foreign"))
    told = project.deploy().stdout
    before = "warning: deployed with other pull steps before:"
    assert f"{before} {project.name('foreign')}." in told


@pytest.mark.slow
def test_the_event_store_knows_a_rule_before_its_first_run(project: Project) -> None:
    project.write(project.rule("known", parameters={"check": {}, "importance": "critical"}))
    project.deploy()
    status = json.loads(project.sentinel("db", "status", "--json").stdout)
    assert status["revision"] == status["needed"]
    assert status["rows"]["alert_rule"] >= 1
    rows = json.loads(project.sentinel("rules", "list", "--json").stdout)
    row = next(row for row in rows if row["rule"] == project.name("known"))
    assert (row["importance"], row["trigger"]) == ("critical", "disk-usage")
    assert row["schedule"] == "every hour"
    assert row["last_run"] is None
    table = project.sentinel("rules", "list").stdout
    assert "every hour" in table


def test_rules_are_listed_by_name_state_and_order(project: Project) -> None:
    project.write(
        project.rule("low", parameters={"check": {}, "importance": "low", "category": "A"}),
        project.rule("top", parameters={"check": {}, "importance": "critical", "category": "B"}),
        project.rule("off", paused=True, parameters={"check": {}, "importance": "high"}),
    )
    deployed = changes(project.deploy("--json").stdout)
    assert [item["name"] for item in deployed["changed"]] == [
        project.name(name) for name in ("low", "top", "off")
    ]
    assert (deployed["ok"], deployed["dry_run"]) == (True, False)

    def listed(*options: str) -> list[str]:
        done = project.sentinel("rules", "list", f"*-{project.tag}", *options, "--json")
        return [row["rule"].rpartition("-")[0] for row in json.loads(done.stdout)]

    assert listed() == ["low", "off", "top"]
    assert listed("--sort", "importance") == ["top", "off", "low"]
    assert listed("--sort", "importance", "--reverse") == ["low", "off", "top"]
    assert listed("--state", "paused") == ["off"]
    assert listed("--category", "?", "--importance", "critical") == ["top"]
    assert listed("--last-state", "Failed") == []
    assert listed("--sort", "last-run") == ["low", "off", "top"]
    assert "none of" in project.sentinel("rules", "list", "no-such-*").stdout
    low = project.get("low").id
    project.client.create_flow_run_from_deployment(low, state=Failed(message="no"))
    assert listed("--last-state", "fail*") == ["low"]
    assert listed("--sort", "last-run") == ["low", "off", "top"]
    assert project.sentinel("rules", "list", "--sort", "size", check=False).returncode == 2


@pytest.mark.slow
def test_on_a_terminal_of_80_columns_a_rule_is_one_line(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(project.rule("prometheus-error-rate-high"))
    project.deploy()
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    shown = project.sentinel("rules", "list", f"*-{project.tag}").stdout
    [header, row] = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
    assert row.startswith(f"{project.name('prometheus-error-rate-high')} ")
    assert max(len(header), len(row)) <= 80
    assert header.split() == ["rule", "importance", "active", "last", "state", "last", "run"]


def test_rules_are_paused_and_resumed_and_that_is_signed(project: Project) -> None:
    project.write(project.rule("one"), project.rule("two"), project.rule("off", paused=True))
    project.deploy()
    pattern = f"*-{project.tag}"
    paused = project.sentinel("rules", "pause", pattern, "--by", "ana", "--comment", "moving")
    assert paused.stdout.splitlines() == [
        f"{project.name('off')}: was paused already",
        f"{project.name('one')}: paused",
        f"{project.name('two')}: paused",
    ]
    assert project.get("one").paused
    with reading(open_engine(get_settings().database_url)) as connection:
        entries = connection.execute(select(AUDIT).order_by(AUDIT.c.id)).mappings().all()
        active = dict(connection.execute(select(RULE.c.name, RULE.c.is_active)).tuples().all())
    assert [(row["actor"], row["action"], row["detail"]) for row in entries] == [
        ("ana", "rule-paused", {"rule": project.name(name), "comment": "moving"})
        for name in ("one", "two")
    ]
    assert not active[project.name("one")]
    resumed = project.sentinel("rules", "resume", project.name("one"), "--json")
    [change] = json.loads(resumed.stdout)["changed"]
    assert change == {"name": project.name("one"), "sentence": "resumed"}
    assert not project.get("one").paused
    again = json.loads(project.sentinel("rules", "resume", project.name("one"), "--json").stdout)
    assert [item["code"] for item in again["unchanged"]] == ["already"]


@pytest.mark.slow
def test_rules_that_were_paused_before_an_error_are_signed_and_named(
    project: Project, server: PrefectServer
) -> None:
    project.write(project.rule("one"), project.rule("two"))
    project.deploy()
    with faulty_prefect(server.api_url) as faulty:
        faulty.fails = f"/deployments/{project.get('two').id}"
        with temporary_settings({PREFECT_API_URL: faulty.api_url}):
            done = project.sentinel("rules", "pause", f"*-{project.tag}", check=False)
    assert done.returncode == 1
    assert f"Already paused: {project.name('one')}." in " ".join(done.stderr.split())
    with reading(open_engine(get_settings().database_url)) as connection:
        signed = [row["rule"] for row in connection.scalars(select(AUDIT.c.detail))]
    assert (signed, project.get("two").paused) == ([project.name("one")], False)


@pytest.mark.slow
def test_a_rule_whose_schedules_were_paused_is_resumed(project: Project) -> None:
    project.write(project.rule("one"))
    project.deploy()
    item = project.get("one")
    project.client.update_deployment_schedule(item.id, item.schedules[0].id, active=False)
    assert "resumed" in project.sentinel("rules", "resume", project.name("one")).stdout
    assert project.get("one").schedules[0].active


@pytest.mark.slow("arguments0", "arguments2", "arguments3")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name at least one rule"),
        (("no-such-rule",), "no deployed rule is named 'no-such-rule'"),
        (("\x1b[31m*",), "no deployed rule is named"),
        (("*", "--by", " "), "--by is empty"),
    ],
)
def test_what_can_not_be_paused_is_refused(
    project: Project, arguments: tuple[str, ...], words: str
) -> None:
    project.write(project.rule("one"))
    project.deploy()
    done = project.sentinel("rules", "pause", *arguments, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert "\x1b" not in done.stderr
    assert not project.get("one").paused


@pytest.mark.slow
def test_without_a_store_to_sign_in_nothing_is_paused(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project.write(project.rule("one"))
    project.deploy()
    monkeypatch.setenv("SENTINEL_DATABASE_URL", f"sqlite:///{tmp_path / 'none.db'}")
    done = project.sentinel("rules", "pause", project.name("one"), check=False)
    assert "there is no event store" in done.stderr
    assert not project.get("one").paused


@pytest.mark.slow
def test_rules_are_deployed_although_the_event_store_is_away(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(project.rule("away"))
    nowhere = "postgresql://nobody:geheim@127.0.0.1:9/none"
    monkeypatch.setenv("SENTINEL_DATABASE_URL", nowhere)
    done = project.deploy()
    assert "note: the rules are deployed, but the event store" in done.stderr
    assert "geheim" not in done.stderr + done.stdout
    assert project.names() == {"away"}


def test_a_block_that_does_not_exist_is_named_with_what_to_do(project: Project) -> None:
    notify = {"high": ["slack-incoming-webhook/alerts-critical"]}
    project.write(project.rule("loud", parameters={"check": {}, "notify": notify}))
    done = project.sentinel("rules", "check", str(project.file), check=False)
    assert done.returncode == 1
    assert "unknown notification block slack-incoming-webhook/alerts-critical" in done.stderr
    assert "no block 'alerts-critical' of the type 'slack-incoming-webhook'" in done.stderr


def test_channels_are_looked_for_wherever_a_rule_names_them(project: Project) -> None:
    email = {"channel": "email-server-credentials/none", "to": "ops@example.org"}
    step = {"after_seconds": 60, "channels": ["pager-duty-webhook/none"]}
    plain = project.folder / "telling.py"
    plain.write_text(TELLING_FLOW)
    project.write(
        project.rule(
            "loud",
            parameters={"check": {}, "notify": {"low": [email]}, "escalation": [step]},
        ),
        project.rule(
            "tells",
            entrypoint=f"{plain}:tells",
            parameters={"notify": {"high": ["slack-incoming-webhook/none"]}},
        ),
    )
    done = project.sentinel("rules", "check", str(project.file), check=False)
    for place, slug in {
        "loud-x: parameters.notify.low[0].channel": email["channel"],
        "loud-x: parameters.escalation[0].channels[0]": "pager-duty-webhook/none",
        "tells-x: parameters.notify.high[0]": "slack-incoming-webhook/none",
    }.items():
        told = place.replace("-x", f"-{project.tag}")
        assert f"{told}: unknown notification block {slug}" in done.stderr


def test_an_email_server_without_anybody_to_write_from_is_a_warning(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"m{project.tag}"
    EmailServerCredentials(smtp_server="mail.example.org").save(name, _sync=True)
    try:
        route = {"channel": f"email-server-credentials/{name}", "to": "ops@example.org"}
        parameters = {"check": {}, "notify": {"high": [route]}}
        project.write(project.rule("mails", parameters=parameters))
        done = project.sentinel("rules", "check", str(project.file))
        assert "warning: " in done.stderr
        assert "set SENTINEL_EMAIL_FROM in the environment of the worker" in done.stderr
        monkeypatch.setenv("SENTINEL_EMAIL_FROM", "sentinel@example.org")
        done = project.sentinel("rules", "check", str(project.file))
        assert "SENTINEL_EMAIL_FROM" not in done.stderr
    finally:
        EmailServerCredentials.delete(name, _sync=True)


@pytest.mark.slow
def test_what_is_told_how_arrives_in_prefect_as_written(project: Project) -> None:
    """Routes as objects, addresses as text, templates with Prefect's own placeholders in them."""
    slack = f"slack-incoming-webhook/t{project.tag}"
    SlackWebhook(url=SecretStr("https://hooks.example.org/x")).save(slack.split("/")[1], _sync=True)
    EmailServerCredentials(username="a@example.org").save(f"t{project.tag}", _sync=True)
    email = f"email-server-credentials/t{project.tag}"
    try:
        parameters = {
            "check": {"path": "/", "threshold": 90},
            "notify": {
                "high": [
                    {"channel": slack, "storm": None, "group_by": []},
                    {"channel": email, "to": "ops@example.org,dev@example.org"},
                ]
            },
            "escalation": [{"after_seconds": 600, "channels": [slack]}],
            "suggestions": {"timeout": "raise the timeout"},
            "templates": {"slack": {"title": "{{ event.rule }} {{ event.ticker|upper }}"}},
        }
        project.write(project.rule("told", parameters=parameters))
        project.deploy()
        kept = project.get("told").parameters
        assert kept["templates"]["slack"]["title"] == (
            "{{ (event.rule) }} {{ event.ticker|upper }}"
        )
        assert kept["notify"] == parameters["notify"]
        settings = RuleSettings.model_validate(kept)
        assert [route.channel for route in settings.notify.high] == [slack, email]
        assert settings.notify.high[1].to == ("ops@example.org", "dev@example.org")
        again = project.deploy()
        assert again.stdout.splitlines()[-1] == "1 unchanged"
    finally:
        SlackWebhook.delete(slack.split("/")[1], _sync=True)
        EmailServerCredentials.delete(f"t{project.tag}", _sync=True)


def test_a_missing_work_pool_is_named_with_the_command_to_make_it(project: Project) -> None:
    project.write(project.rule("poolless", work_pool={"name": "no-such-pool"}))
    done = project.deploy(check=False)
    assert done.returncode == 1
    assert "prefect work-pool create no-such-pool --type sentinel" in done.stderr


@pytest.mark.slow
def test_without_prefect_there_is_a_sentence_and_no_traceback(
    project: Project, server: PrefectServer
) -> None:
    project.write(project.rule("lost"))
    nobody = {"PREFECT_API_URL": "http://127.0.0.1:9/api"}
    checked = server.run("sentinel", "rules", "check", str(project.file), **nobody)
    assert "were not checked" in checked.stderr
    for env in (nobody, {"PREFECT_API_URL": "", "PREFECT_PROFILE": "ephemeral"}):
        done = server.run("sentinel", "rules", "deploy", str(project.file), check=False, **env)
        assert done.returncode == 1
        assert "PREFECT_API_URL" in done.stderr
        assert "Traceback" not in done.stderr


def test_testing_a_rule_shows_its_output_and_records_nothing(project: Project) -> None:
    project.write(project.rule("tried", parameters={"check": {"threshold": 100}}))
    name, file = project.name("tried"), ("--file", str(project.file))
    done = project.sentinel("rules", "test", name, *file)
    assert "0 of 1 series triggered" in done.stdout
    assert "nothing was recorded" in done.stdout
    fired = project.sentinel("rules", "test", name, *file, "--param", "check.threshold=0", "--json")
    (output,) = json.loads(fired.stdout)
    assert output["triggered"] is True
    assert output["metrics"]["threshold"] == 0
    assert output["metrics"]["value"] > 0
    assert not (project.folder / "sentinel.db").exists()


def test_a_check_that_fails_exits_with_one_and_one_sentence(project: Project) -> None:
    project.write(project.rule("broken", parameters={"check": {"path": "/does/not/exist"}}))
    name, file = project.name("broken"), ("--file", str(project.file))
    done = project.sentinel("rules", "test", name, *file, check=False)
    assert done.returncode == 1
    assert "the check failed: FileNotFoundError" in done.stderr
    assert "triggers/sources/disks.py" in done.stderr
    assert "Traceback" not in done.stderr
    typo = project.sentinel("rules", "test", name[:-1], *file, check=False)
    assert f"did you mean {name}?" in typo.stderr
    wrong = project.sentinel("rules", "test", name, *file, "--param", "threshold=1", check=False)
    assert "did you mean check.threshold?" in wrong.stderr


@pytest.mark.slow
def test_usage_errors_exit_with_two(server: PrefectServer) -> None:
    assert server.run("sentinel", "rules", "tset", check=False).returncode == 2
    assert server.run("sentinel", "rules", "test", check=False).returncode == 2
    assert server.run("sentinel", "--help").returncode == 0


def test_the_database_commands_make_a_store_and_only_when_asked(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = project.sentinel("db", "status", check=False)
    assert missing.returncode == 1
    assert "does not exist yet" in missing.stdout
    assert not (project.folder / "sentinel.db").exists()
    assert "none -> " in project.sentinel("db", "upgrade").stdout
    assert "nothing to do" in project.sentinel("db", "upgrade").stdout
    assert "alert_event" in project.sentinel("db", "status").stdout
    monkeypatch.setenv("SENTINEL_DATABASE_URL", "mysql://x")
    bad = project.sentinel("db", "status", check=False)
    assert bad.returncode == 1
    assert "SENTINEL_DATABASE_URL" in bad.stderr


def test_reconcile_says_in_one_sentence_what_to_do_about_a_damaged_store(
    project: Project, _own_store: Path
) -> None:
    project.sentinel("db", "upgrade")
    with _own_store.open("r+b") as raw:
        raw.seek(4096)  # the first page stays: the file opens
        raw.write(os.urandom(_own_store.stat().st_size - 4096))
    for command in (["reconcile"], ["events", "list"], ["db", "status"]):
        done = project.sentinel(*command, check=False)
        assert done.returncode == 1
        assert "the file is damaged" in done.stderr
        assert "Restore it from a backup" in done.stderr
        assert "sqlalche.me" not in done.stderr
        assert "Start it" not in done.stderr


@pytest.mark.slow
def test_events_of_a_rule_that_is_pruned_end_with_it(project: Project, _own_store: Path) -> None:
    project.write(project.rule("stays"), project.rule("goes"))
    project.deploy()
    engine = open_engine(f"sqlite:///{_own_store}")
    rule = read_rule(project.client, project.get("goes").id)
    key = fire(engine, rule, datetime.now(UTC))
    project.write(project.rule("stays"))
    done = project.deploy("--prune", "--no-gate")
    assert f"{project.name('goes')}: removed, so 1 open event of it ended" in done.stdout
    [event] = rows(engine, "alert_event", id=key)
    engine.dispose()
    assert event["resolution"] == "rule-removed"
    shown = project.sentinel("events", "show", str(key)).stdout
    assert "its rule was removed" in shown


def test_testing_a_script_that_fails_shows_why_and_what_it_printed(project: Project) -> None:
    script = project.folder / "check.sh"
    check = {"path": "check.sh", "interpreter": "sh", "working_directory": str(project.folder)}
    entry = {"entrypoint": "flows/custom.py:script", "parameters": {"check": check}}
    project.write(project.rule("script", **entry))
    script.write_text("exit 3")
    silent = project.sentinel("rules", "test", project.name("script"), *_file(project), check=False)
    assert silent.returncode == 1
    assert "the check failed: ScriptError: check.sh ended with exit code 3." in silent.stderr
    assert "It wrote nothing to stderr." in silent.stderr
    script.write_text("echo no such pump >&2; exit 3")
    loud = project.sentinel("rules", "test", project.name("script"), *_file(project), check=False)
    assert "ended with exit code 3." in loud.stderr
    assert "stderr ends with:\nno such pump" in loud.stderr


@pytest.mark.slow
def test_running_all_rules_leaves_those_that_are_due_soon_to_their_schedules(
    project: Project,
) -> None:
    yearly, minutely = ({"cron": cron, "timezone": "UTC"} for cron in ("0 0 1 1 *", "* * * * *"))
    project.write(
        project.rule("yearly", schedules=[yearly]), project.rule("minutely", schedules=[minutely])
    )
    project.deploy("--no-gate")
    run_all = ("rules", "run", "--all", *_file(project))
    done = project.sentinel(*run_all, "--not-due-within", "61")
    assert done.stdout.splitlines() == [
        f"started {project.name('yearly')}",
        "1 run started; 1 rule due within 61 s anyway",
    ]
    assert project.sentinel(*run_all).stdout.splitlines()[-1] == "2 runs started, 1 s apart"
    said = changes(project.sentinel(*run_all, "--not-due-within", "61", "--json").stdout)
    [started] = said["changed"]
    run = project.client.read_flow_run(started["flow_run_id"])
    assert run.deployment_id == project.get("yearly").id
    assert [(item["name"], item["code"]) for item in said["unchanged"]] == [
        (project.name("minutely"), "due")
    ]


FLOWS = """
from sentinel_core import rule_flow
from triggers.market.price_surge import PriceSurge

price_surge = rule_flow(PriceSurge)
"""
QUOTES = "ticker,time,close,volume\nAAPL,2026-11-27,501,1000\n"


def test_a_project_is_checked_tried_and_deployed_from_any_folder(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its flows and the files of its rules count from the rule file."""
    (project.folder / "flows").mkdir()
    (project.folder / "flows" / "stocks.py").write_text(FLOWS)
    (project.folder / "quotes.csv").write_text(QUOTES)
    check = {"ticker": "AAPL", "threshold": 500, "source": "quotes.csv"}
    entrypoint = "flows/stocks.py:price_surge"
    rule = project.rule("surge", entrypoint=entrypoint, parameters={"check": check})
    del rule["pull"]
    project.write(rule)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert "1 rule, no errors" in project.sentinel("rules", "check", str(project.file)).stdout
    name = project.name("surge")
    tried = project.sentinel("rules", "test", name, *_file(project))
    assert "1 of 1 series triggered" in tried.stdout
    project.deploy("--no-gate")
    deployed = project.get("surge", "price-surge")
    assert deployed.pull_steps == [{SET_FOLDER: {"directory": str(project.folder.resolve())}}]
    assert deployed.entrypoint == entrypoint
    assert "1 unchanged" in project.deploy("--dry-run", "--no-gate").stdout
    replayed = project.sentinel("rules", "replay", name, "--with", str(project.file), check=False)
    assert f"nothing of {name} was recorded" in replayed.stderr
    assert Path.cwd() == tmp_path / "elsewhere"


@pytest.mark.slow
def test_a_deploy_from_elsewhere_goes_to_the_server_that_it_asked(
    project: Project, server: PrefectServer, tmp_path: Path
) -> None:
    """Prefect's settings in the project's folder name another one, which does not answer."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for folder, url in ((elsewhere, server.api_url), (project.folder, "http://127.0.0.1:1/api")):
        (folder / "prefect.toml").write_text(f'[api]\nurl = "{url}"\n')
    (project.folder / "flows").symlink_to(ROOT / "flows")
    project.write(project.rule("there"))
    env = {k: v for k, v in {**os.environ, **server.env}.items() if k != "PREFECT_API_URL"}
    done = subprocess.run(
        [str(BIN / "sentinel"), "rules", "deploy", str(project.file), "--no-gate"],
        cwd=elsewhere,
        env={**env, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.get("there")


def _file(project: Project) -> tuple[str, str]:
    return "--file", str(project.file)
