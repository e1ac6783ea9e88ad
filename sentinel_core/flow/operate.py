"""What people do by hand: run, pause and resume rules in Prefect, and reconcile now."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import PrefectException
from prefect.states import Scheduled
from sqlalchemy import Engine

from sentinel_core.base.errors import SentinelError
from sentinel_core.base.settings import Settings
from sentinel_core.flow.reconcile import reconcile
from sentinel_core.prefect_io.cancel import Cancelled, cancel
from sentinel_core.prefect_io.client import prefect_api
from sentinel_core.prefect_io.facts import is_rule, rule_facts
from sentinel_core.prefect_io.summary import Summary, summary
from sentinel_core.store.record.rules import audit_rules
from sentinel_core.store.state.rules import sync
from sentinel_core.wording.text import flat, without_userinfo

Change = Literal["rule-paused", "rule-resumed"]
SPREAD = timedelta(seconds=1)  # between runs: Prefect's own SQLite does not like many at once


def paused(client: SyncPrefectClient, item: DeploymentResponse) -> bool:
    """Pause a deployment; False when it was paused."""
    if item.paused:
        return False
    client.pause_deployment(item.id)
    return True


def resumed(client: SyncPrefectClient, item: DeploymentResponse) -> bool:
    """Resume a deployment, and its schedules where none is active; False when it was running."""
    stopped = bool(item.schedules) and not any(schedule.active for schedule in item.schedules)
    if not item.paused and not stopped:
        return False
    if item.paused:
        client.resume_deployment(item.id)
    for schedule in item.schedules if stopped else ():
        client.update_deployment_schedule(item.id, schedule.id, active=True)
    return True


CHANGES: dict[Change, Callable[[SyncPrefectClient, DeploymentResponse], bool]] = {
    "rule-paused": paused,
    "rule-resumed": resumed,
}


def start_run(client: SyncPrefectClient, deployment_id: UUID, at: datetime) -> UUID:
    """The id of a new run of a deployment, scheduled for `at`."""
    run = client.create_flow_run_from_deployment(deployment_id, state=Scheduled(scheduled_time=at))
    return run.id


def run_now(
    engine: Engine, deployment_ids: Sequence[UUID], *, by: str, now: datetime
) -> list[UUID]:
    """The ids of new runs of these deployments, a second apart, each signed in the audit.

    Raises SentinelError when Prefect or the store refuses; runs before that one stay started.
    """
    started: list[UUID] = []
    try:
        with prefect_api() as client:
            for place, deployment_id in enumerate(deployment_ids):
                name = client.read_deployment(deployment_id).name
                started.append(start_run(client, deployment_id, now + place * SPREAD))
                audit_rules(engine, [name], "rule-run", by=by, now=now)
    except (httpx.HTTPError, PrefectException) as error:
        raise _stopped(error, len(started), "started") from error
    return started


def cancel_runs(
    engine: Engine, deployments: Mapping[str, UUID], *, by: str, now: datetime
) -> dict[str, Cancelled]:
    """Cancel the runs of these rules that run or should have begun; what became of them, by rule.

    Each rule of which a run was cancelled is signed in the audit. Raises SentinelError when Prefect
    or the store refuses; the runs of rules before that one stay cancelled.
    """
    found: dict[str, Cancelled] = {}
    try:
        with prefect_api() as client:
            for name, deployment_id in deployments.items():
                found[name] = cancel(client, deployment_id, now)
                if found[name].cancelled:
                    audit_rules(engine, [name], "rule-cancelled", by=by, now=now)
    except (httpx.HTTPError, PrefectException) as error:
        raise _stopped(error, len(found), "looked at") from error
    return found


def change(
    engine: Engine, deployment_ids: Sequence[UUID], action: Change, *, by: str, now: datetime
) -> int:
    """Pause or resume these deployments, each signed in the audit; the number that changed.

    Raises SentinelError when Prefect or the store refuses; rules before that one stay changed.
    """
    did = 0
    try:
        with prefect_api() as client:
            for deployment_id in deployment_ids:
                item = client.read_deployment(deployment_id)
                if not CHANGES[action](client, item):
                    continue
                audit_rules(engine, [item.name], action, by=by, now=now)
                did += 1
                if is_rule(item):
                    # A rule that is paused on purpose must not be called silent until reconcile.
                    flow = client.read_flow(item.flow_id).name
                    sync(engine, [rule_facts(client.read_deployment(item.id), flow)], now)
    except (httpx.HTTPError, PrefectException) as error:
        raise _stopped(error, did, "changed") from error
    return did


def reconcile_now(engine: Engine, settings: Settings) -> str:
    """Compare Prefect's runs with the record now; the result as a sentence.

    Raises SentinelError.
    """
    try:
        with prefect_api() as client:
            return reconcile(client, engine, settings, say=lambda _line: None).sentence()
    except (httpx.HTTPError, PrefectException) as error:
        raise SentinelError(f"Prefect's API reports an error: {_reason(error)}") from error


def prefect_summary(since: datetime) -> Summary:
    """Prefect's flow runs since a moment, and its workers. Raises SentinelError."""
    try:
        with prefect_api() as client:
            return summary(client, since)
    except (httpx.HTTPError, PrefectException) as error:
        raise SentinelError(f"Prefect's API reports an error: {_reason(error)}") from error


def _stopped(error: Exception, did: int, verb: str) -> SentinelError:
    return SentinelError(f"Prefect refused after {did} {verb}: {_reason(error)}")


def _reason(error: Exception) -> str:
    return without_userinfo(flat(str(error) or type(error).__name__, 300))
