"""The figures of flow runs as the rows and tables of a report. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

from sentinel_core.model.times import span
from sentinel_core.report.run_figures import FlowRuns, RunFigures

LISTED = 10  # rules, flows, channels and events in a table

Section = tuple[str, Sequence[str], Sequence[Sequence[Any]]]


def percent(share: float | None) -> str:
    """One decimal, cut: what is not whole is never shown as 100 %."""
    return "–" if share is None else f"{int(share * 1000) / 10:g} %"


def plain(figures: RunFigures, slow_seconds: float) -> dict[str, Any]:
    """The figures as JSON."""
    return {
        "total": figures.total,
        "failed": figures.failed,
        "failed_share": figures.failed_share,
        "cancelled": figures.cancelled,
        "slow": figures.slow,
        "slow_seconds": slow_seconds,
        "success_rate": figures.success_rate,
        "average_seconds": figures.average_seconds,
        "longest_seconds": figures.longest_seconds,
    }


def figures_of_runs(runs: FlowRuns | str | None) -> dict[str, Any] | None:
    """The figures of people's own flow runs as JSON; None where they are not known."""
    if runs is None or isinstance(runs, str):
        return None
    return {**plain(runs.all, runs.slow_seconds), "not_read": runs.left_out}


def run_figure_rows(runs: FlowRuns | str | None) -> Iterator[tuple[str, Any]]:
    """The number of people's own flow runs; why it is not known."""
    if isinstance(runs, str):
        yield "Flow runs", f"not known: {runs}"
    elif runs is not None:
        yield "Flow runs", total(runs.all, runs.left_out)


def total(figures: RunFigures, left_out: int = 0) -> str:
    """`120 (7 failed: 5.8 %, 2 cancelled)`"""
    parts = (
        [f"{figures.failed:,} failed: {percent(figures.failed_share)}"] if figures.failed else []
    )
    parts += [f"{figures.cancelled:,} cancelled"] if figures.cancelled else []
    parts += [f"about {left_out:,} more were not read"] if left_out > 0 else []
    return f"{figures.total:,}" + (f" ({', '.join(parts)})" if parts else "")


def shares(figures: RunFigures, slow_seconds: float) -> Iterator[tuple[str, Any]]:
    """The success rate, slow runs and the average duration."""
    yield "Success rate", percent(figures.success_rate)
    yield f"Slow (over {span(slow_seconds)})", f"{figures.slow:,}"
    yield "Average duration", _average(figures)


def _average(figures: RunFigures) -> str:
    return "–" if figures.average_seconds is None else span(figures.average_seconds)


def run_sections(runs: FlowRuns | str | None) -> Iterator[Section]:
    """All flow runs in numbers, the slowest flows, and those with the most failed runs."""
    if runs is None or isinstance(runs, str):
        return
    all_runs = runs.all
    # A table, not figures: Slack shows ten of these at most.
    yield (
        "Flow runs",
        ("Runs", "Failed", "Share", "Success rate", f"Over {span(runs.slow_seconds)}", "Average"),
        [
            (
                all_runs.total,
                all_runs.failed,
                percent(all_runs.failed_share),
                percent(all_runs.success_rate),
                all_runs.slow,
                _average(all_runs),
            )
        ]
        if all_runs.total
        else [],
    )
    yield (
        "Slowest flows",
        ("Flow", "Runs", "Average s", "Longest s"),
        [
            (
                flow.name,
                flow.total,
                round(flow.average_seconds or 0, 1),
                round(flow.longest_seconds or 0, 1),
            )
            for flow in runs.slowest[:LISTED]
        ],
    )
    yield (
        "Noisiest flows",
        ("Flow", "Runs", "Failed", "Success rate"),
        [
            (flow.name, flow.total, flow.failed, percent(flow.success_rate))
            for flow in runs.noisiest[:LISTED]
        ],
    )
