"""Prefect's process worker against the sentinel worker: CPU, rate and memory, on one server.

Rules are `flows/system.py:disk_usage`, one in ten fires; each may run once at a time, as in
prefect.yaml. In steps of a minute and more, so many rules have a schedule of a run a minute,
evenly spread over it, and Prefect's scheduler makes their runs. In shorter ones the runs are
created beforehand, one of each rule: these cost more, as each run's deployment is read. The offered
rate rises step by step. A step is sustained when 95 % of its runs start less than 5 s late,
lateness doesn't grow, and all runs end Completed and are on record exactly once.

CPU is that of all processes: the worker, what it starts and what that starts, of the living and of
those that have ended (tests/support/usage.py says how), from before the first run of a step may
start until the last has ended, divided by the number of runs. `cpu_ratio` compares the highest
step of each worker in which every run ended well, in time or not. The Prefect server is counted
separately, PostgreSQL included if it has one.

With `--api-processes` the server has several, which share PostgreSQL and Redis, and its services
have one of their own; each part is counted for itself.

Memory is proportional (PSS) and of all processes of the worker: with runs at work minus with none
before the first run, divided by the number of runs.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from redis import Redis
from sqlalchemy import create_engine, text

from benchmarks._support import report
from benchmarks.flows.waiting import waiting
from flows.system import disk_usage
from sentinel_core.up.commands import database_commands, services_command
from sentinel_core.up.scaled import DATABASE, REDIS, settings_of
from tests.support.databases import debian_postgres, redis_server
from tests.support.load import (
    Lateness,
    create_runs,
    records_of,
    runs_due,
    schedule_each_minute,
    unschedule,
)
from tests.support.prefect import PrefectServer, clean_environment, prefect_server
from tests.support.processes import running, wait_for
from tests.support.usage import Usage
from tests.support.workers import Workplace, workplace

STOCK = "SENTINEL_STOCK_PREFECT"
SQLITE, POSTGRES = "sqlite", "postgresql"
LATE_SECONDS = 5.0
PREFETCH_SECONDS = 10  # how far ahead a worker looks by default
DRAIN_SECONDS = 45
MINUTE = 60
LEAD_SECONDS = 20  # until the first run of rules that get a schedule
WARM_UP_RUNS = {"process": 2, "sentinel": 40}


@dataclass(frozen=True)
class Setup:
    """What is measured and how."""

    workers: list[str]
    rates: dict[str, list[int]]
    seconds: int
    held: int
    limits: dict[str, int]
    database: str
    api_processes: int
    one_at_a_time: bool
    worker_env: dict[str, str]

    @property
    def engine(self) -> str:
        """What kind of database, without what its URL holds besides."""
        return self.database.partition(":")[0]


@dataclass(frozen=True)
class Step:
    """What came of one offered rate."""

    per_minute: int
    runs: int
    late: Lateness
    worker_cpu: float
    server_cpu: float
    server_load: float
    parts: dict[str, float]  # CPU seconds for a run of what the server consists of
    failure: str = ""
    complete: bool = False


@dataclass(frozen=True)
class Memory:
    """Megabytes of a worker's processes."""

    none: float
    one: float
    many: float
    held: int

    @property
    def per_run(self) -> float:
        return (self.many - self.none) / self.held


@dataclass(frozen=True)
class Measured:
    """All figures of one worker type."""

    memory: Memory
    idle_cpu: float
    steps: list[Step]

    @property
    def best(self) -> Step | None:
        """The highest sustained step."""
        return next((step for step in reversed(self.steps) if not step.failure), None)

    @property
    def complete(self) -> Step | None:
        """The highest step in which every run ended well."""
        return next((step for step in reversed(self.steps) if step.complete), None)


def say(words: str) -> None:
    """Progress, for whoever waits."""
    print(f"{datetime.now():%H:%M:%S} {words}", file=sys.stderr, flush=True)  # noqa: DTZ005


# -- the server ----------------------------------------------------------------------------------


