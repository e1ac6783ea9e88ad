"""The HTTP API on a real port, over a real store, asked well and badly."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from sentinel_core.decide.hosts import Sample
from sentinel_core.store.record.hosts import note_host
from tests.integration.api.support import api_port
from tests.support.recorded import NOON, a_rule, fire


def test_a_monitor_that_asks_for_the_head_gets_the_same_status(http: httpx.Client) -> None:
    assert http.head("/health").status_code == http.get("/health").status_code == 503


def test_without_prefect_the_health_is_no_success(http: httpx.Client) -> None:
    whole = http.get("/health")
    assert (whole.status_code, whole.json()["state"]) == (503, "down")
    part = http.get("/health", params={"component": "prefect"})
    assert (part.status_code, part.json()["state"]) == (503, "down")
    quiet = http.get("/health", params={"component": "backlog"})
    assert (quiet.status_code, quiet.json()["state"]) == (200, "ok")
    answer = http.get("/status").json()
    assert answer["score"] == int(sum(part["points"] for part in answer["parts"]))


def test_prometheus_reads_the_metrics(http: httpx.Client) -> None:
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(http.get("/metrics").text)
        for sample in family.samples
    }
    assert found["sentinel_component_state", "prefect", "down"] == 1
    assert found["sentinel_component_state", "prefect", "ok"] == 0
    assert found["sentinel_health_score",] == http.get("/status").json()["score"]
    assert ("sentinel_lateness_p50_seconds",) not in found  # nothing ran: unknown, not zero


def test_prometheus_reads_what_is_in_use_of_each_host(store: Engine) -> None:
    now = datetime.now(UTC)
    note_host(store, "web-1", Sample(now - timedelta(minutes=1), None, 34.0, 56.5))
    note_host(store, "web-2", Sample(now, 12.0, 34.0, 56.0))
    note_host(store, 'gone"\n', Sample(now - timedelta(hours=1), 1.0, 1.0, 1.0))
    with api_port() as port:  # one that remembers no status
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
    families = text_string_to_metric_families(text)
    found = {
        (sample.name.removeprefix("sentinel_host_"), sample.labels["host"]): sample.value
        for family in families
        for sample in family.samples
        if sample.name.startswith("sentinel_host_")
    }
    assert found["memory_ratio", "web-1"] == 0.34
    assert found["disk_ratio", "web-1"] == 0.565
    assert found["cpu_ratio", "web-2"] == 0.12
    assert ("cpu_ratio", "web-1") not in found
    assert [name for name, host in found if host.startswith("gone")] == ["sample_timestamp_seconds"]
    assert now.timestamp() - found["sample_timestamp_seconds", "web-2"] < 60


@pytest.mark.parametrize("sort", ["time", "resolved", "importance", "rule", "status"])
def test_pages_of_events_are_complete_and_without_repetition(
    http: httpx.Client, store: Engine, sort: str
) -> None:
    ids = {fire(store, a_rule(f"r{n}", "high" if n % 2 else "low"), NOON) for n in range(5)}
    seen: list[int] = []
    cursor: dict[str, str] = {}
    for _ in range(3):
        answer = http.get("/events", params={"size": 2, "sort": sort, **cursor}).json()
        seen += [event["id"] for event in answer["events"]]
        cursor = {"cursor": answer["next"]}
    assert answer["next"] is None
    assert (sorted(seen), len(seen)) == (sorted(ids), 5)
    high = http.get("/events", params={"importance": "high"}).json()["events"]
    assert {event["rule_name"] for event in high} == {"r1", "r3"}
    assert {rule["name"] for rule in http.get("/rules").json()["rules"]} == {
        f"r{n}" for n in range(5)
    }


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/nothing", 404, "not-found"),
        ("/../../etc/passwd", 404, "not-found"),
        ("/%2e%2e/%2e%2e/etc/passwd", 404, "not-found"),
        ("/docs", 404, "not-found"),
        ("/health?component=x", 404, "no-such-component"),
        ("/events?importnce=high", 422, "invalid-parameter"),
        ("/events?importance=huge", 422, "invalid-parameter"),
        ("/events?size=100000", 422, "invalid-parameter"),
        ("/events?since=2026-01-01T00:00:00", 422, "invalid-parameter"),
        ("/events?text=%00", 422, "invalid-parameter"),
        ("/events?ticker=" + "a" * 201, 422, "invalid-parameter"),
        ("/events?storm=99999999999999999999", 422, "invalid-parameter"),
        ("/events?cursor=AAAA", 422, "invalid-parameter"),
        ("/events?cursor=W1tdLCAxXQ==", 422, "invalid-parameter"),  # [[], 1]
        ("/events?sort=importance&cursor=WyJ4IiwgMV0=", 422, "invalid-parameter"),  # ["x", 1]
    ],
)
def test_errors_have_one_form(http: httpx.Client, path: str, status: int, code: str) -> None:
    answer = http.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["sentence"]


def test_it_answers_to_its_own_names(http: httpx.Client) -> None:
    assert http.get("/events", headers={"Host": "attacker.example"}).status_code == 400
    hostile = http.get("/events", params={"text": "' OR 1=1 --"})
    assert (hostile.status_code, hostile.json()["events"]) == (200, [])
