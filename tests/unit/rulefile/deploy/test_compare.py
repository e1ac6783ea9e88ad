"""What Prefect says of a deployment, in the form in which it is compared with the file."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from prefect.client.schemas.objects import (
    ConcurrencyLimitStrategy,
    ConcurrencyOptions,
    DeploymentSchedule,
    GlobalConcurrencyLimit,
)
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule

from flows.system import disk_usage
from sentinel_core.rulefile.deploy.compare import _deployed

KEY, SLOT = UUID(int=1), UUID(int=2)


def a_deployment(**fields: Any) -> DeploymentResponse:
    schedule = DeploymentSchedule(
        id=SLOT,
        schedule=CronSchedule(cron="0 * * * *", timezone="UTC"),
        active=False,
        slug="hourly",
        parameters={"check": {"path": "/"}},
    )
    return DeploymentResponse(
        **{
            "id": KEY,
            "name": "disk",
            "flow_id": UUID(int=3),
            "created": datetime.now(UTC),
            "tags": ["b", "a"],
            "schedules": [schedule],
            "paused": True,
            "entrypoint": "flows/system.py:disk_usage",
            "pull_steps": [{"step": {"directory": "/project"}}],
            "work_pool_name": "sentinel",
            "parameter_openapi_schema": disk_usage.parameters.model_dump(),
            **fields,
        }
    )


def test_what_prefect_has_of_a_rule_is_compared_field_by_field() -> None:
    found = _deployed(a_deployment(parameters={"check": {"path": "/"}}), "disk-usage")
    assert (found.id, found.name, found.flow_name) == (KEY, "disk", "disk-usage")
    assert (found.paused, found.is_rule) == (True, True)
    assert found.entrypoint == "flows/system.py:disk_usage"
    assert found.pull_steps == [{"step": {"directory": "/project"}}]
    assert found.fields["tags"] == ["a", "b"]
    assert found.fields["parameters"] == {"check": {"path": "/"}}
    assert found.fields["work_pool.name"] == "sentinel"
    [schedule] = found.schedules
    assert (schedule.id, schedule.slug, schedule.active) == (SLOT, "hourly", False)
    assert schedule.parameters == {"check": {"path": "/"}}
    assert schedule.words == "every hour"


def test_a_flow_that_is_no_rule_is_none() -> None:
    found = _deployed(a_deployment(parameter_openapi_schema={}, pull_steps=None), "etl")
    assert (found.is_rule, found.pull_steps, found.fields["pull"]) == (False, [], [])


@pytest.mark.parametrize(("description", "kept"), [("None", None), (None, None), ("Disk", "Disk")])
def test_a_description_that_prefect_made_up_is_none(
    description: str | None, kept: str | None
) -> None:
    found = _deployed(a_deployment(description=description), "disk-usage")
    assert found.fields["description"] == kept


def test_a_limit_comes_with_its_strategy_and_grace() -> None:
    limit = GlobalConcurrencyLimit(name="deployment:disk", limit=3)
    options = ConcurrencyOptions(
        collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW, grace_period_seconds=90
    )
    given = a_deployment(global_concurrency_limit=limit, concurrency_options=options)
    fields = _deployed(given, "disk-usage").fields
    assert fields["concurrency_limit.limit"] == 3
    assert fields["concurrency_limit.collision_strategy"] == "CANCEL_NEW"
    assert fields["concurrency_limit.grace_period_seconds"] == 90


def test_without_a_limit_there_is_no_strategy() -> None:
    fields = _deployed(a_deployment(), "disk-usage").fields
    assert fields["concurrency_limit.limit"] is None
    assert fields["concurrency_limit.collision_strategy"] is None
    assert fields["concurrency_limit.grace_period_seconds"] is None
