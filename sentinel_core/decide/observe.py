"""The observations of a run, one for each series. Pure: no clock, no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sentinel_core.decide.misfire import late_mark
from sentinel_core.model.alert import AlertOutput, Importance
from sentinel_core.model.cleaning import clean_message
from sentinel_core.model.fault import Fault
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import CLOSED, SKIPPED, TIMED_OUT, Run, Skip, StateType

UNDER_WAY = "Not checked by this run: another one of the rule was under way."


class Kind(StrEnum):
    """The kind of an observation and its event."""

    ALERT = "alert"  # the check ran and triggered
    FAILURE = "failure"  # the check did not complete
    SILENT = "silent"  # the check was due and nothing ran
    ERROR = "error"  # the check ran, and this series could not be judged
    NO_DATA = "no_data"  # the check ran and has no value for this series
    SKIPPED = "skipped"  # the run was not needed (see Skip); never an event


@dataclass(slots=True)  # never changed once made; frozen ones take replay twice as long
class Observation:
    """One series at one time.

    `breached`: a person should know. `reported` is the trigger's own result, before the rule's
    conditions, and `said` its message then (None if no condition applied). `evaluated` is False for
    what a run implies (it completed, so the rule is not failing): this updates a series, but adds
    no evaluation row. `unjudged` says why it is neither breached nor ok, such as a window that is
    not full yet. `skip` is the reason of an observation of the kind SKIPPED. `suggestion` is the
    next step that the trigger suggests.
    """

    kind: Kind
    ticker: str
    at: datetime
    breached: bool
    importance: Importance
    message: str
    evaluated: bool = True
    measured_at: datetime | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    reported: bool | None = None
    unjudged: str = ""
    said: str | None = None
    skip: Skip | None = None
    suggestion: str = ""


def judge(run: Run, rule: RuleSettings, outputs: Sequence[AlertOutput] | None) -> list[Observation]:
    """The observations of this run. The rule's conditions are evaluated later (lifecycle.py).

    `outputs` of a completed run are None if its measurement is lost: it counts as not checked, so
    it is a failure.
    """
    if run.overlaps:
        return [_skipped(run, rule, Skip.UNDER_WAY, UNDER_WAY)]
    if run.state_type is not StateType.COMPLETED:
        ended = f"Not checked: the run ended as {run.state_name}. {run.state_message}"
        return [_failure(run, rule, clean_message(ended))]
    if run.state_name == SKIPPED:
        message = clean_message(run.state_message) or "Skipped: the run started too late."
        return [_skipped(run, rule, Skip.LATE, message)]
    if run.state_name == CLOSED:  # it did run, so its rule is not silent
        message = clean_message(run.state_message) or "Closed: there was nothing to check."
        ran = Observation(
            Kind.SILENT, "", run.at, False, rule.importance, "The check ran.", evaluated=False
        )
        return [_skipped(run, rule, Skip.CLOSED, message), ran]
    if outputs is None:
        return [_failure(run, rule, "The run completed, but its output could not be read.")]
    observations = [observed(run, rule, output) for output in outputs]
    if not observations:  # a check without any series, such as a query without rows
        nothing = "Checked; nothing was found."
        observations = [Observation(Kind.ALERT, "", run.at, False, rule.importance, nothing)]
    return observations + [
        Observation(kind, "", run.at, False, rule.importance, "The check ran.", evaluated=False)
        for kind in (Kind.FAILURE, Kind.SILENT)
    ]


def observed(run: Run, rule: RuleSettings, output: AlertOutput) -> Observation:
    """One output of a run as an observation."""
    return Observation(
        kind=Kind(output.problem) if output.problem else Kind.ALERT,
        ticker=output.ticker,
        at=run.at,
        breached=output.triggered or output.problem is not None,
        importance=output.importance or rule.importance,
        message=clean_message(
            (output.message or _said(output, rule)) + late_mark(rule.policy, run)
        ),
        reported=output.triggered,
        measured_at=output.timestamp,
        metrics=output.metrics,
        metadata=output.metadata,
        suggestion=output.suggestion,
    )


def _said(output: AlertOutput, rule: RuleSettings) -> str:
    if output.problem is not None:
        return "No data." if output.problem == "no_data" else "Not checked: no reason given."
    if rule.conditions:
        return ""  # their verdict provides the message
    return "Triggered." if output.triggered else "Not triggered."


def _skipped(run: Run, rule: RuleSettings, skip: Skip, message: str) -> Observation:
    return Observation(Kind.SKIPPED, "", run.at, False, rule.importance, message, skip=skip)


def next_step(run: Run) -> str:
    """The suggestion that the end of a run makes by itself; "" if it makes none."""
    timed_out = run.state_type is StateType.FAILED and run.state_name == TIMED_OUT
    return Fault.TIMEOUT.next_step if timed_out else ""


def _failure(run: Run, rule: RuleSettings, message: str) -> Observation:
    cancelled = run.state_type is StateType.CANCELLED
    return Observation(
        kind=Kind.FAILURE,
        ticker="",
        at=run.at,
        breached=True,
        # A person cancelled it: worth showing, not worth a page.
        importance=Importance.LOW if cancelled else rule.importance,
        message=message,
        metadata={
            "prefect_state": run.state_name,
            "prefect_message": clean_message(run.state_message),
        },
        suggestion=next_step(run),
    )
