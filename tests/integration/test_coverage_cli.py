"""`sentinel rules coverage`: what was due and what happened, with a real server and real runs."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.states import Cancelled, Completed, Crashed, Running, Scheduled
from sqlalchemy import Engine

from sentinel_core.base.settings import get_settings
from sentinel_core.decide.due import Outcome
from sentinel_core.prefect_io.client import all_deployments
from sentinel_core.prefect_io.facts import rule_facts, run_facts
from sentinel_core.report.account import Account, Known, Span, State
from sentinel_core.report.accounts import deployment_accounts, removed_accounts, rule_accounts
from sentinel_core.store.state.rules import sync
from tests.support.command import Command
from tests.support.deployed import Deployed, deploy, rule_yaml
from tests.support.prefect import PrefectServer, client_of
from tests.support.processes import wait_for
from tests.support.runs import quiet, told

DISK = "flows/system.py:disk_usage"
POOL = "coverage"
HOUR = timedelta(hours=1)
HOURLY = [{"cron": "0 * * * *", "timezone": "UTC"}]


@flow
def nobodys_pipeline() -> None:
    """Somebody's own flow."""


@pytest.fixture(scope="module")
def client(server: PrefectServer) -> Iterator[SyncPrefectClient]:
    with client_of(server) as connected:
        yield connected


@pytest.fixture
def name() -> str:
    return f"disk-{uuid4().hex[:8]}"


def deployed_rule(
    client: SyncPrefectClient, name: str, schedules: list[dict[str, str]], **policy: object
) -> Deployed:
    check = {"path": "/"}
    deploy(client, rule_yaml(name, DISK, check, pool=POOL, schedules=schedules, policy=policy))
    return Deployed.find(client, f"disk-usage/{name}")


def own_pipeline(client: SyncPrefectClient, name: str, every: timedelta) -> UUID:
    """A deployment of somebody's own flow."""
    return client.create_deployment(
        flow_id=client.create_flow(nobodys_pipeline),
        name=name,
        schedules=[DeploymentScheduleCreate(schedule=IntervalSchedule(interval=every))],
    )


def record_definition(client: SyncPrefectClient, store: Engine, rule: Deployed) -> None:
    """What reconcile does with a new rule."""
    item = client.read_deployment(rule.id)
    sync(store, [rule_facts(item, "disk-usage")], datetime.now(UTC))


def coming_hours(count: int) -> list[datetime]:
    """The next whole hours: a deployment was not due before it was made."""
    now = datetime.now(UTC)
    first = now.replace(minute=0, second=0, microsecond=0) + HOUR
    return [first + number * HOUR for number in range(count)]


def due_run(client: SyncPrefectClient, deployment: UUID, due: datetime) -> UUID:
    state = Scheduled(scheduled_time=due)
    return client.create_flow_run_from_deployment(deployment, state=state).id


def outcomes(account: Account) -> dict[datetime, Outcome]:
    return {one.at: one.outcome for one in account.due_times}


def test_each_due_time_of_a_rule_has_what_became_of_it(
    client: SyncPrefectClient, store: Engine, name: str
) -> None:
    rule = deployed_rule(client, name, HOURLY)
    record_definition(client, store, rule)
    facts = rule_facts(client.read_deployment(rule.id), "disk-usage")
    evaluated, crashed, lost, cancelled, late, running, gone, last = coming_hours(8)

    for due, state in ((lost, Completed()), (cancelled, Cancelled()), (running, Running())):
        client.set_flow_run_state(due_run(client, rule.id, due), state, force=True)
    due_run(client, rule.id, late)
    for due, state in ((evaluated, Completed()), (crashed, Crashed())):
        key = due_run(client, rule.id, due)
        client.set_flow_run_state(key, state, force=True)
        run = run_facts(client.read_flow_run(key))
        # It would count for its end: it ended before it was due.
        run = replace(run, state_at=due + timedelta(seconds=2), started_at=due)
        told(store, facts, run, [quiet()] if state.is_completed() else None)

    span = Span(datetime.now(UTC) - HOUR, last + HOUR, last + HOUR)
    mine = [one for one in all_deployments(client) if one[0].id == rule.id]
    [account] = rule_accounts(client, store, mine, span)
    assert account.known is Known.DEPLOYED
    assert outcomes(account) == {
        evaluated: Outcome.EVALUATED,
        crashed: Outcome.FAILED,
        lost: Outcome.UNKNOWN,
        cancelled: Outcome.SKIPPED,
        late: Outcome.MISSED,
        running: Outcome.WAITING,
        gone: Outcome.MISSED,
        last: Outcome.WAITING,
    }
    reasons = {one.at: one.reason for one in account.due_times}
    assert reasons[crashed] == "Crashed"
    assert reasons[late] == "its run has not started"
    assert reasons[gone] == "no run"
    assert reasons[running] == "its run has not ended: Running"

    client.delete_deployment(rule.id)
    [left] = removed_accounts(store, all_deployments(client), span)
    assert (left.name, left.state, left.before) == (name, State.REMOVED, 1)


