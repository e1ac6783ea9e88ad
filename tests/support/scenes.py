"""Scenarios: rules deployed for real, whose runs are due at chosen moments and run in this process.

Prefect's server makes each run and hears of its states, Prefect's engine runs it, its hook records
it: only the worker that would wait for the due time is left out.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.responses import DeploymentResponse
from prefect.context import SyncClientContext
from prefect.logging import get_logger
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, PREFECT_LOGGING_TO_API_ENABLED
from prefect.states import Pending, Scheduled
from sqlalchemy import Engine, select

from sentinel_core.model.run import Rule
from sentinel_core.prefect_io.facts import rule_facts
from sentinel_core.store.db.engine import reading
from sentinel_core.worker.pool import prefect_internals as _private
from tests.support.prefect import PrefectServer, connected_to
from tests.support.runs import TABLES, rows

MINUTE = timedelta(minutes=1)


@contextlib.contextmanager
def running_here(server: PrefectServer) -> Iterator[None]:
    """Runs of this process belong to this server. No heartbeats: they cost a second each."""
    settings = {
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
        PREFECT_LOGGING_TO_API_ENABLED: False,
    }
    with connected_to(server.api_url, settings), SyncClientContext():
        yield


@dataclass
class Scene:
    """One deployed rule and what is on record of it, from a moment three hours ago on."""

    client: SyncPrefectClient
    engine: Engine
    flow: Flow[..., Any]
    deployment: DeploymentResponse
    start: datetime = field(
        default_factory=lambda: datetime.now(UTC).replace(second=0, microsecond=0) - 180 * MINUTE
    )
    states: list[State[Any]] = field(default_factory=list)

    def at(self, minute: float) -> datetime:
        """That many minutes after the start."""
        return self.start + minute * MINUTE

    def run(self, minute: float, shown: float | str | None = None, **check: Any) -> list[str]:
        """A run that was due then, of a single dial or as `check` says; its reasons, by ticker."""
        given = {**self.deployment.parameters["check"], **check}
        if shown is not None:
            given["readings"] = {"": shown}
        run = self.client.create_flow_run_from_deployment(
            self.deployment.id,
            parameters={**self.deployment.parameters, "check": given},
            state=Scheduled(scheduled_time=self.at(minute)),
        )
        return self.take(run)

    def take(self, run: FlowRun) -> list[str]:
        """Run a run that Prefect has made, now; its reasons."""
        self.client.set_flow_run_state(run.id, Pending())
        with contextlib.suppress(Exception):  # a check that fails: Prefect has been told
            _private.run(self.flow, self.client.read_flow_run(run.id), get_logger())
        ended = self.client.read_flow_run(run.id).state
        assert ended is not None and ended.is_final(), ended
        self.states.append(ended)
        c = TABLES["evaluation"].c
        reasons = select(c.decision_reason).where(c.prefect_flow_run_id == run.id)
        with reading(self.engine) as connection:
            return list(connection.scalars(reasons.order_by(c.ticker, c.kind)))

    @property
    def rule(self) -> Rule:
        """The rule as Prefect has it."""
        return rule_facts(self.deployment, self.flow.name)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rule's rows of a table, oldest first."""
        [rule] = rows(self.engine, "alert_rule", deployment_id=self.deployment.id)
        return rows(self.engine, table, rule_id=rule["id"])

    def events(self) -> list[tuple[str, str, str | None]]:
        """Kind, ticker and end of each event."""
        return [(e["kind"], e["ticker"], e["resolution"]) for e in self.rows("alert_event")]

    def told(self) -> list[tuple[str, str]]:
        """What people were told, and what became of it."""
        ids = {event["id"] for event in self.rows("alert_event")}
        owed = rows(self.engine, "notification")
        return [(n["reason"], n["status"]) for n in owed if n["event_id"] in ids]
