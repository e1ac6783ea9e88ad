"""Events of rules that were removed: their deployment no longer exists, so no run can end them.

Only an answer of Prefect removes a rule. Where Prefect does not answer, or is another server than
the one of the rules on record, it is not known whether a rule still exists, and nothing ends.
"""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.exceptions import ObjectNotFound
from sqlalchemy import Engine, RowMapping

from sentinel_core.prefect_io.deploy_lease import current_holder, variable_of
from sentinel_core.prefect_io.unfinished_deploy import mark_of, read_mark
from sentinel_core.store.record.removed import resolve_removed
from sentinel_core.store.state.rules import all_rules, rules_with_open_events
from sentinel_core.wording.text import counted

ABSENT = timedelta(minutes=5)  # another server's reconcile would have seen the rule meanwhile

Say = Callable[[str], None]


def end_events_of_removed(
    client: SyncPrefectClient,
    engine: Engine,
    present: Collection[UUID],
    now: datetime,
    *,
    store_variable: str,
    say: Say,
) -> int:
    """Resolve the events of removed rules; returns how many.

    `present` are the deployments of all rules that Prefect has. Raises what its client raises.
    """
    missing = [
        row
        for row in rules_with_open_events(engine)
        if row["deployment_id"] not in present
        and row["last_prefect_sync"] is not None
        and row["last_prefect_sync"] <= now - ABSENT
    ]
    if not missing or _is_deploying(client, store_variable):
        return 0
    known_here = any(row["deployment_id"] in present for row in all_rules(engine))
    removed = [
        row
        for row in missing
        if _has_no(client, row["deployment_id"])
        and (known_here or _has_flow(client, row["flow_name"]))
    ]
    return sum(_end(engine, row, now, say) for row in removed)


def end_events_of(engine: Engine, deleted: Collection[UUID], now: datetime, *, say: Say) -> int:
    """Resolve the events of rules whose deployments were deleted just now; returns how many."""
    rows = [row for row in rules_with_open_events(engine) if row["deployment_id"] in deleted]
    return sum(_end(engine, row, now, say) for row in rows)


def _end(engine: Engine, row: RowMapping, now: datetime, say: Say) -> int:
    resolved = resolve_removed(engine, row["id"], row["deployment_id"], now)
    if resolved:
        say(f"{row['name']}: removed, so {counted(len(resolved), 'open event')} of it ended")
    return len(resolved)


def _is_deploying(client: SyncPrefectClient, store_variable: str) -> bool:
    """True while deployments come and go, or were left half done."""
    if current_holder(client, variable_of(store_variable)) is not None:
        return True
    return read_mark(client, mark_of(store_variable)) is not None


def _has_no(client: SyncPrefectClient, deployment_id: UUID) -> bool:
    """True if Prefect says that it has no such deployment."""
    try:
        client.read_deployment(deployment_id)
    except ObjectNotFound:
        return True
    return False


def _has_flow(client: SyncPrefectClient, name: str) -> bool:
    """True if Prefect has the flow, which outlives its deployments: it is the rule's server."""
    wanted = FlowFilter(name=FlowFilterName(any_=[name]))
    return bool(client.read_flows(flow_filter=wanted, limit=1))