def test_of_somebodys_own_deployment_prefects_runs_say_what_happened(
    client: SyncPrefectClient, name: str
) -> None:
    key = own_pipeline(client, name, HOUR)
    try:
        item = client.read_deployment(key)
        anchor = item.schedules[0].schedule.anchor_date  # type: ignore[union-attr]
        done, crashed, missed = [anchor + number * HOUR for number in (1, 2, 3)]
        for due, state in ((done, Completed()), (crashed, Crashed())):
            run = due_run(client, key, due)
            client.set_flow_run_state(run, state, force=True)
        span = Span(anchor + HOUR / 2, anchor + 3.5 * HOUR, anchor + 40 * HOUR)
        mine = [one for one in all_deployments(client) if one[0].id == key]
        [account] = deployment_accounts(client, mine, span)
        assert account.name == f"nobodys-pipeline/{name}"
        assert list(outcomes(account).values()) == [
            Outcome.EVALUATED,
            Outcome.FAILED,
            Outcome.MISSED,
        ]
        assert account.times(Outcome.MISSED) == [missed]

        client.pause_deployment(key)
        mine = [one for one in all_deployments(client) if one[0].id == key]
        [paused] = deployment_accounts(client, mine, span)
        assert (paused.state, paused.due, paused.is_short) == (State.PAUSED, 2, False)
    finally:
        client.delete_deployment(key)


@pytest.fixture
def sentinel(store: Engine, server: PrefectServer, tmp_path: Path) -> Iterator[Command]:
    env = {"PREFECT_API_URL": server.api_url}
    yield Command(str(store.url), tmp_path, env)
    get_settings.cache_clear()


def test_the_command_names_the_due_times_that_were_missed_and_fails(
    client: SyncPrefectClient, store: Engine, sentinel: Command, name: str
) -> None:
    rule = deployed_rule(client, name, [], grace_seconds=0.5)
    every_second = IntervalSchedule(interval=timedelta(seconds=1))
    client.create_deployment_schedules(rule.id, [(every_second, True)])
    record_definition(client, store, rule)
    due_run(client, rule.id, datetime.now(UTC) + timedelta(seconds=1))  # and there is no worker

    def short() -> bool:
        return sentinel.run("rules", "coverage", name).returncode == 1

    try:
        wait_for(short, what="a due time to be missed")
        printed = sentinel.run("rules", "coverage", name)
        [header, row] = printed.stdout.splitlines()
        assert header.split()[:7] == [
            "rule",
            "due",
            "evaluated",
            "late",
            "failed",
            "skipped",
            "missed",
        ]
        assert row.startswith(name)
        assert "missed " in row
        assert "deployed" in row
        assert "missed (1 of 1 rules and deployments)" in printed.stderr
        done = sentinel.run("rules", "coverage", name.upper(), "--json")
        assert done.returncode == 1
        said = json.loads(done.stdout)
        [one] = said["coverage"]
        assert (said["ok"], one["name"], one["kind"]) == (False, name, "rule")
        assert one["missed"] == len([t for t in one["due_times"] if t["outcome"] == "missed"])
        assert one["due"] == one["missed"] + one["waiting"]
        sentinel("rules", "pause", name, "--comment", "moving disks")
        paused = sentinel.run("rules", "coverage", name).stdout
        assert "by ana" in paused
        assert "paused now" in paused
        near = sentinel.refused("rules", "coverage", f"{name}x")
        assert near.startswith(f"no rule is named '{name}x'; did you mean {name}?")
        assert near == sentinel.refused("rules", "coverage", name, f"{name}x")
    finally:
        client.delete_deployment(rule.id)


def test_a_rule_that_is_not_due_yet_is_not_called_checked(
    client: SyncPrefectClient, store: Engine, sentinel: Command, name: str
) -> None:
    rule = deployed_rule(client, name, [{"cron": "0 0 1 1 *", "timezone": "UTC"}])
    record_definition(client, store, rule)
    try:
        said = sentinel("rules", "coverage", name, "--days", "7")
        assert "not due yet; next at 01-01 00:00; deployed" in said
        assert "no due time missed" in said
        assert "reconcile has never run" in said
        assert "both say how far back" in sentinel.refused(
            "rules", "coverage", "--days", "2", "--since", "3d"
        )
        assert "is not before" in sentinel.refused(
            "rules", "coverage", "--since", "1h", "--until", "2h"
        )
    finally:
        client.delete_deployment(rule.id)
