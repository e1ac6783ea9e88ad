"""What hooks missed, found by comparing Prefect's runs with our records.

Hooks are the fast path and can be lost (a killed process, an import error, a store that was away);
this is the guarantee. It reads Prefect, asks the same judge and policy, and writes the same rows.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterEndTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Crashed
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from sentinel_core.base.errors import ReconcileError, StoreUnavailableError
from sentinel_core.base.settings import Settings
from sentinel_core.decide.due import Standing, standing
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.flow.hooks import record_facts, unreadable_settings
from sentinel_core.model import run as facts
from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.run import Rule
from sentinel_core.notify.deliver import deliver_due
from sentinel_core.prefect_io.client import PAGE, all_deployments
from sentinel_core.prefect_io.facts import (
    MEASURED,
    TRIGGERED,
    is_checked,
    is_rule,
    kept_outputs,
    rule_facts,
    run_facts,
)
from sentinel_core.store.db.engine import reading
from sentinel_core.store.record.recording import record
from sentinel_core.store.record.unmute import release
from sentinel_core.store.state import rules
from sentinel_core.store.state.rows import retries_of
from sentinel_core.store.state.snapshot import firing_rules, recorded_runs

SETTLE = timedelta(seconds=30)  # a run that ended just now has its hook still at work
OVERLAP = timedelta(minutes=5)  # what is committed late or seen late
SLICE = timedelta(hours=1)
SKEW = timedelta(seconds=5)
FIRST_LOOK = timedelta(days=1)  # how far back the very first reconcile goes
FALLBACK_TIMEOUT_SECONDS = 3600.0

Say = Callable[[str], None]


@dataclass(slots=True)
class Report:
    """What one reconcile did."""

    rules: int = 0
    runs: int = 0
    recorded: int = 0
    closed: int = 0
    silent: list[str] = field(default_factory=list)
    sent: int = 0
    failed: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """The report in a line."""
        text = (
            f"{self.rules} rules, {self.runs} runs looked at, {self.recorded} recorded late, "
            f"{self.closed} closed, {self.sent} notifications sent"
        )
        return text + (f"; silent: {', '.join(self.silent)}" if self.silent else "")


def reconcile(
    client: SyncPrefectClient,
    engine: Engine,
    settings: Settings,
    *,
    say: Say,
    settle: timedelta = SETTLE,
) -> Report:
    """Record every terminal run of a rule that has no record, close stuck ones, name silent ones.

    The checkpoint moves only after everything before it is recorded. Raises what Prefect's client
    or the store raise when they are away; the next reconcile starts where this one did.
    """
    report = Report()
    now = server_time(client)
    known = read_rules(client)
    report.rules = len(known)
    for rule in known.values():
        if (why := unreadable_settings(rule.parameters)) is not None:
            say(f"{rule.name}: default settings count where its own can't be read: {why}")
    rules.sync(engine, known.values(), now)
    rules.deactivate_missing(engine, list(known))
    _close_stuck(client, engine, settings, known, now, report, say)
    until = now - settle
    for window in _slices(_since(engine, until, say), until):
        _record_missing(client, engine, known, window, report, say)
        if not report.failed:
            rules.set_checkpoint(engine, rules.RECONCILE, window[1])
    _name_silent(engine, known, now, report, say)
    release(engine, known, now)
    report.sent += deliver_due(engine, settings)
    if report.failed:
        raise ReconcileError(
            f"{len(report.failed)} could not be recorded and will be tried again: "
            f"{'; '.join(report.failed[:5])}"
        )
    return report


def server_time(client: SyncPrefectClient) -> datetime:
    """Prefect's clock: its runs end by it, and that of this machine may differ by hours."""
    here = datetime.now(UTC)
    stamp = client.hello().headers.get("date")
    if stamp is None:
        return here
    there = parsedate_to_datetime(stamp).astimezone(UTC)
    # The header is of whole seconds and may be a few old: a smaller difference is none.
    return there if abs(there - here) > SKEW else here


