"""PagerDuty's event: its fields, what they may hold, and evidence that stays data."""

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings

from sentinel_core.message.content import About, Medium
from tests.support.runs import T0
from tests.unit.message.given import (
    BLOTTER,
    EVENT,
    PREFECT,
    STORM,
    hostile_columns,
    item,
    told,
    told_of,
)


def test_the_event_has_the_fields_pagerduty_reads() -> None:
    sent = told(Medium.PAGERDUTY).payload
    assert set(sent) == {"payload", "links", "client", "client_url"}
    payload = dict(sent["payload"])
    details = payload.pop("custom_details")
    assert payload == {
        "summary": "aapl-price-surge · AAPL: AAPL trades at 151.2 "
        "(151.2 USD against threshold 150 USD)",
        "source": "AAPL",
        "severity": "error",
        "timestamp": T0.isoformat(),
        "component": "AAPL",
        "group": "Market",
        "class": "alert",
    }
    assert details["metrics"] == EVENT["metrics"]
    assert details["metadata"] == EVENT["metadata"]
    assert details["suggested_action"] == EVENT["suggested_action"]
    assert sent["links"] == [
        {"href": BLOTTER, "text": "Open in the blotter"},
        {"href": PREFECT, "text": "Flow run in Prefect"},
    ]
    assert sent["client"] == "Sentinel"
    assert sent["client_url"] == BLOTTER


@pytest.mark.parametrize(
    ("importance", "severity"),
    [("critical", "critical"), ("high", "error"), ("medium", "warning"), ("low", "info")],
)
def test_the_severity_follows_the_importance(importance: str, severity: str) -> None:
    sent = told(Medium.PAGERDUTY, item(importance=importance)).payload
    assert sent["payload"]["severity"] == severity


def test_a_group_and_a_storm_are_as_severe_as_the_worst_of_them() -> None:
    group = told(Medium.PAGERDUTY, item(importance="low"), item(importance="critical"))
    assert group.payload["payload"]["severity"] == "critical"
    storm = told_of(About.STORM, STORM, Medium.PAGERDUTY).payload
    assert storm["payload"]["severity"] == "error"
    assert storm["payload"]["custom_details"]["By rule"][0] == ["daily-move", "600", "60%"]


def test_an_event_without_a_ticker_names_its_rule_as_the_source() -> None:
    payload = told(Medium.PAGERDUTY, item(ticker="", category="")).payload["payload"]
    assert payload["source"] == payload["component"] == "aapl-price-surge"
    assert "group" not in payload


def test_evidence_that_pagerduty_would_refuse_is_cut_and_counted() -> None:
    huge = item(
        message="é" * 32_768,
        metadata={f"key {n}": "\N{PILE OF POO}" * 3_000 for n in range(80)},
        metrics={f"m{n}" * 20: float(n) for n in range(1_000)},
    )
    sent = told(Medium.PAGERDUTY, huge).payload
    assert len(json.dumps(sent)) < 512_000
    details = sent["payload"]["custom_details"]
    assert details["metadata"]["key 0"].endswith("…")
    assert details["metadata"]["left_out"].endswith("values; the blotter has them")
    assert details["metrics"]["m0" * 20] == 0.0


def test_a_list_in_the_evidence_that_is_too_long_is_shown_as_text() -> None:
    sent = told(Medium.PAGERDUTY, item(metadata={"rows": list(range(9_000))})).payload
    shown = sent["payload"]["custom_details"]["metadata"]["rows"]
    assert shown.startswith("[0, 1, 2")
    assert shown.endswith("…")


@settings(max_examples=200, deadline=None)
@given(columns=hostile_columns)
def test_whatever_happened_stays_data(columns: dict[str, Any]) -> None:
    sent = told(Medium.PAGERDUTY, item(**columns)).payload
    again = json.loads(json.dumps(sent, allow_nan=False))
    assert again == sent
    assert set(again) == {"payload", "links", "client", "client_url"}
    payload = again["payload"]
    assert 0 < len(payload["summary"]) <= 1_024
    assert len(payload["summary"].splitlines()) == 1
    assert payload["source"]
    assert payload["severity"] == "error"
    assert datetime.fromisoformat(payload["timestamp"]) == T0
    assert len(json.dumps(sent)) < 512_000
    for link in again["links"]:
        assert link["href"].startswith(("http://", "https://"))
