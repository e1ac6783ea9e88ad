"""The nine checks of examples/checks, deployed as its README says, on data that has the fault.

Each rule runs over good data, over faulty data and over good data again: one event, with its next
step, that ends. The two rules that watch runs do so with runs of examples/pipelines.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.flows import load_flow_from_entrypoint
from sqlalchemy import Engine

from tests.support.command import Command
from tests.support.endpoint import Endpoint, Request, http_endpoint
from tests.support.pipelines import Team
from tests.support.prefect import PrefectServer, client_of, make_pool, prefect_server
from tests.support.processes import ROOT, free_port, wait_for
from tests.support.runs import rows
from tests.support.scenes import Scene, running_here
from tests.support.shared import Shared
from tests.support.stores import copy_sqlite

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EXAMPLE = ROOT / "examples" / "checks"
OFFERS = (ROOT / "examples/pipelines/data/sites/north.json").read_bytes()


@dataclass(frozen=True)
class Pack:
    """The example, deployed."""

    server: PrefectServer
    client: SyncPrefectClient
    entrypoints: dict[str, str]

    def scene(self, store: Engine, name: str) -> Scene:
        """One of its rules."""
        flow: Flow[..., Any] = load_flow_from_entrypoint(f"{EXAMPLE}/{self.entrypoints[name]}")
        found = self.client.read_deployment_by_name(f"{flow.name}/{name}")
        return Scene(self.client, store, flow, found)


@pytest.fixture(scope="module")
def pack(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pack]:
    """On a server of its own, as its rules have schedules and the names that the example has."""
    folder = tmp_path_factory.mktemp("checks")
    copy_sqlite(shared, folder / "deploy.db")
    file = EXAMPLE / "prefect.yaml"
    declared = yaml.safe_load(file.read_text("utf-8"))["deployments"]
    with prefect_server(folder) as server, client_of(server) as client:
        make_pool(client, "sentinel", "sentinel")
        sentinel = Command(
            f"sqlite:///{folder / 'deploy.db'}", folder, {"PREFECT_API_URL": server.api_url}
        )
        sentinel("rules", "deploy", str(file))
        yield Pack(server, client, {one["name"]: one["entrypoint"] for one in declared})


@pytest.fixture
def here(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pack]:
    """The example's folder is the working directory, as it is for the worker's runs."""
    monkeypatch.chdir(EXAMPLE)
    with running_here(pack.server):
        yield pack


RETRAIN = "Retrain the model: what it sees or how it does is no longer what it was."
TIMEOUT = "Raise the timeout, or check whether the site or the database is slow."


@pytest.mark.parametrize(
    ("name", "fault", "ticker", "message", "next_step"),
    [
        ("offers-volume", "offers.csv", "offers", "280 rows, expected 300 to 500", "last scraping"),
        (
            "products-quality",
            "products.csv",
            "products",
            "completeness 0.8750 (limit 0.9)",
            "fills",
        ),
        ("matcher-drift", "figures.json", "matcher", "0.184, above 0.15", RETRAIN),
        ("matcher-performance", "evaluation.json", "matcher", "0.78, below 0.8", "Investigate"),
        ("scraping-performance", "scraping.json", "shops", "180 of 200 succeeded", TIMEOUT),
        ("offers-matched", "no-matches.json", "offers", "0 matches", "that is matched"),
        ("offers-matched", "matching.json", "offers", "confidence 0.66, below 0.7", "is matched"),
        ("fake-scores", "high-scores.csv", "fake scores", "outside of 0.1 to 0.9", RETRAIN),
        ("fake-scores", "predictions.csv", "fake scores", "20.0% above 0.95", RETRAIN),
    ],
)
def test_a_fault_in_the_data_is_one_event_with_its_next_step(
    here: Pack, store: Engine, name: str, fault: str, ticker: str, message: str, next_step: str
) -> None:
    scene = here.scene(store, name)
    scene.run(0)
    assert rows(store, "alert_event") == []
    scene.run(1, source={"kind": "file", "path": f"data/faulty/{fault}"})
    [event] = rows(store, "alert_event")
    assert (event["kind"], event["ticker"], event["resolved_at"]) == ("alert", ticker, None)
    assert message in event["message"]
    assert next_step in event["suggested_action"]
    scene.run(2)
    assert scene.events() == [("alert", ticker, "recovered")]
    assert len(rows(store, "alert_event")) == 1


def test_drift_starts_the_retraining(here: Pack, store: Engine) -> None:
    scene = here.scene(store, "matcher-drift")
    scene.run(0, source={"kind": "file", "path": "data/faulty/figures.json"})
    [reaction] = rows(store, "reaction")
    assert reaction["status"] == "started", reaction
    run = here.client.read_flow_run(reaction["flow_run_id"])
    assert run.parameters["model"] == "matcher"
    assert run.parameters["drift"] == pytest.approx(0.184, abs=0.0001)


@pytest.mark.parametrize("name", ["pipeline-duration", "scraping-failures"])
def test_without_a_pipeline_there_is_an_event_that_nothing_is_checked(
    here: Pack, store: Engine, name: str
) -> None:
    scene = here.scene(store, name)
    scene.run(0)
    assert scene.events() == [("no_data", "", None)]


@dataclass
class Pipeline:
    """The flow that two of the rules watch, deployed, and a shop that it scrapes."""

    team: Team
    flow: Flow[..., Any]
    shop: Endpoint

    def run(self, site: str | None = None, limit: float = 10) -> FlowRun:
        """A run over the shop, once Prefect has stored the end of all its tasks."""
        deployment = self.team.client.read_deployment_by_name("prices/daily").id
        parameters = {"sites": [site or f"{self.shop.url}/offers"], "timeout_seconds": limit}
        run = self.team.run(self.flow, deployment, **parameters)
        mine = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[run.id]))

        def stored() -> bool:
            found = self.team.client.read_task_runs(task_run_filter=mine)
            return bool(found) and all(one.state and one.state.is_final() for one in found)

        wait_for(stored, what="the ends of the tasks")
        return run


@pytest.fixture
def pipeline(here: Pack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    path = ROOT / "examples" / "pipelines" / "flows" / "prices.py"
    flow: Flow[..., Any] = load_flow_from_entrypoint(f"{path}:prices")
    for name in ("scrape", "match", "predict"):
        monkeypatch.setattr(flow.fn.__globals__[name], "retry_delay_seconds", 0)
    flow = flow.with_options(retries=0)
    team = Team(here.client)
    deployment = team.deploy(flow, "daily")
    with http_endpoint() as shop:
        shop.reply = lambda _: OFFERS
        yield Pipeline(team, flow, shop)
    here.client.delete_deployment(deployment)


def slow(_: Request) -> bytes:
    """What a shop answers that takes its time."""
    time.sleep(1.2)
    return OFFERS


def test_a_run_that_takes_too_long_is_one_event(
    here: Pack, pipeline: Pipeline, store: Engine
) -> None:
    scene = here.scene(store, "pipeline-duration")
    assert pipeline.run().state_name == "Completed"
    scene.run(0)
    assert rows(store, "alert_event", rule_name="pipeline-duration") == []
    pipeline.shop.reply = slow
    assert pipeline.run().state_name == "Completed"
    scene.run(1)  # far from an hour
    assert scene.events() == []
    scene.run(2, max_duration_seconds=1)
    [event] = scene.rows("alert_event")
    assert (event["kind"], event["ticker"]) == ("alert", "prices/daily")
    assert event["metadata"]["broken"] == ["max_duration_seconds"]
    assert "at the tasks of the run" in event["suggested_action"]


@pytest.mark.parametrize(
    ("fault", "limit", "next_step"),
    [
        ("hang", 0.3, "Raise the timeout of the scraper, or check whether the site is slow."),
        (401, 10, "Check the credentials, or use a proxy."),
        (403, 10, "Check the credentials, or use a proxy."),
        ("refused", 10, "Check the network between the worker and the site."),
        ("changed", 10, "Look at the scraper's code: the site may have changed."),
    ],
)
def test_a_site_that_can_not_be_scraped_is_one_event_with_the_step_of_its_error(
    here: Pack, pipeline: Pipeline, store: Engine, fault: int | str, limit: float, next_step: str
) -> None:
    scene = here.scene(store, "scraping-failures")
    settled = {"settle_seconds": 0}
    assert pipeline.run().state_name == "Completed"
    scene.run(0, **settled)
    assert scene.events() == []
    if fault == "changed":
        pipeline.shop.reply = lambda _: b'{"items": []}'
    elif fault != "refused":
        pipeline.shop.answer = fault
    site = f"http://127.0.0.1:{free_port()}/offers" if fault == "refused" else None
    assert pipeline.run(site, limit).state_name == "Failed"
    scene.run(1, **settled)
    [event] = scene.rows("alert_event")
    assert (event["kind"], event["ticker"]) == ("alert", "prices/daily")
    assert event["suggested_action"] == next_step
    pipeline.shop.answer, pipeline.shop.reply = 200, lambda _: OFFERS
    assert pipeline.run().state_name == "Completed"
    scene.run(2, **settled)
    assert scene.events() == [("alert", "prices/daily", "recovered")]