def _slices(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Hour by hour: after a long outage each reconcile gets further, even when it is cut off."""
    while since < until:
        end = min(since + SLICE, until)
        yield since, end
        since = end


def read_rules(client: SyncPrefectClient) -> dict[UUID, Rule]:
    """Every rule deployment Prefect knows, by deployment id."""
    return {
        deployment.id: rule_facts(deployment, flow_name)
        for deployment, flow_name in all_deployments(client)
        if is_rule(deployment)
    }


def _since(engine: Engine, until: datetime, say: Say) -> datetime:
    done = rules.checkpoint(engine, rules.RECONCILE)
    if done is None:
        since = until - FIRST_LOOK
        say(f"First reconcile of this store: looking at runs that ended after {since:%F %R} UTC.")
        return since
    return done - OVERLAP


def _runs(
    client: SyncPrefectClient, deployments: Sequence[UUID], run_filter: FlowRunFilter
) -> Iterator[list[FlowRun]]:
    """Pages of runs of these deployments, however many there are."""
    for start in range(0, len(deployments), PAGE):
        chosen = FlowRunFilterDeploymentId(any_=list(deployments[start : start + PAGE]))
        wanted = run_filter.model_copy(update={"deployment_id": chosen})
        offset = 0
        while page := client.read_flow_runs(
            flow_run_filter=wanted, sort=FlowRunSort.ID_DESC, limit=PAGE, offset=offset
        ):
            yield page
            offset += len(page)


def _states(*types: StateType) -> FlowRunFilterState:
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types)))


def _record_missing(
    client: SyncPrefectClient,
    engine: Engine,
    known: dict[UUID, Rule],
    window: tuple[datetime, datetime],
    report: Report,
    say: Say,
) -> None:
    ended = FlowRunFilter(
        state=_states(*(StateType(kind.value) for kind in facts.TERMINAL)),
        end_time=FlowRunFilterEndTime(after_=window[0], before_=window[1]),
    )
    missing: list[FlowRun] = []
    for page in _runs(client, list(known), ended):
        report.runs += len(page)
        with reading(engine) as connection:
            done = recorded_runs(connection, [run.id for run in page])
        missing += [run for run in page if _needs_record(run, done.get(run.id, set()))]
    # Oldest first: each is decided as it would have been had its hook been there.
    for flow_run in sorted(missing, key=lambda run: run_facts(run).at):
        assert flow_run.deployment_id is not None
        rule = known[flow_run.deployment_id]
        _record_one(client, engine, rule, flow_run, report, say)


def _needs_record(run: FlowRun, recorded: set[tuple[str, int]]) -> bool:
    """No record of this state in this attempt (the last state wins; each attempt counts)."""
    if run.state is None:
        return False
    return (run.state.type.value, retries_of(run_facts(run))) not in recorded


def _record_one(
    client: SyncPrefectClient,
    engine: Engine,
    rule: Rule,
    flow_run: FlowRun,
    report: Report,
    say: Say,
) -> None:
    run = run_facts(flow_run)
    outputs = recovered_outputs(client, flow_run)
    try:
        recorded = record_facts(engine, rule, run, outputs)
    except StoreUnavailableError:
        raise
    except Exception as error:
        say(f"{rule.name}: run {run.name} could not be recorded as it is: {error!r}")
        try:
            recorded = record_facts(engine, rule, run, None)
        except StoreUnavailableError:
            raise
        except Exception as again:  # one run that can't be recorded must not hide all the others
            report.failed.append(f"{rule.name}: run {run.name}: {again!r}")
            return
    if recorded.evaluations:
        report.recorded += 1
        say(f"{rule.name}: recorded run {run.name} ({run.state_name}), which had no record.")


def recovered_outputs(client: SyncPrefectClient, flow_run: FlowRun) -> list[AlertOutput] | None:
    """The outputs of a completed run whose hook was lost; None if they are unknown.

    A triggered run kept its output, and so did one whose rule has conditions. Of a run whose check
    found nothing that fact alone is known. A run that a person set to Completed was not checked,
    whatever its message says.
    """
    state = flow_run.state
    if state is None or not state.is_completed():
        return None
    if state.name in (TRIGGERED, MEASURED):
        return kept_outputs(client, flow_run)
    return [] if is_checked(state) else None


def outlived(flow_run: FlowRun, timeout_seconds: float | None, now: datetime) -> float | None:
    """By how many seconds a run has outlived its timeout in the state it is in; None if it has not.

    RUNNING counts from its start, PENDING and CANCELLING from when they were entered.
    """
    if flow_run.state is None:
        return None
    running = flow_run.state.type is StateType.RUNNING
    began = flow_run.start_time if running and flow_run.start_time else flow_run.state.timestamp
    over = (now - began).total_seconds() - (timeout_seconds or FALLBACK_TIMEOUT_SECONDS)
    return over if over > 0 else None


def _close_stuck(
    client: SyncPrefectClient,
    engine: Engine,
    settings: Settings,
    known: dict[UUID, Rule],
    now: datetime,
    report: Report,
    say: Say,
) -> None:
    """Crash runs nobody will ever end: they get a record, and their concurrency slot is free."""
    stuck = FlowRunFilter(state=_states(StateType.RUNNING, StateType.PENDING, StateType.CANCELLING))
    grace = settings.stuck_grace_seconds
    for flow_run in [run for page in _runs(client, list(known), stuck) for run in page]:
        assert flow_run.deployment_id is not None
        rule = known[flow_run.deployment_id]
        over = outlived(flow_run, (rule.timeout_seconds or FALLBACK_TIMEOUT_SECONDS) + grace, now)
        if over is None:
            continue
        message = f"Outlived its timeout by {over + grace:.0f} s as {flow_run.state_name}."
        client.set_flow_run_state(flow_run.id, Crashed(message=message), force=True)
        say(f"{rule.name}: closed run {flow_run.name}. {message}")
        report.closed += 1
        _record_one(client, engine, rule, client.read_flow_run(flow_run.id), report, say)


def _name_silent(
    engine: Engine,
    known: dict[UUID, Rule],
    now: datetime,
    report: Report,
    say: Say,
) -> None:
    """Open an event for each active rule two of whose due times were missed; resolve the others."""
    with reading(engine) as connection:
        named = firing_rules(connection, Kind.SILENT)
    for row in rules.all_rules(engine):
        rule = known.get(row["deployment_id"])
        if rule is None:
            continue
        since = max(filter(None, (row["last_evaluated_at"], row["changed_at"])))
        stands = standing(rule.schedules, since, now)
        if rule.active and stands.overdue:
            report.silent.append(rule.name)
            say(f"Rule {rule.name} is silent: {stands.sentence}.")
        elif row["id"] not in named:
            continue  # checked on time, and nothing to take back: no reason to write
        try:
            seen = list(_silences(rule, stands, now))
            record(engine, rule, None, seen, now=now)
        except OperationalError:
            raise
        except Exception as error:
            report.failed.append(f"{rule.name}: silence: {error!r}")


def _silences(rule: Rule, stands: Standing, now: datetime) -> Iterator[Observation]:
    """A schedule nobody can read is a series of its own: a run that came does not end it."""
    for ticker, so in (("", not stands.unreadable), ("schedule", stands.unreadable)):
        overdue = rule.active and stands.overdue and so
        yield Observation(
            Kind.SILENT,
            ticker,
            now,
            overdue,
            rule.settings.importance,
            f"Rule {rule.name} is silent: {stands.sentence}." if overdue else "Checked again.",
            evaluated=False,
        )
