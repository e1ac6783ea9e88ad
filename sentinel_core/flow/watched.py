"""Records runs of watched flows: people's own flows with hooks. For hooks and for reconcile."""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterId,
)
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.client.schemas.objects import StateType as PrefectState
from prefect.client.schemas.sorting import TaskRunSort
from sqlalchemy import Engine, RowMapping

from sentinel_core.base.settings import get_settings
from sentinel_core.decide.observe import Observation
from sentinel_core.decide.watch import ENDED_BY_COMPLETION, EndedRun, may_end, observe
from sentinel_core.flow.watched_causes import FAILED, event_of_starter, released_runs
from sentinel_core.flow.watched_tasks import ended_tasks
from sentinel_core.model.run import TERMINAL, Rule, Run
from sentinel_core.model.watched import Hook
from sentinel_core.notify.prefect_events import announce
from sentinel_core.prefect_io.client import PAGE, each_page, in_states, run_pages
from sentinel_core.prefect_io.facts import run_facts, task_run_facts
from sentinel_core.store.db.engine import reading
from sentinel_core.store.record.recording import Recorded, end_due_snoozes, notify_unmuted, record
from sentinel_core.store.state.snapshot import unresolved_tickers
from sentinel_core.store.state.watched import (
    deployment_of,
    effective,
    hooks_of,
    latest_breach,
    rule_of_row,
    watched_rows,
)

Say = Callable[[str], None]
_BEFORE = timedelta(minutes=5)  # a flow's first hook may have been lost before another was not


def record_hook(engine: Engine, rule: Rule, hook: Hook, ended: EndedRun) -> Recorded:
    """Judge and record one run for one hook; nothing where the run says nothing about it.

    A run that is fine is recorded where it changes something: where it may end an event, or is one
    of the latest runs that the policy counts. (Most runs are, and this is half of a hook's cost.)
    """
    observation = observe(hook, ended)
    if observation is None:
        return Recorded()
    if not observation.breached and hook.settings.policy.of_last is None:
        with reading(engine) as connection:
            if hook.ticker not in unresolved_tickers(connection, rule.deployment_id):
                return Recorded()
            breach = latest_breach(connection, rule.deployment_id, hook.ticker)
            if not may_end(hook, ended, breach):
                return Recorded()
    return _record(engine, rule, ended.run, observation)


def _record(engine: Engine, rule: Rule, run: Run, observation: Observation) -> Recorded:
    recorded = record(engine, rule, run, [observation], now=datetime.now(UTC))
    if recorded.opened or recorded.resolved:
        announce(engine, get_settings(), run, recorded)
    return recorded


def keep_up_hooks(engine: Engine, now: datetime) -> None:
    """End acknowledgements of watched flows whose time is over, and enqueue their withheld
    notifications that nothing mutes now."""
    for row in watched_rows(engine):
        with reading(engine) as connection:
            unresolved = unresolved_tickers(connection, row["deployment_id"])
        for hook in hooks_of(row) if unresolved else ():
            if hook.ticker in unresolved:
                rule = rule_of_row(row, effective(engine, hook))
                one = {rule.deployment_id: rule}
                end_due_snoozes(engine, one, now, ticker=hook.ticker)
                notify_unmuted(engine, one, now, ticker=hook.ticker)


def record_missed_hooks(
    client: SyncPrefectClient, engine: Engine, since: datetime, until: datetime, *, say: Say
) -> int:
    """Record the runs of watched flows that ended in between and that no hook recorded.

    Returns how many. A run that completed is recorded where it ends an event: hooks that are
    listed under `on_failure` alone are not called at one. Raises what Prefect's client raises.
    """
    rows = watched_rows(engine)
    ended = _ended_runs(client, sorted({row["flow_name"] for row in rows}), since, until)
    found = 0
    for row in rows:
        runs = [
            (run, flow_run)
            for flow_run in ended[row["flow_name"], deployment_of(row["parameters"])]
            if (run := run_facts(flow_run)).state_at >= row["first_seen_at"] - _BEFORE
        ]
        runs.sort(key=lambda pair: pair[0].at)
        found += _record_runs(client, engine, row, runs, say) if runs else 0
    for row, flow_run in released_runs(client, engine, rows, since, until):
        pair = (run_facts(flow_run), flow_run)
        found += _record_runs(client, engine, row, [pair], say, released=True)
    return found


