"""Metric rules through real Prefect runs: conditions over what was recorded, problems by series."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from prefect.client.schemas.objects import FlowRun
from sqlalchemy import Engine

from tests.support.deployed import Deployed, deploy, rule_yaml
from tests.support.json_site import json_site
from tests.support.prefect import PrefectServer, client_of, prefect_worker
from tests.support.runs import rows
from tests.support.stores import migrate
from tests.support.swarm import own_engine

FLOW = "flows/metric.py:metric_threshold"


@dataclass(frozen=True)
class Lab:
    """What two runs of each rule left behind: every test reads, none writes."""

    engine: Engine
    runs: dict[str, list[FlowRun]]

    def rows(self, table: str, rule: str) -> list[dict[str, Any]]:
        [row] = rows(self.engine, "alert_rule", name=rule)
        return rows(self.engine, table, rule_id=row["id"])

    def states(self, rule: str) -> list[str | None]:
        return [run.state.name if run.state else None for run in self.runs[rule]]


def deployments(url: str) -> list[dict[str, Any]]:
    stats = f"{url}/stats"

    def counter(path: str) -> dict[str, Any]:
        return {"kind": "http", "url": stats, "path": path}

    def rule(name: str, check: dict[str, Any], **settings: Any) -> dict[str, Any]:
        return rule_yaml(name, FLOW, check, pool="metrics", **settings)

    quotes = {"ticker": ["AAPL", "NVDA"], "threshold": 400, "source": "examples/quotes.csv"}
    return [
        rule(
            "memory",
            {"source": {"kind": "psutil", "metric": "memory_percent"}, "ticker": "here"},
            conditions=[{"op": "gt", "value": 0, "aggregate": "avg", "over_seconds": 600}],
            policy={"breaches": 2},
        ),
        rule(
            "cache",
            {
                "source": {
                    "kind": "cache_hit_rate",
                    "hits": counter("hits"),
                    "misses": counter("misses"),
                }
            },
            conditions=[{"op": "lt", "value": 70}],
        ),
        rule(
            "queues",
            {
                "source": {
                    "kind": "http",
                    "url": stats,
                    "items": "queues",
                    "ticker_path": "name",
                    "path": "depth",
                },
                "threshold": 10,
            },
        ),
        rule_yaml("quotes", "flows/market.py:price_surge", quotes, pool="metrics"),
    ]


@pytest.fixture(scope="module")
def lab(server: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Each rule deployed and run twice by one worker, while the numbers change in between."""
    folder = tmp_path_factory.mktemp("metrics")
    store = f"sqlite:///{folder / 'sentinel.db'}"
    moments = [
        {"hits": 90, "misses": 10, "queues": [{"name": "mail", "depth": 12}, {"name": "fax"}]},
        {"hits": 90, "misses": 40, "queues": [{"name": "mail", "depth": 3}, {"name": "fax"}]},
    ]
    with (
        json_site() as site,
        client_of(server) as client,
        own_engine(store) as engine,
        prefect_worker(server, "metrics", limit=2, kind="sentinel", SENTINEL_DATABASE_URL=store),
    ):
        migrate(store)
        declared = deployments(site.url)
        deploy(client, *declared)
        runs: dict[str, list[FlowRun]] = {item["name"]: [] for item in declared}
        for moment in moments:
            site.at("/stats", moment)
            started = {}
            for name in runs:
                flow = "price-surge" if name == "quotes" else "metric-threshold"
                rule = Deployed.find(client, f"{flow}/{name}")
                started[name] = (rule, rule.start_as_is())
            for name, (rule, run) in started.items():
                runs[name].append(rule.wait(run, seconds=200))
        yield Lab(engine, runs)


def test_conditions_over_recorded_numbers_open_an_event_at_the_second_breach(lab: Lab) -> None:
    assert lab.states("memory") == ["Measured", "Measured"]
    first, second = sorted(lab.rows("evaluation", "memory"), key=lambda row: row["at"])
    assert 0 < first["metrics"]["value"] < 100
    assert "threshold" not in first["metrics"]
    assert (first["event_id"], second["event_id"] is not None) == (None, True)
    [event] = lab.rows("alert_event", "memory")
    assert (event["kind"], event["ticker"]) == ("alert", "here")
    assert event["message"].startswith("memory_percent is ")
    assert "avg(value) over 10 min" in event["message"]


def test_a_cache_is_judged_by_the_requests_between_two_runs(lab: Lab) -> None:
    first, second = sorted(lab.rows("evaluation", "cache"), key=lambda row: row["at"])
    assert first["metrics"] == {"hits": 90, "misses": 10, "value": 90}
    assert second["metrics"] == {"hits": 90, "misses": 40, "value": 0}
    [event] = lab.rows("alert_event", "cache")
    assert "0 hits and 30 misses since" in event["message"]
    assert "value 0 < 70" in event["message"]


def test_a_series_without_a_number_is_an_event_of_its_own_beside_those_judged(lab: Lab) -> None:
    events = {(row["kind"], row["ticker"]): row for row in lab.rows("alert_event", "queues")}
    assert set(events) == {("alert", "mail"), ("no_data", "fax")}
    assert events["alert", "mail"]["resolved_at"] is not None
    assert events["no_data", "fax"]["resolved_at"] is None
    assert events["no_data", "fax"]["message"] == "fax: depth is missing in the answer"
    assert events["no_data", "fax"]["occurrences"] == 2


def test_a_ticker_without_quotes_costs_the_others_no_alert(lab: Lab) -> None:
    assert lab.states("quotes") == ["Triggered", "Triggered"]
    events = {(row["kind"], row["ticker"]): row for row in lab.rows("alert_event", "quotes")}
    assert set(events) == {("alert", "AAPL"), ("no_data", "NVDA")}
    assert events["alert", "AAPL"]["occurrences"] == 2
    assert events["no_data", "NVDA"]["message"] == "NVDA: the source has no rows of this ticker"