@contextlib.contextmanager
def measured_server(folder: Path, setup: Setup) -> Iterator[tuple[PrefectServer, dict[str, int]]]:
    """A Prefect server on its database, and the processes to be counted for it."""
    env = {STOCK: setup.worker_env[STOCK]}
    pids: dict[str, int] = {}
    many, database = setup.api_processes, setup.database
    with contextlib.ExitStack() as stack:
        if database == POSTGRES:
            database = stack.enter_context(debian_postgres())
        if database != SQLITE:
            bare = database.partition("://")[2]
            pids |= postmaster(f"postgresql+psycopg://{bare}")
            env[DATABASE] = f"postgresql+asyncpg://{bare}"
        if many > 1:
            redis = stack.enter_context(redis_server(folder))
            env |= {REDIS: redis, **settings_of(many, {REDIS: redis}, env.get(DATABASE, ""))}
            pids |= redis_process(redis)
            known = {**clean_environment(folder), **env}
            for command in database_commands():
                subprocess.run(command, env=known, check=True, capture_output=True)
        server = stack.enter_context(prefect_server(folder, workers=many, **env))
        if many > 1:
            log = folder / "services.log"
            services = running(*services_command(), env=server.env, log=log)
            pids["services"] = stack.enter_context(services).pid
        yield server, {"api": server.pid, **pids}


def redis_process(url: str) -> dict[str, int]:
    """The process of a Redis on this machine."""
    with Redis.from_url(url) as redis:
        return {"redis": int(redis.info("server")["process_id"])}


def postmaster(url: str) -> dict[str, int]:
    """The process that all of PostgreSQL's are children of; nothing when it is elsewhere."""
    engine = create_engine(url)
    with engine.connect() as connection:
        backend = psutil.Process(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
        here = backend.name().startswith("postgres")
        found = {"database": backend.ppid()} if here else {}
    engine.dispose()
    return found


# -- memory --------------------------------------------------------------------------------------


def measure_memory(place: Workplace, setup: Setup) -> tuple[Memory, float]:
    """Megabytes with no, one and many runs at work; and CPU seconds of an idle minute."""
    held = setup.held
    go = place.folder / f"{place.pool}-go"
    rules = [
        place.deploy(
            f"waiting-{n}",
            waiting,
            entrypoint="benchmarks/flows/waiting.py:waiting",
            check={"until": str(go)},
        )
        for n in range(held)
    ]
    with place.worker(limit=held, **setup.worker_env) as worker:
        usage = Usage(worker=worker.pid)
        time.sleep(2)
        none, began, idle = usage.memory_mb("worker"), time.monotonic(), cpu(usage, "worker")
        time.sleep(6)
        idle = (cpu(usage, "worker") - idle) / (time.monotonic() - began) * 60
        place.client.create_flow_run_from_deployment(rules[0])
        one = at_work(place, usage, 1)
        for rule in rules[1:]:
            place.client.create_flow_run_from_deployment(rule)
        many = at_work(place, usage, held)
        go.touch()
        wait_for(lambda: not running_in(place), seconds=60, what="the held runs to end")
    return Memory(none, one, many, held), idle


def running_in(place: Workplace) -> int:
    """How many runs of the pool are at work."""
    ever = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)
    found = runs_due(place.client, place.pool, *ever)
    return sum(run.state is not None and run.state.is_running() for run in found)


def at_work(place: Workplace, usage: Usage, count: int) -> float:
    """Megabytes once so many runs are at work."""
    wait_for(lambda: running_in(place) == count, seconds=120, what=f"{count} runs at once")
    time.sleep(2)
    return usage.memory_mb("worker")


# -- rate ----------------------------------------------------------------------------------------


def deploy_rules(place: Workplace, count: int, one_at_a_time: bool) -> list[DeploymentResponse]:
    """So many rules; every tenth fires."""
    made = [
        place.deploy(
            f"disk-{n}",
            disk_usage,
            entrypoint="flows/system.py:disk_usage",
            check={"path": "/", "threshold": 0 if n % 10 == 9 else 100},
            cancel_new=one_at_a_time,
        )
        for n in range(count)
    ]
    place.reconcile()  # as every minute: a rule's first run need not ask Prefect who it is
    return [place.client.read_deployment(key) for key in made]


