"""Which code and which environment a run gets: that of its own checkout, as it is on disk now."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.flows import load_flow_from_entrypoint

from tests.support.prefect import PrefectServer
from tests.support.rules import contract
from tests.support.workers import WORKER_TYPES, DeployedRule, DeployedRun, Workplace, workplace

TRIGGER = '''
from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.trigger import Trigger


class Paint(Trigger):
    """Says which colour this checkout has."""

    def check(self) -> AlertOutput:
        """The colour."""
        return AlertOutput(triggered=True, ticker="paint", message="{colour}")
'''
FLOW = """
from prefect import Flow

from contract_paint import Paint
from sentinel_core.flow.rule_flow import rule_flow

paint = rule_flow(Paint)
paint.description = "{flow}"


@paint.on_completion
def tell(flow, flow_run, state):
    from pathlib import Path
    (Path("{folder}") / f"{{flow_run.id}}.hooks").open("a").write(flow.description + " .\\n")
"""


def write(root: Path, folder: Path, *, colour: str, flow: str) -> None:
    """A checkout: a flow file and beside it the trigger module it imports."""
    flows = root / "flows"
    flows.mkdir(parents=True, exist_ok=True)
    (flows / "contract_paint.py").write_text(TRIGGER.format(colour=colour))
    (flows / "walls.py").write_text(FLOW.format(flow=flow, folder=folder))


def painted(place: Workplace, root: Path) -> DeployedRule:
    """The deployed rule of a checkout."""
    entrypoint = "flows/walls.py:paint"
    flow = load_flow_from_entrypoint(str(root / entrypoint))
    for module in ("contract_paint", "walls"):
        sys.modules.pop(module, None)
    name = f"paint-{root.name}"
    made = place.deploy(name, flow, entrypoint=entrypoint, root=root)
    return DeployedRule(place, f"{place.pool}-{name}", made)


def seen(run: DeployedRun) -> tuple[str, list[str]]:
    """The colour the trigger said and the description the flow file has."""
    run.wait().wait_recorded()
    [evaluation] = run.evaluations
    return evaluation["message"], run.hooks


@pytest.fixture(scope="module", params=WORKER_TYPES)
def place(
    request: pytest.FixtureRequest,
    server: PrefectServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Workplace]:
    pool = f"code-{request.param}"
    folder = tmp_path_factory.mktemp(pool)
    with workplace(server, folder, request.param, pool) as place, place.worker(limit=3):
        yield place


def test_each_run_has_the_code_of_its_own_checkout_as_it_is_now(
    place: Workplace, tmp_path: Path
) -> None:
    """Both checkouts have modules of the same names; one of them is changed between runs."""
    here, there = tmp_path / "here", tmp_path / "there"
    write(here, place.folder, colour="red", flow="first")
    write(there, place.folder, colour="blue", flow="other")
    one, other = painted(place, here), painted(place, there)
    pair = one.run(), other.run()
    assert [seen(run) for run in pair] == [("red", ["first"]), ("blue", ["other"])]
    write(here, place.folder, colour="green", flow="first")  # the imported module only
    pair = one.run(), other.run()
    assert [seen(run) for run in pair] == [("green", ["first"]), ("blue", ["other"])]
    write(here, place.folder, colour="green", flow="second")  # the flow file only
    assert seen(one.run()) == ("green", ["second"])


def test_an_installed_flow_pulls_nothing_and_needs_no_folder(place: Workplace) -> None:
    deployment = place.client.create_deployment(
        flow_id=place.client.create_flow_from_name("deliver"),
        name=f"{place.pool}-deliver",
        entrypoint="sentinel_core.flow.scheduled.deliver",
        work_pool_name=place.pool,
        pull_steps=[],
    )
    for _ in range(2):
        run = DeployedRun(
            place, "deliver", place.client.create_flow_run_from_deployment(deployment).id
        )
        assert run.wait().state.name == "Completed", run.logs


@pytest.mark.slow
def test_a_deployments_environment_is_that_of_its_own_runs_alone(place: Workplace) -> None:
    runs = {
        colour: place.start("ok", name=f"env-{colour}", env={"CONTRACT_COLOUR": colour})
        for colour in ("red", "blue")
    }
    runs["none"] = place.start("ok", name="env-none")
    colours = {name: run.wait().facts[0]["env"] for name, run in runs.items()}
    red, blue = ({"CONTRACT_COLOUR": colour} for colour in ("red", "blue"))
    assert colours == {"red": red, "blue": blue, "none": {}}


@pytest.mark.slow
def test_a_run_whose_store_is_away_is_recorded_later_once_and_with_its_output(
    place: Workplace,
) -> None:
    away = {
        "SENTINEL_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "SENTINEL_RECORD_TIMEOUT_SECONDS": "1",
    }
    run = place.start("fire", name="store-away", env=away).wait()
    assert run.state.name == "Triggered"
    assert run.evaluations == []
    place.reconcile()
    place.reconcile()
    [event] = run.events()
    assert (event["kind"], event["occurrences"]) == ("alert", 1)
    assert event["message"] == "contract fire"
    assert len(run.evaluations) == 1


def test_a_flow_file_that_does_not_import_stops_its_own_rules_only(place: Workplace) -> None:
    broken = place.folder / "broken.py"
    broken.write_text("raise ImportError('a dependency went away')\n")
    run = place.start("ok", name="broken", entrypoint=f"{broken}:contract")
    fine = place.start("ok", contract.contract, name="fine")
    assert fine.wait().state.type.value == "COMPLETED"
    assert run.wait().state.type.value == "CRASHED"
    assert run.hooks == []  # there is no flow, so there are no hooks
    run.wait_logged("a dependency went away")
    fine.wait_recorded()
    place.reconcile()
    place.reconcile()
    assert [(e["kind"], e["occurrences"]) for e in run.events()] == [("failure", 1)]
