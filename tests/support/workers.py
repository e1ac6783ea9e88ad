"""A pool with a worker of either type, the runs given to it and what they left behind."""

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import ConcurrencyOptions, FlowRun, State
from prefect.flows import Flow
from prefect.utilities.callables import parameter_schema
from sqlalchemy import Engine

from sentinel_core.base.settings import Settings
from sentinel_core.flow.opening import open_store
from sentinel_core.flow.reconcile import Report, reconcile
from tests.support.deployed import rows
from tests.support.prefect import PrefectServer, client_of, make_pool
from tests.support.processes import BIN, ROOT, cpu_seconds, running, wait_for
from tests.support.rules import contract
from tests.support.stores import migrate

WORKER_TYPES = ("process", "sentinel")
CONTRACT = "tests/support/rules/contract.py"
QUERY_SECONDS = 0.5


@cache
def _form(flow: Flow[..., Any]) -> dict[str, Any]:
    """The parameters of a flow, which take a quarter of a second."""
    return parameter_schema(flow).model_dump_for_openapi()


@dataclass(frozen=True)
class Workplace:
    """One pool of one type, with the store its runs are recorded in."""

    type: str
    pool: str
    server: PrefectServer
    client: SyncPrefectClient
    store: Engine
    settings: Settings
    folder: Path

    @property
    def is_sentinel(self) -> bool:
        """Are runs served by Sentinel's own worker?"""
        return self.type == "sentinel"

    @property
    def log(self) -> Path:
        """What the workers of this pool print."""
        return self.folder / f"worker-{self.pool}.log"

    @contextlib.contextmanager
    def worker(self, *, limit: int = 2, **env: str) -> Iterator[subprocess.Popen[bytes]]:
        """A worker of this type for this pool, up once Prefect knows it."""
        command = [str(BIN / "prefect"), "worker", "start", "--pool", self.pool]
        command += ["--type", self.type, "--limit", str(limit)]
        env = {
            **self.server.env,
            "SENTINEL_DATABASE_URL": self.settings.database_url,
            "PREFECT_WORKER_QUERY_SECONDS": str(QUERY_SECONDS),
            **env,
        }
        known = self._workers()
        with running(*command, env=env, log=self.log) as process:
            wait_for(
                lambda: process.poll() is not None or self._workers() > known,
                what=f"the {self.type} worker",
                progress=lambda: cpu_seconds(process.pid),
            )
            assert process.poll() is None, f"the worker ended:\n{self.log.read_text()}"
            yield process
        self._shorten_log()

    def wait_polls(self, times: int = 3) -> None:
        """Until a worker of this pool has asked Prefect for runs so many times more."""
        for _ in range(times):
            before = self._polled()
            wait_for(
                lambda before=before: self._polled() != before,
                what=f"a worker of {self.pool} to ask for runs",
            )

    def _polled(self) -> datetime | None:
        [queue] = self.client.read_work_queues(work_pool_name=self.pool)
        return queue.last_polled

    def _workers(self) -> int:
        return len(self.client.read_workers_for_work_pool(self.pool))

    def _shorten_log(self) -> None:
        """One of the triggers prints 100 MB: nobody wants that in a temporary folder."""
        if self.log.stat().st_size > 20 * contract.MEGABYTE:
            with self.log.open(errors="replace") as file:
                kept = [line for line in file if not line.startswith(contract.PRINTED[:100])]
            self.log.write_text("".join(kept))

    def deploy(
        self,
        name: str,
        flow: Flow[..., Any],
        *,
        entrypoint: str | None = None,
        root: Path = ROOT,
        check: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        job_variables: Mapping[str, Any] | None = None,
        schedules: Sequence[DeploymentScheduleCreate] = (),
        cancel_new: bool = False,
    ) -> UUID:
        """What `prefect deploy` makes of a rule; in this process, which is a hundred times faster.

        `env` are environment variables of the deployment, `cancel_new` allows one run at a time.
        """
        return self.client.create_deployment(
            flow_id=self.client.create_flow_from_name(flow.name),
            name=f"{self.pool}-{name}",
            entrypoint=entrypoint or f"{CONTRACT}:{flow.fn.__name__}",
            work_pool_name=self.pool,
            parameters={"check": dict(check or {})},
            parameter_openapi_schema=_form(flow),
            pull_steps=[
                {"prefect.deployments.steps.set_working_directory": {"directory": str(root)}}
            ],
            job_variables={**(job_variables or {}), **({"env": dict(env)} if env else {})},
            schedules=list(schedules),
            concurrency_limit=1 if cancel_new else None,
            concurrency_options=(
                ConcurrencyOptions(collision_strategy="CANCEL_NEW") if cancel_new else None
            ),
        )

    def rule(
        self, name: str, mode: contract.Mode, flow: Flow[..., Any] = contract.contract, **more: Any
    ) -> "DeployedRule":
        """A rule of its own that does what `mode` says."""
        check = {"folder": str(self.folder), "mode": mode}
        return DeployedRule(
            self, f"{self.pool}-{name}", self.deploy(name, flow, check=check, **more)
        )

    def start(
        self,
        mode: contract.Mode,
        flow: Flow[..., Any] = contract.contract,
        *,
        name: str | None = None,
        **more: Any,
    ) -> "DeployedRun":
        """A run, now, of a rule of its own that does what `mode` says."""
        return self.rule(name or mode.replace(" ", "-").replace(".", "-"), mode, flow, **more).run()

    def reconcile_adds_nothing_for(self, *runs: "DeployedRun") -> bool:
        """Have their hooks told the store already, and does it stay at that?"""
        before = [run.evaluations for run in runs]
        self.reconcile()
        return all(before) and before == [run.evaluations for run in runs]

    def reconcile(self) -> Report:
        """What the housekeeping flow does every minute; nothing is too young for it here."""
        return reconcile(
            self.client, self.store, self.settings, say=lambda _: None, settle=timedelta(0)
        )


