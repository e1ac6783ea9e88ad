"""What the outputs of flow_run_failures say about failed runs, and which they list."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sentinel_core import AlertOutput
from sentinel_core.wording.text import counted, flat
from triggers.pipelines.collapse import JOINED, NEWEST, SERIES
from triggers.pipelines.ended_run import EndedRun
from triggers.pipelines.ended_since import UNTIL

MOST_SAID, MOST_KEPT = 5, 20

Started = Sequence[tuple[str, EndedRun]]
"""Failed runs that runs of a series started, each with its own series, the newest last."""


def said_of(ordered: Sequence[EndedRun], failed: Sequence[EndedRun], started: Started) -> str:
    """A series' ended runs in words, and the runs they started."""
    parts = []
    if failed:
        said = "; ".join(run.sentence for run in reversed(failed[-MOST_SAID:]))
        more = len(failed) - MOST_SAID
        said += f"; and {counted(more, 'run')} before" if more > 0 else ""
        if ordered[-1] is not failed[-1]:
            said += f". The newest, {flat(ordered[-1].name, 60)}, did not fail"
        parts.append(f"{counted(len(failed), 'run')} failed. {said}")
    if started:
        names = sorted({ticker for ticker, _ in started})
        more = len(names) - MOST_SAID
        named = ", ".join(names[:MOST_SAID]) + (f" and {more:,} more" if more > 0 else "")
        newest = "" if failed else f". The newest: {started[-1][1].sentence}"
        parts.append(f"{counted(len(started), 'run')} that it started failed ({named}){newest}")
    return ". ".join(parts) or f"{counted(len(ordered), 'run')} ended, none failed"


def started_evidence(started: Started, series: Sequence[str]) -> dict[str, Any]:
    """The failed runs that a series started, newest first, and all series that joined its event."""
    if not started and not series:
        return {}
    return {
        "started": [
            {"series": ticker, **run.evidence} for ticker, run in reversed(started[-MOST_KEPT:])
        ],
        "started_not_listed": max(0, len(started) - MOST_KEPT),
        SERIES: list(series),
    }


def joined_output(output: AlertOutput, root: str, runs: Sequence[EndedRun]) -> AlertOutput:
    """The output of a series whose newest failed run is in the event of the one that started it."""
    if output.triggered:
        return output  # it has an event as well, of runs that nothing else explains
    return output.model_copy(
        update={
            "message": f"{output.ticker}: {counted(len(runs), 'run')} failed, which is part of the "
            f"event of {root}, whose run started it",
            "metadata": {
                **output.metadata,
                JOINED: root,
                "runs": [run.evidence for run in reversed(runs[-MOST_KEPT:])],
                "not_listed": max(0, len(runs) - MOST_KEPT),
            },
        }
    )


def released_output(
    ticker: str, root: str, evidence: Mapping[str, Any], until: datetime
) -> AlertOutput:
    """The event of a series that failed with the one that started it, and has not recovered."""
    runs = list(evidence.get("runs", ()))
    beyond = int(evidence.get("not_listed", 0))
    newest = runs[0] if runs else {}
    said = f". {newest['name']}: {newest['message'] or newest['state']}" if newest else ""
    return AlertOutput(
        triggered=True,
        ticker=ticker,
        message=f"{ticker}: {root}, which started it, has recovered, and this has not: no run has "
        f"ended well since {counted(len(runs) + beyond, 'run')} failed{said}",
        metrics={
            "value": len(runs) + beyond,
            "ended_runs": 0,
            NEWEST: 1.0,
            "started_runs": 0,
            UNTIL: until.timestamp(),
        },
        metadata={"unit": "runs", "runs": runs, "not_listed": beyond},
    )
