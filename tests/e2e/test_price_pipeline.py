"""The example pipeline with every fault it is watched for, and the messages that people get.

Real runs of its flow against a real Prefect server; its shops are HTTP endpoints that misbehave;
messages go through Prefect's own blocks to an endpoint where Slack and PagerDuty would be.
With SENTINEL_TRANSCRIPT the messages are written to that file: docs/pipeline-alerts.md has them.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.flows import load_flow_from_entrypoint
from sqlalchemy import Engine

from flows.daily_report import daily_report
from flows.pipelines import failure_storm, flow_sla, slow_flows
from sentinel_core.base.settings import Settings
from sentinel_core.flow.reconcile import reconcile
from sentinel_core.notify.deliver import deliver_due
from tests.support import scenes as watched
from tests.support.channels import pager_duty_webhook, slack_incoming_webhook
from tests.support.endpoint import Endpoint, Request, http_endpoint
from tests.support.patience import patient
from tests.support.pipelines import Team, watcher
from tests.support.prefect import PrefectServer, client_of, prefect_server
from tests.support.processes import ROOT, free_port
from tests.support.runs import rows
from tests.support.scenes import running_here
from tests.support.slack import Received

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EXAMPLE = ROOT / "examples" / "pipelines"
OFFERS = (EXAMPLE / "data" / "sites" / "north.json").read_bytes()
NOTIFY = {
    "critical": ["slack-incoming-webhook/alerts-critical"],
    "high": ["slack-incoming-webhook/alerts-critical"],
    "medium": ["slack-incoming-webhook/alerts-warnings"],
}
REFUSED = f"http://127.0.0.1:{free_port()}/offers"


def as_shop(_: Request) -> bytes:
    """The offers of a shop that works."""
    return OFFERS


def as_slow_shop(request: Request) -> bytes:
    """The same, later than the pipeline accepts."""
    time.sleep(5.2)
    return as_shop(request)


def as_read(request: Request) -> str:
    """What a person reads of a message."""
    if request.path.startswith("/v2/"):
        payload = request.json["payload"]
        return f"PagerDuty, {payload['severity']}: {payload['summary']}"
    return Received(request.at, request.path, request.json).text


@dataclass
class Scene:
    """The pipeline, one shop, the endpoint where messages arrive, and what is on record."""

    client: SyncPrefectClient
    store: Engine
    shop: Endpoint
    inbox: Endpoint
    flow: Flow[..., Any]
    seen: int = field(default=0)

    def run(self, site: str | None = None, **options: Any) -> str:
        """A run of the pipeline over one shop; the name of the state in which it ended."""
        limit = options.pop("site_timeout", 10)
        flow = self.flow.with_options(**options)
        return str(flow([site or f"{self.shop.url}/offers"], limit, return_state=True).name)

    def open_events(self) -> dict[str, dict[str, Any]]:
        """By series."""
        found = rows(self.store, "alert_event", rule_name="prices")
        return {row["ticker"]: row for row in found if not row["resolved_at"]}

    def messages(self) -> list[Request]:
        """What has arrived since the last look, after everything due was sent."""
        deliver_due(
            self.store,
            Settings(
                notify_timeout_seconds=patient(20),
                slack_api_url=f"{self.inbox.url}/api",
                pagerduty_url=f"{self.inbox.url}/v2/enqueue",
            ),
        )
        new = self.inbox.received[self.seen :]
        self.seen = len(self.inbox.received)
        return new

    def texts(self, *titles: str) -> list[str]:
        """The same as text, written down under these titles."""
        said = [as_read(request) for request in self.messages()]
        if file := os.environ.get("SENTINEL_TRANSCRIPT"):
            with Path(file).open("a", encoding="utf-8") as transcript:
                for title in titles:
                    transcript.write(f"## {title}\n\n")
                for text in said:
                    transcript.write(f"```\n{text}\n```\n\n")
        return said

    def recover(self) -> None:
        """The shop works again, and so does the pipeline; reconcile looks at its tasks."""
        self.shop.answer, self.shop.reply = 200, as_shop
        assert self.run() == "Completed"
        reconcile(self.client, self.store, Settings(), say=print, settle=timedelta(0))


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A server whose blocks have the names that the example gives them."""
    with prefect_server(tmp_path_factory.mktemp("prices")) as running:
        yield running


