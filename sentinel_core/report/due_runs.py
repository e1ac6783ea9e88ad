"""The runs that answer due times: those on record, and those that Prefect has."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterExpectedStartTime
from prefect.client.schemas.objects import FlowRun
from sqlalchemy import Connection, and_, select

from sentinel_core.base.errors import ReportError
from sentinel_core.decide.due import DueRun, End
from sentinel_core.model.run import StateType
from sentinel_core.prefect_io.client import in_states, runs_of
from sentinel_core.prefect_io.facts import run_facts
from sentinel_core.report.account import Pause, Span
from sentinel_core.report.figures import RuleRun, RunOutcome
from sentinel_core.report.recorded_runs import read_runs
from sentinel_core.store.db.tables import AUDIT, EVALUATION

PAUSED, RESUMED = "rule-paused", "rule-resumed"  # in the audit
NOT_STARTED = (StateType.SCHEDULED,)
MOST_RUNS = 50_000  # read from Prefect for one account
_ENDS = {
    RunOutcome.CHECKED: End.DONE,
    RunOutcome.FAILED: End.FAILED,
    RunOutcome.NOT_CHECKED: End.SKIPPED,
}


def recorded(connection: Connection, rule_id: int, since: datetime) -> dict[UUID | None, RuleRun]:
    """A rule's runs on record, whenever they ended: a retry counts for its end."""
    mine = and_(EVALUATION.c.rule_id == rule_id, EVALUATION.c.at >= since)
    return {run.id: run for run in read_runs(connection, mine)}


def pauses_by_rule(connection: Connection, span: Span) -> Mapping[str, Sequence[Pause]]:
    """The pauses by `sentinel rules pause` that reach into the time, by the audit."""
    actions = select(AUDIT.c.at, AUDIT.c.action, AUDIT.c.actor, AUDIT.c.detail).where(
        AUDIT.c.action.in_([PAUSED, RESUMED]), AUDIT.c.at < span.until
    )
    by_rule: dict[str, list[Pause]] = defaultdict(list)
    for row in connection.execute(actions.order_by(AUDIT.c.at, AUDIT.c.id)):
        pauses = by_rule[row.detail.get("rule", "")]
        is_open = bool(pauses) and pauses[-1].until is None
        if row.action == PAUSED and not is_open:
            pauses.append(Pause(row.at, None, row.actor))
        elif row.action == RESUMED and is_open:
            pauses[-1] = replace(pauses[-1], until=row.at)
    return {
        rule: [pause for pause in pauses if pause.until is None or pause.until > span.since]
        for rule, pauses in by_rule.items()
    }


def due_runs(recorded: Iterable[RuleRun]) -> list[DueRun]:
    """Runs on record, at the times that they count for."""
    return [
        DueRun(run.at, _ENDS[run.outcome], run.started_at, run.reason, str(run.id), run.planned_at)
        for run in recorded
    ]


def runs_due(
    client: SyncPrefectClient,
    deployments: Sequence[UUID],
    first: datetime,
    last: datetime,
    states: Iterable[StateType] = (),
) -> Mapping[UUID, list[FlowRun]]:
    """Prefect's runs of these deployments that were due then, of these states or of all.

    Raises ReportError if there are too many.
    """
    due = FlowRunFilter(
        expected_start_time=FlowRunFilterExpectedStartTime(after_=first, before_=last),
        state=in_states(states) if states else None,
    )
    runs: dict[UUID, list[FlowRun]] = defaultdict(list)
    count = 0
    for page in runs_of(client, deployments, due) if deployments else ():
        count += len(page)
        if count > MOST_RUNS:
            raise ReportError(
                f"Prefect has more than {MOST_RUNS:,} runs that were due in this time: "
                "name some of the rules or deployments, or look at less time"
            )
        for run in page:
            if run.deployment_id is not None and run.state is not None:
                runs[run.deployment_id].append(run)
    return runs


def of_gap(flow_run: FlowRun, recorded: RuleRun | None) -> DueRun:
    """A run of a rule, at the time it was due; with what is on record of it."""
    run = of_prefect(flow_run)
    if recorded is not None:
        end = _ENDS[recorded.outcome]
        return replace(
            run,
            end=end,
            started_at=recorded.started_at,
            reason=recorded.reason,
            planned_at=recorded.planned_at,
        )
    if run.end in (End.DONE, End.FAILED):
        return replace(run, end=End.NOT_RECORDED, reason="its run ended, and nothing is on record")
    return run


def of_prefect(flow_run: FlowRun) -> DueRun:
    """A run of Prefect, at the time it was due."""
    run = run_facts(flow_run)
    ends = {
        StateType.COMPLETED: End.DONE,
        StateType.FAILED: End.FAILED,
        StateType.CRASHED: End.FAILED,
        StateType.CANCELLED: End.SKIPPED,
        StateType.SCHEDULED: End.NOT_STARTED if not run.run_count else End.UNDER_WAY,
    }
    end = ends.get(run.state_type, End.UNDER_WAY)
    reason = run.state_name
    if end is End.DONE:
        reason = ""
    elif end is End.SKIPPED:
        reason = "cancelled"
    elif end is End.UNDER_WAY:
        reason = f"its run has not ended: {run.state_name}"
    return DueRun(run.expected_start, end, run.started_at, reason, str(run.id))
