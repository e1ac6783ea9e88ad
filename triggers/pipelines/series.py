"""What watchers say besides the problems: what was looked at, and which series recovered."""

from collections.abc import Iterable

from sentinel_core import AlertOutput
from sentinel_core.model.trigger import PastEvaluation

MOST_SERIES = 1_000  # of the past: of more deployments at once, the ends of some wait


def looked_at(
    problem: AlertOutput | None, text: str, runs: int, unread: bool, most: int
) -> list[AlertOutput]:
    """The series without a ticker: what was looked at, or a problem if that was not everything."""
    if problem is not None:
        return [problem]
    if unread:
        return [
            AlertOutput(
                triggered=False,
                problem="no_data",
                message=f"Not checked: more than {most:,} runs, of which one evaluation reads no "
                "more. Narrow the filter",
                metadata={"code": "more_runs_than_read"},
            )
        ]
    return [AlertOutput(triggered=False, message=text, metrics={"value": 0, "runs": runs})]


def newest_of_each(past: Iterable[PastEvaluation]) -> list[tuple[str, PastEvaluation]]:
    """The newest evaluation of each series, by ticker; `past` is newest first."""
    latest: dict[str, PastEvaluation] = {}
    for one in past:
        latest.setdefault(one.ticker, one)
    return sorted(latest.items())


def recovered(
    past: Iterable[PastEvaluation], looked_at: set[str], current: set[str], text: str
) -> list[AlertOutput]:
    """An output that does not trigger for each series whose last evaluation counted something.

    Only of those that were looked at: nothing is known of the others. The rest need none, because
    a series that is not among the outputs stays as it is.
    """
    return [
        AlertOutput(
            triggered=False,
            ticker=ticker,
            message=f"{ticker}: {text}",
            metrics=dict.fromkeys(one.metrics, 0.0),
        )
        for ticker, one in newest_of_each(past)
        if ticker in looked_at - current and one.metrics.get("value", 0) > 0
    ]
