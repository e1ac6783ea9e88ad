"""prefect_server_health as a rule: a server that is well, and one whose services are off."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.states import Completed, Running, Scheduled
from sqlalchemy import Engine

from flows.pipelines import prefect_server_health
from tests.support.pipelines import Team, watcher
from tests.support.prefect import PrefectServer, client_of, prefect_server
from tests.support.processes import wait_for
from tests.support.scenes import Scene, running_here
from triggers.pipelines import server_facts
from triggers.pipelines.server_facts import events


@flow(name="server-etl")
def etl() -> None:
    pass


def alerts(scene: Scene) -> dict[str, dict[str, Any]]:
    return {row["ticker"]: row for row in scene.rows("alert_event") if not row["resolved_at"]}


def test_a_server_that_is_well_has_no_events(server: PrefectServer, store: Engine) -> None:
    stored_after = 5  # seconds at most, with runs of other tests under way
    with client_of(server) as client, running_here(server):
        team = Team(client)
        given = {
            "max_api_seconds": 120,
            "max_event_seconds": stored_after,
            "max_overdue_seconds": 86_400,  # tests leave runs that are due
            "min_ahead_seconds": None,
            "database": f"sqlite:///{server.folder}/prefect/prefect.db",
            "max_database_mb": 100_000,
        }
        team.put(team.deploy(etl, "well"), Running(), Completed())
        scene = watcher(client, store, prefect_server_health, "server-well", given)
        wait_for(
            lambda: events(client, datetime.now(UTC), stored_after).value == 0,
            what="events to be stored",
        )
        scene.run(0)
        assert scene.rows("alert_event") == []
        found = {row["ticker"]: row for row in scene.rows("evaluation")}
        assert set(found) == {"", "api", "database", "events", "overdue", "size"}
        assert found[""]["metadata"]["not_measured"] == ["the scheduler"]
        assert found["size"]["metrics"]["value"] > 0


@pytest.mark.slow  # a server of its own; the pure parts are in tests/unit
def test_each_service_that_is_off_is_an_event(
    tmp_path: Path, store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_facts, "_FRESH", timedelta(0))
    off = {
        f"PREFECT_SERVER_SERVICES_{service}_ENABLED": "false"
        for service in ("SCHEDULER", "LATE_RUNS", "EVENT_PERSISTER")
    }
    with (
        prefect_server(tmp_path, **off) as server,
        client_of(server) as client,
        running_here(server),
    ):
        team = Team(client)
        hourly = DeploymentScheduleCreate(schedule=CronSchedule(cron="0 * * * *"), active=True)
        deployment = team.deploy(etl, "hourly", schedules=[hourly])
        paused = DeploymentScheduleCreate(schedule=CronSchedule(cron="0 * * * *"), active=False)
        team.deploy(etl, "paused", schedules=[paused])
        limits = {"max_event_seconds": 0.01, "max_overdue_seconds": 60}
        scene = watcher(client, store, prefect_server_health, "server-off", limits)
        scene.run(0)
        assert {name: row["kind"] for name, row in alerts(scene).items()} == {
            "scheduler": "alert",
            "events": "no_data",  # nothing has ended yet
        }
        behind = alerts(scene)["scheduler"]["metadata"]["behind"]
        assert set(behind) == {"server-etl/hourly", "prefect-server-health/server-off"}
        team.put(deployment, Running(), Completed())
        due = Scheduled(scheduled_time=datetime.now(UTC) - timedelta(minutes=10))
        client.create_flow_run_from_deployment(deployment, state=due)
        scene.run(1)
        assert {name: row["kind"] for name, row in alerts(scene).items()} == {
            "scheduler": "alert",
            "overdue": "alert",
            "events": "alert",
        }
