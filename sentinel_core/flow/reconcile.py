"""Records what hooks missed, by comparing Prefect's runs with the event store.

Hooks are the fast path and can be lost (a killed process, an import error, an unavailable store);
this is the guarantee. It reads Prefect and records as a hook would have done.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterEndTime
from prefect.client.schemas.objects import FlowRun
from sqlalchemy import Engine

from sentinel_core.base.errors import ReconcileError, StoreRefusedError, StoreUnavailableError
from sentinel_core.base.settings import Settings
from sentinel_core.flow.hooks import record_facts, unreadable_settings
from sentinel_core.flow.reacting import keep_up_reactions
from sentinel_core.flow.removed import end_events_of_removed
from sentinel_core.flow.silent import silence_observations
from sentinel_core.flow.stuck import close_stuck
from sentinel_core.flow.watched import keep_up_hooks, record_missed_hooks
from sentinel_core.model import run as facts
from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.run import Rule
from sentinel_core.model.system_actions import SystemAction
from sentinel_core.notify.deliver import deliver_due
from sentinel_core.prefect_io.client import all_deployments, in_states, runs_of, server_time
from sentinel_core.prefect_io.facts import (
    MEASURED,
    TRIGGERED,
    is_checked,
    is_rule,
    kept_outputs,
    rule_facts,
    run_facts,
)
from sentinel_core.prefect_io.overlap import overlaps
from sentinel_core.prefect_io.planned import read_planned
from sentinel_core.store.db.engine import reading
from sentinel_core.store.db.failure import explained, is_failure
from sentinel_core.store.record.recording import end_due_snoozes, notify_unmuted, record
from sentinel_core.store.state import rules
from sentinel_core.store.state.audit import audit_system
from sentinel_core.store.state.rows import retries_of
from sentinel_core.store.state.snapshot import recorded_runs
from sentinel_core.wording.text import counted

SETTLE = timedelta(seconds=30)  # hooks of runs that ended just now are still at work
OVERLAP = timedelta(minutes=5)  # for records committed late
SLICE = timedelta(hours=1)
FIRST_LOOK = timedelta(days=1)  # how far back the very first reconcile goes

Say = Callable[[str], None]


@dataclass(slots=True)
class Report:
    """The result of one reconcile."""

    rules: int = 0
    runs: int = 0
    recorded: int = 0
    closed: int = 0
    silent: list[str] = field(default_factory=list)
    sent: int = 0
    failed: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """The result in one line."""
        text = (
            f"{self.rules} rules, {self.runs} runs looked at, {self.recorded} recorded late, "
            f"{self.closed} closed, {counted(self.sent, 'notification')} sent"
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
    """Record every terminal run of a rule that has no record, close stuck runs, report silence.

    The checkpoint moves only after everything before it is recorded. Raises ReconcileError if
    something could not be recorded, StoreUnavailableError or StoreRefusedError when the store can't
    be used, and what Prefect's client raises; the next reconcile starts where this one did. Runs
    recorded late and runs closed are an entry of the audit, also if it fails later.
    """
    with explained(settings.database_url):
        work = _Reconciliation(client, engine, settings, say)
        try:
            return _reconcile(work, settle)
        finally:
            work.audit()


def _reconcile(work: "_Reconciliation", settle: timedelta) -> Report:
    engine = work.engine
    work.sync_rules()
    work.close_stuck()
    until = work.now - settle
    since = work.since(until)
    while since < until:  # in slices: after a long outage each reconcile makes progress
        end = min(since + SLICE, until)
        work.record_missing(since, end)
        work.report.recorded += record_missed_hooks(work.client, engine, since, end, say=work.say)
        if not work.report.failed:
            rules.set_checkpoint(engine, rules.RECONCILE, end)
        since = end
    work.record_silences()
    work.end_events_of_removed()
    end_due_snoozes(engine, work.rules, work.now)
    notify_unmuted(engine, work.rules, work.now)
    keep_up_hooks(engine, work.now)
    keep_up_reactions(engine)
    work.report.sent += deliver_due(engine, work.settings)
    if failed := work.report.failed:
        raise ReconcileError(
            f"{len(failed)} could not be recorded and will be tried again: {'; '.join(failed[:5])}"
        )
    return work.report


class _Reconciliation:
    """One reconcile: its inputs and its report."""

    def __init__(
        self, client: SyncPrefectClient, engine: Engine, settings: Settings, say: Say
    ) -> None:
        self.client = client
        self.engine = engine
        self.settings = settings
        self.say = say
        self.now = server_time(client)
        self.rules = {
            deployment.id: rule_facts(deployment, flow_name)
            for deployment, flow_name in all_deployments(client)
            if is_rule(deployment)
        }
        self.report = Report(rules=len(self.rules))

    def sync_rules(self) -> None:
        """Bring the rules on record up to date with Prefect's deployments."""
        for rule in self.rules.values():
            if (why := unreadable_settings(rule.parameters)) is not None:
                self.say(f"{rule.name}: default settings replace those that can't be read: {why}")
        rules.sync(self.engine, self.rules.values(), self.now)
        rules.deactivate_missing(self.engine, list(self.rules))

    def close_stuck(self) -> None:
        """Crash the stuck runs in Prefect, and record them."""
        grace = self.settings.stuck_grace_seconds
        for rule, flow_run, message in close_stuck(self.client, self.rules, self.now, grace):
            self.say(f"{rule.name}: closed run {flow_run.name}. {message}")
            self.report.closed += 1
            self._record_run(rule, flow_run)

    def audit(self) -> None:
        """Add what was done late to the audit, if anything was."""
        done = {"recorded": self.report.recorded, "closed": self.report.closed}
        if detail := {name: count for name, count in done.items() if count}:
            audit_system(self.engine, SystemAction.RECORDED_LATE, self.now, detail)

    def since(self, until: datetime) -> datetime:
        """The time before which every ended run is on record."""
        done = rules.checkpoint(self.engine, rules.RECONCILE)
        if done is not None:
            return done - OVERLAP
        since = until - FIRST_LOOK
        self.say(
            f"First reconcile of this store: checking runs that ended after {since:%F %R} UTC."
        )
        return since

    def record_missing(self, since: datetime, until: datetime) -> None:
        """Record the runs that ended in between and have no record."""
        ended = FlowRunFilter(
            state=in_states(facts.TERMINAL),
            end_time=FlowRunFilterEndTime(after_=since, before_=until),
        )
        missing: list[FlowRun] = []
        for page in runs_of(self.client, list(self.rules), ended):
            self.report.runs += len(page)
            with reading(self.engine) as connection:
                done = recorded_runs(connection, [run.id for run in page])
            missing += [  # each state of each attempt counts
                run
                for run in page
                if run.state is not None
                and (run.state.type.value, retries_of(run_facts(run))) not in done.get(run.id, ())
            ]
        # Oldest first, so that each is decided as its hook would have decided it.
        for flow_run in sorted(missing, key=lambda run: run_facts(run).at):
            assert flow_run.deployment_id is not None
            self._record_run(self.rules[flow_run.deployment_id], flow_run)

    def _record_run(self, rule: Rule, flow_run: FlowRun) -> None:
        planned = read_planned(self.client, flow_run)
        run = replace(run_facts(flow_run), planned_start=planned)
        if rule.cancels_new and overlaps(self.client, flow_run):
            run = replace(run, overlaps=True)
        outputs = recovered_outputs(self.client, flow_run)
        try:
            recorded = record_facts(self.engine, rule, run, outputs)
        except (StoreUnavailableError, StoreRefusedError):
            raise
        except Exception as error:
            self.say(f"{rule.name}: run {run.name} could not be recorded as it is: {error!r}")
            try:
                recorded = record_facts(self.engine, rule, run, None)
            except (StoreUnavailableError, StoreRefusedError):
                raise
            except Exception as again:  # one such run must not keep all the others unrecorded
                self.report.failed.append(f"{rule.name}: run {run.name}: {again!r}")
                return
        if recorded.evaluations:
            self.report.recorded += 1
            self.say(
                f"{rule.name}: recorded run {run.name} ({run.state_name}), which had no record."
            )

    def record_silences(self) -> None:
        """Open an event for each silent rule; resolve those of rules that were checked again."""
        for rule, observations in silence_observations(self.engine, self.rules, self.now):
            for observation in observations:
                if observation.breached:
                    self.report.silent.append(rule.name)
                    self.say(observation.message)
            try:
                record(self.engine, rule, None, observations, now=self.now)
            except StoreRefusedError:
                raise
            except Exception as error:
                if is_failure(error):
                    raise
                self.report.failed.append(f"{rule.name}: silence: {error!r}")

    def end_events_of_removed(self) -> None:
        """End the events of rules that no longer exist. Whether they do may be unknown for now."""
        try:
            end_events_of_removed(
                self.client,
                self.engine,
                self.rules.keys(),
                self.now,
                store_variable=self.settings.store_variable,
                say=self.say,
            )
        except httpx.HTTPError as error:
            self.say(f"Not known which rules were removed, so no event ended: {error!r}")


def recovered_outputs(client: SyncPrefectClient, flow_run: FlowRun) -> list[AlertOutput] | None:
    """The outputs of a completed run whose hook was lost; None if they are unknown.

    Triggered runs and runs of rules with conditions kept their outputs. Of a run that did not
    trigger, only that fact is known. A run that a person set to Completed was not checked, whatever
    its message says.
    """
    state = flow_run.state
    if state is None or not state.is_completed():
        return None
    if state.name in (TRIGGERED, MEASURED):
        return kept_outputs(client, flow_run)
    return [] if is_checked(state) else None