def task_completed(
    client: SyncPrefectClient, flow_run: FlowRun, hook: Hook, unresolved: Collection[str]
) -> bool:
    """True if a hook's task completed in a flow run, each run of it, and that may end an event."""
    if hook.ticker not in unresolved or hook.kind not in ENDED_BY_COMPLETION:
        return False
    if flow_run.state is None or not flow_run.state.is_completed():
        return False
    mine = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run.id]))

    def page(offset: int) -> list[TaskRun]:
        return client.read_task_runs(
            flow_run_filter=mine, sort=TaskRunSort.ID_DESC, limit=PAGE, offset=offset
        )

    states = [
        task_run.state_type
        for some in each_page(page)
        for task_run in some
        if task_run.task_key == hook.task_key
    ]
    return bool(states) and all(state == PrefectState.COMPLETED for state in states)


def _record_runs(
    client: SyncPrefectClient,
    engine: Engine,
    row: RowMapping,
    runs: Sequence[tuple[Run, FlowRun]],
    say: Say,
    *,
    released: bool = False,
) -> int:
    """Record these runs, oldest first, for each hook of the flow; returns how many were missing.

    Not those that are part of the event of the run that started them, unless they are `released`.
    """
    found = 0
    with reading(engine) as connection:
        unresolved = unresolved_tickers(connection, row["deployment_id"])
    for hook in hooks_of(row):
        full = effective(engine, hook)
        rule = rule_of_row(row, full)
        tasks = ended_tasks(client, hook, [flow_run for _, flow_run in runs]) if hook.task else {}
        for run, flow_run in runs:
            ends = [_end_of_task(row, hook, flow_run, task) for task in tasks.get(flow_run.id, ())]
            if not ends and (not hook.task or task_completed(client, flow_run, hook, unresolved)):
                subject = f"{row['name']}, run {run.name}"
                ends = [EndedRun(subject, run, retries=max(run.run_count - 1, 0))]
            pairs = [(end.run, observe(full, end)) for end in ends]
            observed = [(ended, judged) for ended, judged in pairs if judged is not None]
            # A run that is fine is worth a record here only where it may end an event.
            breached = [pair for pair in observed if pair[1].breached]
            fine = observed[:1] if hook.ticker in unresolved else []
            if breached and not hook.task and not released and _is_part(client, engine, flow_run):
                continue
            for ended, observation in breached or fine:
                recorded = _record(engine, rule, ended, observation)
                if observation.breached:
                    unresolved.add(hook.ticker)
                if recorded.evaluations:
                    found += 1
                    what = f"run {ended.name} ({ended.state_name})"
                    say(f"{row['name']}: recorded {what} for {hook.ticker}.")
    return found


def _is_part(client: SyncPrefectClient, engine: Engine, flow_run: FlowRun) -> bool:
    failed = flow_run.state is not None and flow_run.state.type.value in FAILED
    return failed and event_of_starter(client, engine, flow_run) is not None


def _end_of_task(row: RowMapping, hook: Hook, flow_run: FlowRun, task_run: TaskRun) -> EndedRun:
    subject = f"{row['name']}, task {hook.task}, run {task_run.name}"
    run = task_run_facts(task_run, flow_run)
    return EndedRun(subject, run, retries=max(task_run.run_count - 1, 0))


def _ended_runs(
    client: SyncPrefectClient, flows: Sequence[str], since: datetime, until: datetime
) -> dict[tuple[str, UUID | None], list[FlowRun]]:
    """The runs of these flows that ended in between, by flow and deployment."""
    runs: dict[tuple[str, UUID | None], list[FlowRun]] = defaultdict(list)
    ended = FlowRunFilter(
        state=in_states(TERMINAL), end_time=FlowRunFilterEndTime(after_=since, before_=until)
    )
    for flow in flows:
        mine = FlowFilter(name=FlowFilterName(any_=[flow]))
        for page in run_pages(client, ended, flow=mine):
            for flow_run in page:
                runs[flow, flow_run.deployment_id].append(flow_run)
    return runs
