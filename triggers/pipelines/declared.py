"""Whether an SLA of Prefect's `sla` list is kept: time to completion, lateness, frequency. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from sentinel_core.model.sla import Sla, SlaKind
from sentinel_core.model.times import span
from sentinel_core.wording.text import flat
from sentinel_core.wording.times import moment
from triggers.pipelines.ended_run import EndedRun, Ending
from triggers.pipelines.starts import Start, latest_start


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether an SLA is kept, the sentence about it, and the seconds that were measured.

    `run` is the run that they were measured of.
    """

    kept: bool
    why: str
    seconds: float
    run: tuple[UUID, str] | None = None


@dataclass(frozen=True)
class Runs:
    """What is known of the runs of a deployment.

    `ended` are those that ended since `previous`, the evaluation before, and the newest one;
    `completed` are the last that completed, both with the newest last. `since` is when the
    deployment was made.
    """

    now: datetime
    since: datetime
    previous: datetime | None = None
    ended: Sequence[EndedRun] = ()
    running: Sequence[Start] = ()
    starts: Sequence[Start] = ()
    completed: Sequence[EndedRun] = ()


def judge(sla: Sla, runs: Runs) -> Judged:
    """Whether the SLA is kept."""
    return _JUDGES[sla.kind](runs, sla.limit)


def time_to_completion(runs: Runs, limit: float) -> Judged:
    """The newest ended run, those that ended since the last evaluation, and the running ones.

    Without any the SLA is kept, as nothing took too long. A cancelled run does not count.
    """
    judged = [run for run in runs.ended if run.ending is not Ending.CANCELLED and run.started_at]
    recent = [run for run in judged if runs.previous and run.position > runs.previous]
    took = [(run.seconds, run.name, run.id, "took") for run in (*recent, *judged[-1:])]
    took += [
        ((runs.now - run.started).total_seconds(), run.name, run.id, "has been running for")
        for run in runs.running
        if run.started is not None
    ]
    if not took:
        return Judged(True, "no run has ended or is running", 0)
    seconds, name, run_id, verb = max(took, key=lambda item: item[0])
    why = f"{flat(name, 60)} {verb} {span(seconds)}, the limit is {span(limit)}"
    return Judged(seconds <= limit, why, seconds, (run_id, name))


def lateness(runs: Runs, limit: float) -> Judged:
    """The runs that are due, those that started since the last evaluation, and the newest one.

    Without any the SLA is kept, as nothing was due.
    """
    worst = latest_start(runs.starts, runs.now)
    if worst is None:
        return Judged(True, "no run is due", 0)
    seconds = worst.seconds_late(runs.now)
    why = f"{worst.sentence(runs.now)}, the limit is {span(limit)}"
    return Judged(seconds <= limit, why, seconds, (worst.id, worst.name))


def frequency(runs: Runs, limit: float) -> Judged:
    """The time since a run completed, or since the deployment was made if none ever has.

    A gap that was too long and that ended since the last evaluation counts as well.
    """
    ends = [max(run.ended_at, runs.since) for run in runs.completed]
    newest = runs.completed[-1] if runs.completed else None
    waited = (runs.now - (ends[-1] if ends else runs.since)).total_seconds()
    gaps = [
        ((after - before).total_seconds(), after)
        for before, after in pairwise(ends)
        if runs.previous is not None and after > runs.previous
    ]
    gap, until = max(gaps, default=(0.0, runs.now))
    of = (newest.id, newest.name) if newest else None
    promised = f"the limit is {span(limit)}"
    if gap > max(limit, waited):
        why = f"no run completed for {span(gap)} until {moment(until)}, {promised}"
        return Judged(False, why, gap, of)
    if newest is None:
        why = f"no run has completed since the deployment was made {span(waited)} ago, {promised}"
    else:
        why = f"{flat(newest.name, 60)} completed {span(waited)} ago, {promised}"
        if waited > limit:
            why = f"no run has completed for {span(waited)}, {promised}"
    return Judged(waited <= limit, why, waited, of)


_JUDGES = {
    SlaKind.TIME_TO_COMPLETION: time_to_completion,
    SlaKind.LATENESS: lateness,
    SlaKind.FREQUENCY: frequency,
}
