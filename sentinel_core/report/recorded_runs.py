"""The runs of rules, from the evaluations that the event store has of them."""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from sentinel_core.decide.observe import Kind
from sentinel_core.model.run import Skip, StateType
from sentinel_core.report.figures import RuleRun, RunOutcome
from sentinel_core.store.db.tables import EVALUATION

_V = EVALUATION.c
_SKIPPED = {
    Skip.LATE: "started too late",
    Skip.UNDER_WAY: "another run was under way",
    Skip.CLOSED: "outside of its session",
}


def read_runs(connection: Connection, wanted: ColumnElement[bool]) -> Iterator[RuleRun]:
    """The runs; each has an evaluation per series, and may have some of an earlier state."""
    not_checked = or_(_V.kind == Kind.SKIPPED.value, _V.prefect_state == StateType.CANCELLED.value)
    failed = and_(_V.kind == Kind.FAILURE.value, ~not_checked)
    judged = and_(_V.kind.in_([Kind.ALERT.value, Kind.NO_DATA.value]), ~not_checked)

    some = [func.max(case((kind, 1), else_=0)) for kind in (not_checked, failed, judged)]
    begins = (func.max(_V.planned_at), func.min(_V.started_at))
    times = (func.max(_V.at), *begins, func.max(_V.completed_at))
    words = (
        func.max(case((_V.kind == Kind.SKIPPED.value, _V.decision_code))),
        func.max(case((failed, _V.prefect_state_name))),
    )
    statement = select(_V.prefect_flow_run_id, *times, *some, *words).where(wanted)
    for (
        run_id,
        at,
        planned,
        started,
        ended,
        skipped,
        has_failed,
        was_judged,
        skip,
        state,
    ) in connection.execute(statement.group_by(_V.prefect_flow_run_id)):
        # The evaluations of a run may stem from more than one state of it.
        reason = ""
        if was_judged and not has_failed:
            outcome = RunOutcome.CHECKED
        elif skipped and not has_failed:
            outcome = RunOutcome.NOT_CHECKED
            reason = _SKIPPED.get(skip, "cancelled") if skip else "cancelled"
        else:
            outcome = RunOutcome.FAILED
            reason = state if state not in (None, "Completed") else "nothing could be judged"
        seconds = (ended - started).total_seconds() if started else None
        yield RuleRun(at, outcome, seconds, started, reason, run_id, planned)
