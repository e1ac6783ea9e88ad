"""From a run and its outputs to what was observed, series by series. Pure: no clock, no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sentinel_core.decide.misfire import late_mark
from sentinel_core.model.alert import AlertOutput, Importance
from sentinel_core.model.cleaning import clean_message
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import SKIPPED, Run, StateType


class Kind(StrEnum):
    """What an event is about."""

    ALERT = "alert"  # the check ran and says: triggered
    FAILURE = "failure"  # the check did not run to its end
    SILENT = "silent"  # the check was due and nothing ran
    ERROR = "error"  # the check ran, and this series could not be judged
    NO_DATA = "no_data"  # the check ran, and found no value for this series
    SKIPPED = "skipped"  # the run was too late to mean anything; never an event


@dataclass(slots=True)  # never changed once made; frozen ones take replay twice as long
class Observation:
    """One series at one moment.

    `breached` means: something a person should know. `reported` is what the trigger itself said,
    before the rule's conditions were asked, and `said` its message then (None where no condition
    had a say). `evaluated` is False for what a run says in passing
    (it completed, so the rule is not failing): such news changes a series but is no evaluation of
    its own. `unjudged` says why it is neither breached nor ok (a window that is not full yet).
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


def judge(run: Run, rule: RuleSettings, outputs: Sequence[AlertOutput] | None) -> list[Observation]:
    """What this run tells of the rule's series; its conditions are asked later (lifecycle.py).

    `outputs` None on a completed run means: it completed, and what it measured is gone. That is
    "not checked", so it is a failure.
    """
    if run.state_type is not StateType.COMPLETED:
        return [_failure(run, rule, _failure_message(run))]
    if run.state_name == SKIPPED:
        return [_skipped(run, rule)]
    if outputs is None:
        return [_failure(run, rule, "The run completed, but its output could not be read.")]
    observations = [_alert(run, rule, output) for output in outputs]
    if not observations:
        observations = [_nothing(run, rule)]
    return [*observations, *_running_again(run, rule)]


def _alert(run: Run, rule: RuleSettings, output: AlertOutput) -> Observation:
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
    )


def _said(output: AlertOutput, rule: RuleSettings) -> str:
    if output.problem is not None:
        return "No data." if output.problem == "no_data" else "Not checked: no reason given."
    if rule.conditions:
        return ""  # they will say what they found
    return "Triggered." if output.triggered else "Not triggered."


def _skipped(run: Run, rule: RuleSettings) -> Observation:
    message = clean_message(run.state_message) or "Skipped: the run started too late."
    return Observation(Kind.SKIPPED, "", run.at, False, rule.importance, message)


def _nothing(run: Run, rule: RuleSettings) -> Observation:
    """A check that found no series at all (a query without rows) was still a check."""
    return Observation(
        kind=Kind.ALERT,
        ticker="",
        at=run.at,
        breached=False,
        importance=rule.importance,
        message="Checked; nothing was found.",
    )


def _failure(run: Run, rule: RuleSettings, message: str) -> Observation:
    cancelled = run.state_type is StateType.CANCELLED
    return Observation(
        kind=Kind.FAILURE,
        ticker="",
        at=run.at,
        breached=True,
        # Somebody, or a concurrency limit, chose to cancel: worth seeing, not worth a page.
        importance=Importance.LOW if cancelled else rule.importance,
        message=message,
        metadata={
            "prefect_state": run.state_name,
            "prefect_message": clean_message(run.state_message),
        },
    )


def _failure_message(run: Run) -> str:
    what = f"Not checked: the run ended as {run.state_name}."
    return clean_message(f"{what} {run.state_message}")


def _running_again(run: Run, rule: RuleSettings) -> list[Observation]:
    return [
        Observation(kind, "", run.at, False, rule.importance, "The check ran.", evaluated=False)
        for kind in (Kind.FAILURE, Kind.SILENT)
    ]
