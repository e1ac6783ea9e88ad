"""What people do by hand with rules in Prefect: each change is signed, and the record knows it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Crashed, Failed, Running
from sqlalchemy import Engine

from flows.system import disk_usage
from sentinel_core.base.errors import SentinelError
from sentinel_core.base.settings import get_settings
from sentinel_core.flow.operate import (
    cancel_runs,
    change,
    prefect_summary,
    reconcile_now,
    resumed,
    run_now,
)
from sentinel_core.prefect_io.cancel import Cancelled
from tests.support.pipelines import Team
from tests.support.processes import free_port
from tests.support.runs import rows

HOURLY = DeploymentScheduleCreate(schedule=CronSchedule(cron="0 * * * *"), active=True)
IDLE = DeploymentScheduleCreate(schedule=CronSchedule(cron="30 * * * *"), active=False)


@flow(name="operated")
def plain() -> None:
    """A flow that is no rule."""


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def a_deployment(client: SyncPrefectClient, made: Any = plain, *schedules: Any) -> tuple[str, UUID]:
    """A deployment of this flow under a name that no other has."""
    name = f"operated-{uuid4().hex}"
    return name, Team(client).deploy(made, name, schedules=list(schedules))


def signed(store: Engine, action: str) -> list[tuple[str, str, datetime]]:
    found = rows(store, "audit_entry", action=action)
    return [(row["actor"], row["detail"]["rule"], row["at"]) for row in found]


def test_runs_that_somebody_starts_are_a_second_apart_and_signed(
    client: SyncPrefectClient, store: Engine, now: datetime
) -> None:
    (first, one), (second, two) = a_deployment(client), a_deployment(client)
    started = run_now(store, [one, two], by="ana", now=now)
    runs = [client.read_flow_run(run) for run in started]
    assert [run.deployment_id for run in runs] == [one, two]
    due = [run.expected_start_time for run in runs]
    assert due == [now, now + timedelta(seconds=1)]
    assert signed(store, "rule-run") == [("ana", first, now), ("ana", second, now)]


def test_a_deployment_that_is_missing_is_named_with_what_was_done_before(
    client: SyncPrefectClient, store: Engine, now: datetime
) -> None:
    name, one = a_deployment(client)
    with pytest.raises(SentinelError, match=r"^Prefect refused after 1 started: "):
        run_now(store, [one, uuid4()], by="ana", now=now)
    assert signed(store, "rule-run") == [("ana", name, now)]
    with pytest.raises(SentinelError, match=r"^Prefect refused after 1 changed: "):
        change(store, [one, uuid4()], "rule-paused", by="ana", now=now)
    assert client.read_deployment(one).paused


def test_pausing_and_resuming_changes_each_once_and_signs_what_changed(
    client: SyncPrefectClient, store: Engine, now: datetime
) -> None:
    (first, one), (second, two) = a_deployment(client), a_deployment(client)
    client.pause_deployment(two)
    assert change(store, [one, two], "rule-paused", by="ana", now=now) == 1
    assert [client.read_deployment(key).paused for key in (one, two)] == [True, True]
    assert change(store, [one, two], "rule-resumed", by="bo", now=now) == 2
    assert [client.read_deployment(key).paused for key in (one, two)] == [False, False]
    assert change(store, [one, two], "rule-resumed", by="bo", now=now) == 0
    assert signed(store, "rule-paused") == [("ana", first, now)]
    assert signed(store, "rule-resumed") == [("bo", first, now), ("bo", second, now)]
    assert rows(store, "alert_rule") == []  # neither is a rule


def test_a_rule_that_is_paused_is_known_as_paused_at_once(
    client: SyncPrefectClient, store: Engine, now: datetime
) -> None:
    name, key = a_deployment(client, disk_usage, HOURLY)
    for action, active in (("rule-paused", False), ("rule-resumed", True)):
        assert change(store, [key], action, by="ana", now=now) == 1  # type: ignore[arg-type]
        [row] = rows(store, "alert_rule", name=name)
        assert (row["deployment_id"], row["is_active"]) == (key, active)


def test_resuming_starts_schedules_again_where_none_is_active(client: SyncPrefectClient) -> None:
    _, key = a_deployment(client, plain, IDLE)
    assert resumed(client, client.read_deployment(key))
    assert [one.active for one in client.read_deployment(key).schedules] == [True]
    assert not resumed(client, client.read_deployment(key))
    _, partly = a_deployment(client, plain, HOURLY, IDLE)  # somebody chose to leave that one out
    assert not resumed(client, client.read_deployment(partly))
    client.pause_deployment(partly)
    assert resumed(client, client.read_deployment(partly))
    found = {one.schedule.cron: one.active for one in client.read_deployment(partly).schedules}  # type: ignore[union-attr]
    assert found == {"0 * * * *": True, "30 * * * *": False}


def test_runs_that_are_cancelled_are_counted_by_rule_and_signed_where_there_were_any(
    client: SyncPrefectClient, store: Engine
) -> None:
    (busy, one), (idle, two) = a_deployment(client), a_deployment(client)
    running = Team(client).put(one, Running())
    now = datetime.now(UTC)
    found = cancel_runs(store, {busy: one, idle: two}, by="ana", now=now)
    assert found == {busy: Cancelled([running.id]), idle: Cancelled()}
    state = client.read_flow_run(running.id).state
    assert state is not None
    assert state.is_cancelled() or state.is_cancelling()
    assert signed(store, "rule-cancelled") == [("ana", busy, now)]


def test_prefect_is_summed_up_since_a_moment(client: SyncPrefectClient, now: datetime) -> None:
    _, key = a_deployment(client)
    team = Team(client)
    team.put(key, Running())
    for state in (Completed(), Failed(), Crashed()):
        team.put(key, Running(), state)
    found = prefect_summary(now - timedelta(minutes=1))
    assert found.running >= 1
    assert found.completed >= 1
    assert found.failed >= 2
    later = prefect_summary(now + timedelta(days=1))
    assert (later.completed, later.failed) == (0, 0)


def test_without_prefect_each_says_so(store: Engine, now: datetime) -> None:
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        for asked in (
            lambda: run_now(store, [uuid4()], by="ana", now=now),
            lambda: change(store, [uuid4()], "rule-paused", by="ana", now=now),
            lambda: cancel_runs(store, {"disk": uuid4()}, by="ana", now=now),
            lambda: reconcile_now(store, get_settings()),
            lambda: prefect_summary(now),
        ):
            with pytest.raises(SentinelError, match="Prefect"):
                asked()
    assert rows(store, "audit_entry") == []
