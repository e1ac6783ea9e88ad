"""Teams of all kinds install Sentinel into the Prefect project that they have."""

from pathlib import Path

import pytest

from tests.support.deployed import rows
from tests.support.installed import Installed
from tests.support.prefect import PrefectServer, client_of, make_pool
from tests.support.team import Team

pytestmark = pytest.mark.slow

RULES = """
from sentinel_core import rule_flow
from triggers.system.disk_usage import DiskUsage

disk_usage = rule_flow(DiskUsage)
"""
OWN_TRIGGER = '''
from sentinel_core import AlertOutput, Trigger


class Orders(Trigger):
    """Orders that wait."""

    display_name = "Orders"
    limit: int = 3

    def check(self) -> AlertOutput:
        return AlertOutput(triggered=5 > self.limit, message="5 orders wait", metrics={"n": 5})
'''
OWN_FLOW = '''
from prefect import flow

from flows.shared import greeting


@flow(name="etl-TEAM")
def load() -> str:
    """Loads what the team needs."""
    return greeting()
'''
FILE = """# What the team runs at night; ask Ana before you change it.
deployments:
{own}
  # Sentinel
  - name: TEAM-disk
    entrypoint: flows/machine.py:disk_usage
    work_pool: {{name: TEAM}}
    schedules: []
    parameters: {{check: {{path: /, threshold: 0}}}}
{more}
  - name: reconcile
    entrypoint: sentinel_core.flow.scheduled.reconcile
    pull: []
    work_pool: {{name: TEAM}}
    schedules: []
"""
OWN_DEPLOYMENT = """
  - name: nightly   # its own flow
    entrypoint: flows/etl.py:load
    work_pool: {name: TEAM}
"""
OWN_RULE = """
  - name: TEAM-orders
    entrypoint: flows/machine.py:orders
    work_pool: {name: TEAM}
    schedules: []
    parameters: {check: {limit: 3}}
"""


@pytest.fixture
def team(installed: Installed, server: PrefectServer, tmp_path: Path) -> Team:
    """An empty project with a sentinel pool and an event store."""
    folder = tmp_path / "project"
    folder.mkdir()
    team = Team(installed, server, folder)
    with client_of(server) as client:
        make_pool(client, team.name, "sentinel")
    team.sentinel("db", "upgrade")
    return team


def write(team: Team, files: dict[str, str], own: str = OWN_DEPLOYMENT, more: str = "") -> str:
    """The project's files and its prefect.yaml; returns the latter's text."""
    text = FILE.format(own=own, more=more).replace("TEAM", team.name)
    files = {**files, "prefect.yaml": text}
    team.write({name: content.replace("TEAM", team.name) for name, content in files.items()})
    return text


def events(team: Team) -> list[str]:
    """The rules of the team that have events."""
    with team.store() as engine:
        # Reconcile records the runs of all teams of its server.
        mine = "SELECT rule_name FROM alert_event WHERE rule_name LIKE :name ORDER BY rule_name"
        found = rows(engine, mine, name=f"{team.name}-%")
        return [str(row["rule_name"]) for row in found]


def test_a_project_with_packages_of_its_own_keeps_its_flows_and_gets_rules(
    team: Team, tmp_path: Path
) -> None:
    text = write(
        team,
        {
            "flows/__init__.py": "",
            "flows/shared.py": "def greeting() -> str:\n    return 'good night'\n",
            "flows/etl.py": OWN_FLOW,
            "flows/machine.py": RULES,
        },
    )
    file = team.folder / "prefect.yaml"
    checked = team.sentinel("rules", "check", str(file), cwd=tmp_path)
    assert "1 rule and 2 other deployments, no errors" in checked.stdout
    team.sentinel("rules", "deploy", str(file), "--no-gate", cwd=tmp_path)
    assert file.read_text() == text
    with client_of(team.server) as client:
        for name in (f"disk-usage/{team.name}-disk", f"etl-{team.name}/nightly"):
            [step] = client.read_deployment_by_name(name).pull_steps or []
            assert [*step.values()] == [{"directory": str(team.folder.resolve())}]
    _all_run(team)
    # What Prefect's own command deploys is what is deployed already.
    team.run(*team.installed.prefect("--no-prompt", "deploy", "--all"))
    planned = team.sentinel("rules", "deploy", "--dry-run", "--no-gate").stdout
    assert "3 unchanged; nothing was changed" in planned