@pytest.fixture
def scene(
    own_server: PrefectServer, store: Engine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    flow: Flow[..., Any] = load_flow_from_entrypoint(f"{EXAMPLE}/flows/prices.py:prices")
    for name in ("scrape", "match", "predict"):
        monkeypatch.setattr(flow.fn.__globals__[name], "retry_delay_seconds", 0)
    flow = flow.with_options(retry_delay_seconds=0)
    with (
        http_endpoint() as shop,
        http_endpoint() as inbox,
        client_of(own_server) as client,
        running_here(own_server),
    ):
        shop.reply = as_shop
        for name in ("alerts-critical", "alerts-warnings"):
            slack_incoming_webhook(inbox.url, name)
        pager_duty_webhook(inbox.url, "alerts")
        yield Scene(client, store, shop, inbox, flow)


def test_the_shipped_shops_are_no_alert(scene: Scene) -> None:
    assert scene.flow() == {"offers": 9, "matches": 9, "suspicious": 1}
    assert scene.open_events() == {}
    assert scene.messages() == []


@pytest.mark.parametrize(
    ("fault", "limit", "next_step"),
    [
        ("refused", 10, "Check the network between the worker and the site."),
        (401, 10, "Check the credentials, or use a proxy."),
        (403, 10, "Check the credentials, or use a proxy."),
        ("hang", 0.3, "Raise the timeout of the scraper, or check whether the site is slow."),
        ("changed", 10, "Look at the scraper's code: the site may have changed."),
    ],
)
def test_a_shop_that_can_not_be_scraped_fails_task_and_flow_with_the_next_step(
    scene: Scene, fault: int | str, limit: float, next_step: str
) -> None:
    if fault == "changed":
        scene.shop.reply = lambda _: b'{"items": []}'
    elif fault != "refused":
        scene.shop.answer = fault
    site = REFUSED if fault == "refused" else None
    assert scene.run(site, site_timeout=limit) == "Failed"
    events = scene.open_events()
    assert {t: e["importance"] for t, e in events.items()} == {
        "failure": "high",
        "scrape: failure": "high",
    }
    assert events["scrape: failure"]["suggested_action"] == next_step
    assert "3 retries" in events["scrape: failure"]["message"]
    assert "2 retries" in events["failure"]["message"]
    [text] = scene.texts(f"A shop that can't be scraped: {fault}")
    assert next_step in text
    scene.recover()
    assert scene.open_events() == {}


def test_a_flow_that_times_out_is_critical_and_in_pagerduty(scene: Scene) -> None:
    scene.shop.answer = "hang"
    assert scene.run(site_timeout=4, timeout_seconds=1, retries=0) == "TimedOut"
    assert scene.open_events()["timeout"]["importance"] == "critical"
    texts = scene.texts("The flow timed out: Slack, and PagerDuty by the route for critical events")
    assert any(text.startswith("PagerDuty, critical: ") for text in texts)
    assert any("ended as TimedOut" in text and "critical" in text.lower() for text in texts)


def test_a_slow_task_is_told_with_its_number_of_items(scene: Scene) -> None:
    scene.shop.reply = as_slow_shop
    assert scene.run() == "Completed"
    [ticker] = scene.open_events()
    assert ticker == "scrape: slow"
    assert "5 items" in scene.open_events()[ticker]["message"]
    assert len(scene.texts("A task was slow")) == 1
    scene.recover()
    assert scene.open_events() == {}


def test_no_match_is_an_event(scene: Scene) -> None:
    scene.shop.reply = lambda _: b'{"offers": [{"title": "Garden hose", "price": 9.5}]}'
    assert scene.run() == "Completed"
    assert "no offer matched" in scene.open_events()["match: no match"]["message"]
    assert len(scene.texts("No match")) == 1


def test_rules_that_watch_the_same_runs_from_outside(scene: Scene) -> None:
    team = Team(scene.client)
    daily = team.deploy(scene.flow, "daily")
    watch = {"watch": {"flows": ["prices"]}}

    def rule(trigger: Flow[..., Any], **check: Any) -> watched.Scene:
        name = "-".join(("prices", trigger.name, *list(check)[:1]))
        return watcher(scene.client, scene.store, trigger, name, {**watch, **check}, notify=NOTIFY)

    slow = rule(slow_flows, max_seconds=5, settle_seconds=0)
    storm = rule(failure_storm)
    duration = rule(flow_sla, max_duration_seconds=5)
    failures = rule(flow_sla, max_failures_per_day=2, min_success_rate=95)
    scene.shop.reply = as_slow_shop
    assert team.run(scene.flow, daily, sites=[scene.shop.url]).state_name == "Completed"
    scene.texts()
    slow.run(0)
    assert "5 s" in scene.texts("The pipeline took longer than its limit")[0]
    duration.run(1)
    assert "promised are 5 s" in scene.texts("The SLA of the flow: it took too long")[0]
    storm.run(1)
    assert scene.texts() == []

    scene.shop.answer = 403
    failing = scene.flow.with_options(retries=0)
    for _ in range(4):
        assert team.run(failing, daily, sites=[scene.shop.url]).state_name == "Failed"
    scene.texts()
    storm.run(2)
    [text] = scene.texts("A storm: more than three failures within an hour")
    assert "System-wide investigation needed: 4 runs" in text
    failures.run(2)
    [text] = scene.texts("The table of SLAs: failures in a day, and the success rate")
    assert "4 runs failed" in text
    daily_report(notify=["slack-incoming-webhook/alerts-warnings"])
    [text] = scene.texts("The daily report")
    assert "5" in text


def test_a_shop_that_works_does_not_end_the_event_of_another(scene: Scene) -> None:
    scene.shop.answer = 403
    broken, fine = f"{scene.shop.url}/offers", str(EXAMPLE / "data" / "sites" / "north.json")
    for sites in ([fine, broken], [broken, fine], [fine, broken]):
        assert scene.flow(sites, return_state=True).name == "Failed"
    assert scene.open_events().keys() == {"failure", "scrape: failure"}
    assert len(rows(scene.store, "alert_event")) == 2
    assert len(scene.messages()) == 1
    scene.recover()
    assert scene.open_events() == {}
