"""Two deploys at once, and one that is killed: on a real Prefect server, in real processes."""

import os
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient

from sentinel_core.base.errors import DeployTakenError
from sentinel_core.prefect_io import deploy_lease as lease_module
from sentinel_core.prefect_io.deploy_lease import (
    EXPIRES_SECONDS,
    Holder,
    current_holder,
    deploy_lease,
    variable_of,
)
from sentinel_core.prefect_io.unfinished_deploy import mark_of, read_mark, unfinished_note
from tests.support.prefect import PrefectServer, client_of, make_pool
from tests.support.processes import BIN, ROOT, wait_for

POOL = "deploy-lease"
RULES = 6


@pytest.fixture
def client(server: PrefectServer) -> Iterator[SyncPrefectClient]:
    with client_of(server) as client:
        make_pool(client, POOL)
        yield client


@pytest.fixture
def store_variable() -> str:
    """A name of its own for each test, as the settings of this process have it."""
    return os.environ["SENTINEL_STORE_VARIABLE"]


@pytest.fixture
def variable(store_variable: str) -> str:
    return variable_of(store_variable)


def holder(by: str) -> Holder:
    return Holder.me(by, "prefect.yaml")


# -- the lease -----------------------------------------------------------------------------


def test_of_many_who_ask_at_once_one_holds_the_lease(server: PrefectServer, variable: str) -> None:
    held: list[str] = []
    refused: list[str] = []
    asked, all_done = threading.Barrier(8), threading.Event()

    def deploy(name: str) -> None:
        with client_of(server) as mine:
            asked.wait()
            try:
                with deploy_lease(mine, variable, holder(name), 0, lambda _: None):
                    held.append(name)
                    all_done.wait(60)
            except DeployTakenError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=deploy, args=(f"p{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(held) + len(refused) == 8, what="all to have asked", every=0.05)
    all_done.set()
    for thread in threads:
        thread.join()
    assert len(held) == 1
    assert len(refused) == 7


def test_a_second_deploy_is_refused_with_who_holds_it_since_when(
    client: SyncPrefectClient, variable: str
) -> None:
    with deploy_lease(client, variable, holder("ana"), 0, print) as lease:
        with (
            pytest.raises(DeployTakenError) as raised,
            deploy_lease(client, variable, holder("ben"), 0, print),
        ):
            pytest.fail("two held the lease")
        said = str(raised.value)
        assert said.startswith("ana@")
        assert f"has been deploying prefect.yaml since {lease.holder.began_at:%F %T} UTC" in said
        assert "--wait" in said
    assert current_holder(client, variable) is None


def test_a_second_deploy_waits_as_long_as_it_is_asked_to(
    server: PrefectServer, client: SyncPrefectClient, variable: str
) -> None:
    said: list[str] = []
    order: list[str] = []

    def second() -> None:
        with client_of(server) as mine, deploy_lease(mine, variable, holder("b"), 60, said.append):
            order.append("second")

    with deploy_lease(client, variable, holder("ana"), 0, print):
        thread = threading.Thread(target=second)
        thread.start()
        wait_for(lambda: said, what="the second to wait", every=0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert len(said) == 1
    assert "ana@" in said[0]
    assert "waiting for at most 60 s" in said[0]


def test_a_lease_is_taken_over_once_it_was_not_renewed_for_too_long(
    client: SyncPrefectClient, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = holder("ana").model_copy(update={"machine": "another"})
    monkeypatch.setattr(lease_module, "RENEWED_SECONDS", 3_600)
    with deploy_lease(client, variable, elsewhere, 0, print) as lost:
        later = lease_module.server_time(client) + timedelta(seconds=EXPIRES_SECONDS + 1)
        monkeypatch.setattr(lease_module, "server_time", lambda _: later)
        with deploy_lease(client, variable, holder("ben"), 0, print) as taken:
            taken.require()
            with pytest.raises(DeployTakenError, match="another deploy took over"):
                lost.require()
    assert client.read_variable_by_name(variable) is None


def test_a_lease_is_renewed_while_it_is_held(
    client: SyncPrefectClient, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "RENEWED_SECONDS", 0.1)

    def renewed() -> object:
        found = client.read_variable_by_name(variable)
        assert found is not None
        return found.updated

    with deploy_lease(client, variable, holder("ana"), 0, print):
        before = renewed()
        wait_for(lambda: renewed() != before, what="a renewal", every=0.1)


# -- real deploys --------------------------------------------------------------------------


class Project:
    """A folder with a rule file, deployed by processes of their own."""

    def __init__(self, server: PrefectServer, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.file = folder / "prefect.yaml"
        self.log = folder / "deploy.log"
        self.tag = folder.name[-20:].replace("_", "-")

    def write(self, description: str) -> None:
        step = {"prefect.deployments.steps.set_working_directory": {"directory": str(self.folder)}}
        deployments = [
            {
                "name": f"rule-{n}-{self.tag}",
                "description": description,
                "entrypoint": "flows/system.py:disk_usage",
                "work_pool": {"name": POOL},
                "schedules": [{"cron": "0 * * * *"}],
                "parameters": {"check": {"path": "/"}},
                "pull": [step],
            }
            for n in range(RULES)
        ]
        self.file.write_text(yaml.safe_dump({"deployments": deployments}), "utf-8")

    def deploy(self, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(BIN / "sentinel"), "rules", "deploy", "--no-gate", *options, str(self.file)],
            env={**self.server.env, **self.store},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    @property
    def store(self) -> dict[str, str]:
        names = ("SENTINEL_DATABASE_URL", "SENTINEL_STORE_VARIABLE")
        return {name: os.environ[name] for name in names}

    def descriptions(self, client: SyncPrefectClient) -> list[str | None]:
        found = client.read_deployments(limit=200)
        return [item.description for item in found if item.name.endswith(self.tag)]


@pytest.fixture
def project(server: PrefectServer, client: SyncPrefectClient, tmp_path: Path) -> Iterator[Project]:
    project = Project(server, tmp_path)
    yield project
    for item in client.read_deployments(limit=200):
        if item.name.endswith(project.tag):
            client.delete_deployment(item.id)


def in_group(group: int) -> bool:
    """True while there is a process in this group."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_deploy_that_is_killed_is_named_and_finished_by_the_next(
    project: Project, client: SyncPrefectClient, store_variable: str
) -> None:
    project.write("old")
    assert "6 new" in project.deploy().communicate()[0]
    project.write("new")
    with project.deploy() as killed:
        assert killed.stdout is not None
        assert any(": updated" in line for line in killed.stdout)
        killed.kill()
    wait_for(lambda: not in_group(killed.pid), what="Prefect's command to end with it", every=0.1)
    mark = read_mark(client, mark_of(store_variable))
    assert mark is not None
    assert mark.total == RULES
    assert 1 <= mark.done < RULES
    mixed = project.descriptions(client)
    assert {"old", "new"} == set(mixed)

    note = unfinished_note(client, store_variable)
    assert note is not None
    assert f"did not finish: {mark.done} of {RULES} were done" in note
    for command in (["rules", "list"], ["rules", "check", str(project.file)]):
        said = project.server.run("sentinel", *command, **project.store)
        assert f"warning: {note}" in said.stderr

    said = project.deploy().communicate()[0]
    assert f"{mark.sentence()}; this deploy finishes it" in said
    assert project.descriptions(client) == ["new"] * RULES
    assert unfinished_note(client, store_variable) is None
    assert read_mark(client, mark_of(store_variable)) is None


def test_a_deploy_changes_nothing_until_the_one_before_it_has_ended(
    project: Project, client: SyncPrefectClient, variable: str
) -> None:
    project.write("mine")
    with deploy_lease(client, variable, holder("ana"), 0, print):
        refused = project.deploy()
        waits = project.deploy("--wait", "120")
        assert waits.stdout is not None
        assert "waiting for at most 120 s" in waits.stdout.readline()
        said = refused.communicate()[0]
        assert refused.returncode == 1
        assert "ana@" in said
        assert "has been deploying prefect.yaml since" in said
        assert project.descriptions(client) == []
    said = waits.communicate()[0]
    assert f"{RULES} new" in said
    assert project.descriptions(client) == ["mine"] * RULES