@dataclass(frozen=True)
class DeployedRule:
    """One deployed rule."""

    place: Workplace
    name: str
    id: UUID

    def run(self, **options: Any) -> "DeployedRun":
        """A run as Prefect's "Quick run" makes it."""
        made = self.place.client.create_flow_run_from_deployment(self.id, **options)
        return DeployedRun(self.place, self.name, made.id)

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """This rule's events, oldest first."""
        found = rows(
            self.place.store, "SELECT * FROM alert_event WHERE rule_name = :r", r=self.name
        )
        return [row for row in found if kind in (None, row["kind"])]


@dataclass(frozen=True)
class DeployedRun:
    """One flow run: what Prefect, the store and the trigger itself tell of it."""

    place: Workplace
    rule_name: str
    id: UUID

    @property
    def now(self) -> FlowRun:
        """The run as Prefect knows it now."""
        return self.place.client.read_flow_run(self.id)

    @property
    def state(self) -> State[Any]:
        """Its state now."""
        state = self.now.state
        assert state is not None
        return state

    @property
    def is_final(self) -> bool:
        """Has it ended?"""
        return self.state.is_final()

    def wait(self, seconds: float = 90) -> "DeployedRun":
        """This run, once it has ended."""
        wait_for(
            lambda: self.is_final,
            seconds=seconds,
            what=f"{self.rule_name} to end",
            every=0.1,
            progress=lambda: (self.state.name, len(self.facts)),
        )
        return self

    def wait_started(self, attempt: int = 1) -> "DeployedRun":
        """This run, once the trigger is at work (for the nth time)."""
        wait_for(
            lambda: len(self.facts) >= attempt,
            what=f"{self.rule_name} to be at work",
            every=0.05,
        )
        return self

    def wait_recorded(self, seconds: float = 30) -> "DeployedRun":
        """This run, once its hooks (there is one of Sentinel's and one of the test's) have run."""
        wait_for(
            lambda: self.evaluations and self.hooks,
            seconds=seconds,
            what=f"the hooks of {self.rule_name}",
            every=0.1,
        )
        return self

    def file(self, kind: str) -> Path:
        """A file the trigger or a hook leaves for this run."""
        return self.place.folder / f"{self.id}.{kind}"

    def let_go(self) -> None:
        """Let a trigger that waits go on."""
        self.file("go").touch()

    @property
    def facts(self) -> list[dict[str, Any]]:
        """What each attempt said of itself."""
        return [json.loads(line) for line in self._lines("facts")]

    @property
    def pid(self) -> int:
        """The process of the last attempt."""
        return int(self.facts[-1]["pid"])

    @property
    def hooks(self) -> list[str]:
        """The hooks that ran, by name."""
        return [line.split()[0] for line in self._lines("hooks")]

    def _lines(self, kind: str) -> list[str]:
        file = self.file(kind)
        # A line still being written has no end yet.
        return file.read_text().rpartition("\n")[0].splitlines() if file.exists() else []

    @property
    def evaluations(self) -> list[dict[str, Any]]:
        """The rows of this run in the store."""
        return rows(
            self.place.store,
            "SELECT * FROM evaluation WHERE prefect_flow_run_id = :run ORDER BY id",
            run=self.id.hex,
        )

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The events of its rule."""
        return DeployedRule(self.place, self.rule_name, self.id).events(kind)

    @property
    def logs(self) -> list[str]:
        """Its log in Prefect."""
        of_this = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[self.id]))
        return [log.message for log in self.place.client.read_logs(of_this, limit=200)]

    def wait_logged(self, words: str) -> None:
        """Until a line of its log has the words: Prefect sends lines up to two seconds later."""
        wait_for(
            lambda: any(words in line for line in self.logs),
            what=f"{words!r} in the log of {self.rule_name}",
            every=0.5,
        )

    def wait_ticks(self, times: int = 3) -> None:
        """Until a waiting trigger has ticked so many times more."""
        ticks = self.file("ticks")

        def latest() -> str:
            return ticks.read_text() if ticks.exists() else ""  # it has begun a moment ago

        def moved_on(before: str) -> bool:
            return latest() not in ("", before)

        for _ in range(times):
            wait_for(partial(moved_on, latest()), what=f"{self.rule_name} to go on", every=0.05)

    def wait_stopped(self) -> None:
        """Until a waiting trigger has been left, or its process is gone."""
        wait_for(
            lambda: self.file("left").exists() or gone(self.pid),
            what=f"{self.rule_name} to stop working",
        )


@contextlib.contextmanager
def workplace(server: PrefectServer, folder: Path, kind: str, pool: str) -> Iterator[Workplace]:
    """A pool of this type and a new event store; no worker yet."""
    settings = Settings(database_url=f"sqlite:///{folder / 'sentinel.db'}", stuck_grace_seconds=0)
    migrate(settings.database_url)
    with client_of(server) as client:
        make_pool(client, pool, kind)
        store = open_store(settings)
        try:
            yield Workplace(kind, pool, server, client, store, settings, folder)
        finally:
            store.dispose()


def wait_all(runs: Mapping[str, DeployedRun] | list[DeployedRun], seconds: float) -> None:
    """Until every run has ended."""
    left = list(runs.values() if isinstance(runs, Mapping) else runs)

    def all_ended() -> bool:
        left[:] = [run for run in left if not run.is_final]
        return not left

    try:
        wait_for(
            all_ended,
            seconds=seconds,
            what="the runs to end",
            every=0.3,
            progress=lambda: [run.id for run in left],
        )
    except AssertionError:
        states = {run.rule_name: run.state.name for run in left}
        raise AssertionError(f"after {seconds:g} s these had not ended: {states}") from None


def gone(pid: int) -> bool:
    """Is there no such process (a zombie is none)?"""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