def _all_run(team: Team) -> None:
    """Its own flow, its rule and the housekeeping flow, by a worker that started elsewhere."""
    with team.worker() as log:
        assert team.finish(f"etl-{team.name}/nightly").state_name == "Completed", log.read_text()
        assert team.finish(f"disk-usage/{team.name}-disk").state_name == "Triggered"
        assert team.finish("reconcile/reconcile").state_name == "Completed", log.read_text()
    assert events(team) == [f"{team.name}-disk"]


def test_folders_without_init_files_and_triggers_of_the_team_come_together(team: Team) -> None:
    write(
        team,
        {
            "flows/shared.py": "def greeting() -> str:\n    return 'good night'\n",
            "flows/etl.py": OWN_FLOW,
            "flows/machine.py": "from triggers.shop.orders import Orders\n"
            + RULES
            + "orders = rule_flow(Orders)\n",
            "triggers/shop/orders.py": OWN_TRIGGER,
        },
        more=OWN_RULE,
    )
    team.sentinel("rules", "check")
    team.sentinel("rules", "deploy", "--no-gate")
    with team.worker():
        assert team.finish(f"etl-{team.name}/nightly").state_name == "Completed"
        assert team.finish(f"orders/{team.name}-orders").state_name == "Triggered"
        assert team.finish(f"disk-usage/{team.name}-disk").state_name == "Triggered"
    assert events(team) == [f"{team.name}-disk", f"{team.name}-orders"]


def test_a_triggers_package_of_the_team_is_named_and_works_as_advised(team: Team) -> None:
    write(
        team,
        {
            "flows/machine.py": "from triggers.orders import Orders\n"
            + RULES
            + "orders = rule_flow(Orders)\n",
            "triggers/__init__.py": "LIMIT = 3\n",
            "triggers/orders.py": OWN_TRIGGER,
        },
        own="",
        more=OWN_RULE,
    )
    refused = team.sentinel("rules", "check", check=False)
    assert refused.returncode == 1
    init = team.folder / "triggers" / "__init__.py"
    errors = refused.stderr.splitlines()
    assert len(errors) == 2  # a line for each rule of the file
    assert all(f"{init} hides Sentinel's triggers.system: " in line for line in errors)
    init.write_text(f"{errors[0].split('`')[1]}\nLIMIT = 3\n")
    team.sentinel("rules", "deploy", "--no-gate")
    with team.worker():
        assert team.finish(f"orders/{team.name}-orders").state_name == "Triggered"
        assert team.finish(f"disk-usage/{team.name}-disk").state_name == "Triggered"


GIT = """
pull:
  - prefect.deployments.steps.git_clone:
      repository: {repository}
      branch: main
deployments:
  - name: TEAM-disk
    entrypoint: flows/machine.py:disk_usage
    work_pool: {{name: TEAM-stock}}
    schedules: []
    parameters: {{check: {{path: /, threshold: 0}}}}
  - name: reconcile
    entrypoint: sentinel_core.flow.scheduled.reconcile
    pull: []
    work_pool: {{name: TEAM-stock}}
    schedules: []
"""


def test_rules_are_pulled_from_git_by_prefects_own_worker(team: Team, tmp_path: Path) -> None:
    repository = tmp_path / "rules.git"
    text = GIT.format(repository=repository).replace("TEAM", team.name)
    team.write({"flows/machine.py": RULES, "prefect.yaml": text})
    _push(team, repository)
    with client_of(team.server) as client:
        make_pool(client, f"{team.name}-stock", "process")
    team.sentinel("rules", "deploy", "--no-gate")
    (team.folder / "flows" / "machine.py").unlink()  # only the repository has it
    with team.worker("process", pool=f"{team.name}-stock"):
        assert team.finish(f"disk-usage/{team.name}-disk").state_name == "Triggered"
        assert team.finish("reconcile/reconcile").state_name == "Completed"
    assert events(team) == [f"{team.name}-disk"]


def _push(team: Team, repository: Path) -> None:
    """The project's files as the first commit of a bare repository."""
    team.run("git", "init", "-q", "--bare", "-b", "main", str(repository))
    team.run("git", "init", "-q", "-b", "main")
    team.run("git", "add", ".")
    person = ("-c", "user.name=Ana", "-c", "user.email=ana@example.org")
    team.run("git", *person, "commit", "-q", "-m", "Rules")
    team.run("git", "push", "-q", str(repository), "main")
