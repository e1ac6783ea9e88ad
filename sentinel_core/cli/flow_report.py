"""The last runs of one flow, for `sentinel report --flow`."""

from collections.abc import Sequence
from typing import Any

from sentinel_core.base.errors import UsageError
from sentinel_core.cli.output import one_line, print_json, print_table
from sentinel_core.cli.parse import quoted
from sentinel_core.model.times import span
from sentinel_core.prefect_io.client import PAGE, prefect_api
from sentinel_core.report.flow_runs import flow_names, last_runs_of_flow
from sentinel_core.report.run_figures import FlowRunEnd, RunFigures, run_figures
from sentinel_core.report.run_tables import plain, shares, total
from sentinel_core.rulefile.phrases import did_you_mean
from sentinel_core.wording.text import counted
from sentinel_core.wording.times import stamp

_COLUMNS = ("run", "deployment", "state", "ended", "took", "message")


def report_flow(flow: str, last: int, slow_seconds: float, *, as_json: bool) -> int:
    """Print the last runs of a flow that have ended, with their figures. Raises UsageError."""
    if not 1 <= last <= PAGE:
        raise UsageError(f"--last must be from 1 to {PAGE}; got {last}")
    with prefect_api() as client:
        runs = last_runs_of_flow(client, flow, last)
        if runs is None:
            hint = did_you_mean(flow, list(flow_names(client)))
            raise UsageError(f"Prefect has no flow named {quoted(flow)}{hint}")
    figures = run_figures(flow, runs, slow_seconds)
    if as_json:
        print_json(_plain(figures, runs, slow_seconds))
        return 0
    print(f"{one_line(flow)}: {_title(runs)}")
    if not runs:
        return 0
    print()
    rows = [("Runs", total(figures)), *shares(figures, slow_seconds)]
    print_table(("", ""), rows, folded={""})
    print()
    print_table(
        _COLUMNS,
        [
            (
                run.run,
                run.name.removeprefix(f"{flow}/") if "/" in run.name else "",
                run.state_name,
                stamp(run.ended_at, year=False, seconds=False),
                "never ran" if run.seconds is None else span(run.seconds),
                one_line(run.message),
            )
            for run in runs
        ],
        least=("deployment",),
    )
    return 0


def _title(runs: Sequence[FlowRunEnd]) -> str:
    if not runs:
        return "no run has ended"
    first, newest = stamp(runs[-1].ended_at, seconds=False), stamp(runs[0].ended_at, seconds=False)
    return f"the last {counted(len(runs), 'run')} to end, {first} to {newest} UTC"


def _plain(figures: RunFigures, runs: Sequence[FlowRunEnd], slow_seconds: float) -> dict[str, Any]:
    return {
        "flow": figures.name,
        **plain(figures, slow_seconds),
        "runs": [
            {
                "id": run.id,
                "run": run.run,
                "name": run.name,
                "state": run.state.value,
                "state_name": run.state_name,
                "ended_at": run.ended_at,
                "seconds": run.seconds,
                "retries": run.retries,
                "slow": run.is_slow(slow_seconds),
                "message": run.message,
            }
            for run in runs
        ],
    }