class Load:
    """Offers runs to one worker and looks at what becomes of them."""

    def __init__(self, place: Workplace, rules: list[DeploymentResponse], usage: Usage) -> None:
        self.place = place
        self.rules = rules
        self.usage = usage
        self._create_seconds = 0.1  # for one run; corrected by each step

    def offer(self, per_minute: int, seconds: int) -> Step:
        """One step."""
        one = self._once if seconds < MINUTE else self._each_minute
        return one(per_minute, seconds)

    def _each_minute(self, per_minute: int, seconds: int) -> Step:
        """Rules with a schedule, looked at for so long."""
        rules = self.rules[:per_minute]
        start = datetime.now(UTC) + timedelta(seconds=LEAD_SECONDS + 0.2 * len(rules))
        apart = timedelta(seconds=MINUTE) / len(rules)
        moments = [start + apart * n for n in range(len(rules))]
        first = list(zip(rules, moments, strict=True))
        schedules = schedule_each_minute(self.place.server, first)
        if datetime.now(UTC) > start - timedelta(seconds=PREFETCH_SECONDS):
            say("  making the schedules took longer than planned: some runs are missing")
        end = start + timedelta(seconds=seconds)
        sleep_until(start)
        before, began = self.usage.cpu_seconds(), time.monotonic()
        sleep_until(end)
        after, took = self.usage.cpu_seconds(), time.monotonic() - began
        runs = self._when_ended(start, end)
        unschedule(self.place.server, schedules)
        spent = {name: after[name] - used for name, used in before.items()}
        return self._step(per_minute, runs, len(rules) * (seconds // MINUTE), spent, took)

    def _once(self, per_minute: int, seconds: int) -> Step:
        """One run of each rule, created beforehand."""
        rules = self.rules[: max(1, per_minute * seconds // 60)]
        start = self._create(rules, seconds)
        end = start + timedelta(seconds=seconds)
        sleep_until(start - timedelta(seconds=PREFETCH_SECONDS + 1))
        before, began = self.usage.cpu_seconds(), time.monotonic()
        sleep_until(end)
        runs = self._when_ended(start, end)
        spent = {name: used - before[name] for name, used in self.usage.cpu_seconds().items()}
        return self._step(per_minute, runs, len(rules), spent, time.monotonic() - began)

    def _step(
        self,
        per_minute: int,
        runs: list[FlowRun],
        made: int,
        spent: dict[str, float],
        took: float,
    ) -> Step:
        worker = spent.pop("worker")
        step = Step(
            per_minute,
            len(runs),
            Lateness.of([run for run in runs if run.start_time]),
            worker / len(runs),
            sum(spent.values()) / len(runs),
            sum(spent.values()) / took,
            {name: used / len(runs) for name, used in spent.items()},
        )
        if missing := self._missing(runs, made):
            return replace(step, failure=missing)
        return replace(step, failure=behind(step, runs), complete=True)

    def _create(self, rules: list[DeploymentResponse], seconds: int) -> datetime:
        """Create one run of each rule; when the first is due."""
        lead = PREFETCH_SECONDS + 3 + 1.3 * self._create_seconds * len(rules)
        start = datetime.now(UTC) + timedelta(seconds=lead)
        apart = timedelta(seconds=seconds) / len(rules)
        began = time.monotonic()
        moments = [start + apart * n for n in range(len(rules))]
        create_runs(self.place.server, list(zip(rules, moments, strict=True)))
        took = time.monotonic() - began
        self._create_seconds = max(0.03, took / len(rules))
        if took > lead - PREFETCH_SECONDS:
            say("  creating the runs took longer than planned: some were created while measuring")
        return start

    def _when_ended(self, start: datetime, end: datetime) -> list[FlowRun]:
        """The runs, once all have ended or there is no more hope."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while True:
            runs = runs_due(self.place.client, self.place.pool, start, end)
            if all(ended(run) for run in runs) or time.monotonic() > deadline:
                return runs
            time.sleep(2)

    def _missing(self, runs: list[FlowRun], created: int) -> str:
        """Which runs did not end well; empty when all did."""
        completed = [run for run in runs if run.state is not None and run.state.is_completed()]
        if len(runs) != created or len(completed) != created:
            return f"{len(completed)} of {created} completed"
        wrong = [n for n in records_of(self.place.store, runs).values() if n != 1]
        return f"{len(wrong)} not on record once" if wrong else ""

    def clear(self) -> None:
        """Remove what a step left behind, so that nothing of it is in the way of the next."""
        now = datetime.now(UTC)
        day = timedelta(days=1)
        for run in runs_due(self.place.client, self.place.pool, now - day, now + day):
            if not ended(run):
                self.place.client.delete_flow_run(run.id)


def behind(step: Step, runs: list[FlowRun]) -> str:
    """Why a rate can't be kept up; empty when it can."""
    if step.late.p95 >= LATE_SECONDS:
        return "starts too late"
    by_time = sorted(runs, key=lambda run: str(run.expected_start_time))
    third = len(runs) // 3
    if third and Lateness.of(by_time[-third:]).p50 > Lateness.of(by_time[:third]).p50 + 2:
        return "falls behind"
    return ""


def ended(run: FlowRun) -> bool:
    return run.state is not None and run.state.is_final()


def sleep_until(moment: datetime) -> None:
    time.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))


def cpu(usage: Usage, name: str) -> float:
    return usage.cpu_seconds()[name]


def measure_rates(place: Workplace, setup: Setup, pids: dict[str, int]) -> list[Step]:
    """The steps of one worker, up to the first that is not sustained."""
    rates = setup.rates[place.type]
    say(f"{place.type}: deploying rules")
    warm_up = WARM_UP_RUNS[place.type]
    count = max(warm_up, max(rates) * min(setup.seconds, MINUTE) // MINUTE)
    rules = deploy_rules(place, count, setup.one_at_a_time)
    steps: list[Step] = []
    with (
        place.worker(limit=setup.limits[place.type], **setup.worker_env) as worker,
        Usage(worker=worker.pid, **pids).watched() as usage,
    ):
        load = Load(place, rules, usage)
        say(f"{place.type}: warming up")
        load.offer(60 * warm_up, 1)  # all at once: so that every process has been used
        for rate in rates:
            say(f"{place.type}: {rate} runs per minute for {setup.seconds} s")
            step = load.offer(rate, setup.seconds)
            say(f"  {describe(step)}")
            steps.append(step)
            if step.failure:
                load.clear()
                break
    return steps


def describe(step: Step) -> str:
    parts = ", ".join(f"{used:.3f} {name}" for name, used in step.parts.items())
    return (
        f"late p50 {step.late.p50:.2f} p95 {step.late.p95:.2f} max {step.late.most:.2f} s, CPU "
        f"{step.worker_cpu:.3f} s worker, {step.server_cpu:.3f} s server per run ({parts}), "
        f"server at {step.server_load:.0%} of a core; {step.failure or 'sustained'}"
    )


# -- all of it -----------------------------------------------------------------------------------


def measure(setup: Setup, folder: Path) -> dict[str, Measured]:
    """Every worker type in turn, on one server."""
    measured: dict[str, Measured] = {}
    say(f"starting a Prefect server on {setup.engine}, {setup.api_processes} processes of its API")
    with measured_server(folder, setup) as (server, pids):
        for kind in setup.workers:
            with workplace(server, folder, kind, f"bench-{kind}") as place:
                say(f"{kind}: memory of {setup.held} runs at once")
                memory, idle = measure_memory(place, setup)
                measured[kind] = Measured(memory, idle, measure_rates(place, setup, pids))
        locked, dropped = said(folder, "database is locked"), said(folder, "dropping message")
        say(f"the server's database was locked {locked} times; it dropped {dropped} events")
    return measured


def said(folder: Path, words: str) -> int:
    """How often the server's log has these words."""
    return (folder / "server.log").read_text(errors="replace").count(words)


def show(setup: Setup, measured: dict[str, Measured]) -> None:
    """The table, and the JSON object."""
    rows: list[list[object]] = []
    for kind, figures in measured.items():
        for step in figures.steps:
            late = step.late
            rows.append(
                [
                    f"{kind} {step.per_minute}",
                    step.runs,
                    f"{late.p50:.1f} {late.p95:.1f} {late.most:.1f}",
                    f"{step.worker_cpu:.3f}",
                    " ".join(
                        [f"{step.server_cpu:.3f}", *(f"{s:.3f}" for s in step.parts.values())]
                    ),
                    f"{step.server_load:.0%}",
                    step.failure or "sustained",
                ]
            )
    for kind, figures in measured.items():
        memory = figures.memory
        print(
            f"{kind}: {memory.none:.0f} MB before the first run, {memory.one:.0f} with one, "
            f"{memory.many:.0f} with {memory.held}; idle {figures.idle_cpu:.2f} CPU s a minute"
        )
    names = next((" ".join(s.parts) for m in measured.values() for s in m.steps), "")
    columns = ["per min", "runs", "late p50 p95 max", "CPU s/run", f"server: {names}", "load", ""]
    title = f"Seconds; server on {setup.engine}; server: CPU per run, and share of a core"
    report(title, columns, rows, result_of(measured))


def result_of(measured: dict[str, Measured]) -> dict[str, object]:
    """The figures that matter; null for what was not measured or never sustained."""
    best = {kind: figures.best for kind, figures in measured.items()}
    process, ours = best.get("process"), best.get("sentinel")
    cpu = {kind: step.worker_cpu for kind, m in measured.items() if (step := m.complete)}
    highest = measured["sentinel"].complete if "sentinel" in measured else None
    return {
        "server_cpu_s": round(highest.server_cpu, 4) if highest else None,
        "worker_cpu_s": round(highest.worker_cpu, 4) if highest else None,
        "cpu_ratio": round(cpu["process"] / cpu["sentinel"], 1) if len(cpu) == 2 else None,
        "runs_per_min_sentinel": ours.per_minute if ours else None,
        "runs_per_min_process": process.per_minute if process else None,
        "mb_per_run": (
            round(measured["sentinel"].memory.per_run, 1) if "sentinel" in measured else None
        ),
    }


def numbers(words: str) -> list[int]:
    return [int(word) for word in words.split(",")]


def parse(arguments: list[str] | None = None) -> Setup:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", default="process,sentinel", help="which to measure")
    parser.add_argument("--process", type=numbers, default=[10, 20, 30, 40], help="runs a minute")
    parser.add_argument(
        "--sentinel", type=numbers, default=[200, 300, 400, 500, 600, 800], help="runs a minute"
    )
    parser.add_argument("--seconds", type=int, default=30, help="how long each step lasts")
    parser.add_argument("--held", type=int, default=8, help="runs at once for the memory figure")
    parser.add_argument("--process-limit", type=int, default=4, help="the process worker's limit")
    parser.add_argument("--sentinel-limit", type=int, default=16, help="the sentinel worker's")
    parser.add_argument(
        "--server",
        default=SQLITE,
        help="what Prefect's server stores in: sqlite, postgresql (Debian's, started for it), or "
        "postgresql://user@host/empty_database",
    )
    parser.add_argument(
        "--api-processes",
        type=int,
        default=1,
        help="of Prefect's API; several need PostgreSQL, and a Redis is started for them",
    )
    parser.add_argument("--log-level", default="INFO", help="of worker and runs, e.g. WARNING")
    parser.add_argument("--no-api-logs", action="store_true", help="runs send no logs to Prefect")
    parser.add_argument(
        "--overlapping", action="store_true", help="rules without a concurrency limit"
    )
    parser.add_argument("--stock", default="", help="patches of Prefect to leave out, or `all`")
    parser.add_argument("--query-seconds", default="2", help="how often a worker asks for runs")
    given = parser.parse_args(arguments)
    return Setup(
        workers=given.workers.split(","),
        rates={"process": given.process, "sentinel": given.sentinel},
        seconds=given.seconds,
        held=given.held,
        limits={"process": given.process_limit, "sentinel": given.sentinel_limit},
        database=given.server,
        api_processes=given.api_processes,
        one_at_a_time=not given.overlapping,
        worker_env={
            "PREFECT_WORKER_QUERY_SECONDS": given.query_seconds,
            "PREFECT_LOGGING_LEVEL": given.log_level,
            STOCK: given.stock,
            "SENTINEL_WORKER_SPREAD_SECONDS": "0",  # a planned offset is no lateness
            "PREFECT_LOGGING_TO_API_ENABLED": str(not given.no_api_logs).lower(),
        },
    )


def main() -> None:
    """Measure and print."""
    setup = parse()
    with tempfile.TemporaryDirectory() as name:
        measured = measure(setup, Path(name))
    show(setup, measured)


if __name__ == "__main__":
    main()
