"""Entries of a deployment's `sla` list, as Prefect's documentation writes them."""

from typing import Any

import pytest
from pydantic import ValidationError

from sentinel_core.model.alert import Importance
from sentinel_core.model.sla import Severity, Sla, SlaKind, WatchedSla


@pytest.mark.parametrize(
    ("entry", "kind", "limit"),
    [
        ({"duration": 3600}, SlaKind.TIME_TO_COMPLETION, 3600),
        ({"within": 600.5}, SlaKind.LATENESS, 600.5),
        ({"stale_after": "PT1H"}, SlaKind.FREQUENCY, 3600),
        ({"within": "00:10:00"}, SlaKind.LATENESS, 600),
        ({"duration": 60, "within": None, "stale_after": None}, SlaKind.TIME_TO_COMPLETION, 60),
    ],
)
def test_an_entry_is_of_the_kind_of_its_one_limit(
    entry: dict[str, Any], kind: SlaKind, limit: float
) -> None:
    sla = Sla.model_validate({"name": "on time"} | entry)
    assert (sla.kind, sla.limit, sla.severity, sla.enabled) == (kind, limit, "moderate", True)


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        ({}, "expected one of duration, within, stale_after, got none of them"),
        ({"duration": 60, "within": 60}, "got duration and within"),
        ({"duration": 0}, "duration"),
        ({"duration": -5}, "duration"),
        ({"duration": "an hour"}, "duration"),
        ({"duration": float("inf")}, "duration"),
        ({"duration": 60, "severity": "urgent"}, "severity"),
        ({"duration": 60, "name": "  "}, "name"),
        ({"duration": 60, "name": "x" * 101}, "name"),
        ({"duration": 60, "owner": "me"}, "owner"),
    ],
)
def test_a_wrong_entry_is_refused(entry: dict[str, Any], error: str) -> None:
    with pytest.raises(ValidationError, match=error):
        Sla.model_validate({"name": "on time"} | entry)


def test_severities_become_importances() -> None:
    assert [severity.importance for severity in Severity] == [
        Importance.LOW,
        Importance.LOW,
        Importance.MEDIUM,
        Importance.HIGH,
        Importance.CRITICAL,
    ]


def test_an_agreement_is_titled_by_its_deployment() -> None:
    sla = WatchedSla(name=" on time ", duration=60, deployment="etl/prod")
    assert sla.title == "etl/prod: on time"


@pytest.mark.parametrize("deployment", ["", "etl", "etl/", "/prod", "etl/prod/x"])
def test_a_deployment_is_named_with_its_flow(deployment: str) -> None:
    with pytest.raises(ValidationError, match="deployment"):
        WatchedSla(name="on time", duration=60, deployment=deployment)
