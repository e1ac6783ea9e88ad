"""Failed runs whose cause is a run that started them: they join its series. Pure.

40 runs that fail because the run that started them fails are one event, that of its series. They
stay in it as long as that series fails. A series that has not recovered with it has an event of
its own from then on.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sentinel_core import History
from sentinel_core.decide.cause import Starter, joined
from sentinel_core.model.trigger import PastEvaluation
from triggers.pipelines.ended_run import EndedRun, Ending, in_order
from triggers.pipelines.series import newest_of_each
from triggers.pipelines.starting_run import StartingRun

MOST_JOINED = 200  # series in the event of another one; those beyond have events of their own
JOINED = "joined"  # in the evidence of a series: the one that has the event of its failed runs
SERIES = "joined_series"  # in the evidence of that one: all that have joined it
NEWEST = "newest_failed"

Newest = Callable[[str], PastEvaluation | None]
"""The newest evaluation on record of a series."""


@dataclass(frozen=True)
class Collapsed:
    """The ended runs of an evaluation after each failed one has got its event.

    `own` are the runs of each series without those that joined another one, `joining` the failed
    runs that joined a series, with their own series, and `released` the evidence of each series
    that has not recovered with the one it had joined, with that one's name.
    """

    own: Mapping[str, Sequence[EndedRun]]
    joining: Mapping[str, Sequence[tuple[str, EndedRun]]]
    series: Mapping[str, Sequence[str]]
    released: Mapping[str, tuple[str, Mapping[str, Any]]]

    def joined_by(self, ticker: str) -> tuple[str, Sequence[EndedRun]]:
        """The series that the newest run of this one has joined, and its runs that have; "" if
        that run has not joined any."""
        pairs = [
            (run, root)
            for root, some in self.joining.items()
            for name, run in some
            if name == ticker
        ]
        runs = in_order(run for run, _ in pairs)
        others = [run for run in self.own.get(ticker, ()) if _counts(run)]
        if not runs or in_order([*runs, *others])[-1] is not runs[-1]:
            return "", runs
        return next(root for run, root in pairs if run is runs[-1]), runs


def collapse(
    runs: Mapping[str, Sequence[EndedRun]],
    starters: Mapping[UUID, Sequence[StartingRun]],
    fails: Callable[[Ending], bool],
    newest: Newest,
) -> Collapsed:
    """Let each failed run have its event. `fails` says which endings the rule counts."""
    work = _Collapse(runs, fails, newest)
    joining: dict[str, list[tuple[str, EndedRun]]] = defaultdict(list)
    series: dict[str, list[str]] = {}
    away: set[UUID] = set()
    failed = sorted(
        ((ticker, run) for ticker, some in runs.items() for run in some if fails(run.ending)),
        key=lambda pair: (pair[1].ended_at, pair[1].id.int),
    )
    roots = {
        run.id: None if run.late else joined(map(work.starter, starters.get(run.id, ())))
        for _, run in failed
    }
    # A series with a failure that nothing else explains has an event in any case.
    alone = {ticker for ticker, run in failed if roots[run.id] in (None, ticker)}
    for ticker, run in failed:
        root = roots[run.id]
        if root is None or ticker in alone or work.has_event(ticker):
            continue
        names = series.setdefault(root, work.series_of(root))
        if ticker not in names and len(names) >= MOST_JOINED:
            continue
        if ticker not in names:
            names.append(ticker)
        joining[root].append((ticker, run))
        away.add(run.id)
    for ticker in runs:
        if ticker not in series and work.failing(ticker) and (names := work.series_of(ticker)):
            series[ticker] = names
    own = {ticker: [run for run in some if run.id not in away] for ticker, some in runs.items()}
    return Collapsed(own, joining, series, work.released(joining))


def any_counts(runs: Sequence[EndedRun]) -> bool:
    """True if one of these runs was not cancelled: cancelled ones say nothing about a series."""
    return any(run.ending is not Ending.CANCELLED for run in runs)


def newest_on_record(history: History, past: Sequence[PastEvaluation]) -> Newest:
    """The newest evaluation of a series: among those that were read, or else from the store."""
    known: dict[str, PastEvaluation | None] = dict(newest_of_each(past))

    def newest(ticker: str) -> PastEvaluation | None:
        if ticker not in known:
            known[ticker] = next(iter(history.latest(1, ticker)), None)
        return known[ticker]

    return newest


class _Collapse:
    """One evaluation: its runs, and what is on record of their series."""

    def __init__(
        self,
        runs: Mapping[str, Sequence[EndedRun]],
        fails: Callable[[Ending], bool],
        newest: Newest,
    ) -> None:
        self.runs = {
            ticker: in_order(counted)
            for ticker, some in runs.items()
            if (counted := [run for run in some if _counts(run)])
        }
        self.fails = fails
        self.newest = newest

    def failing(self, ticker: str) -> bool:
        """True if the newest ended run of a series failed, or its event is open by the record."""
        if ticker in self.runs:
            return self.fails(self.runs[ticker][-1].ending)
        return _is_open(self.newest(ticker))

    def has_event(self, ticker: str) -> bool:
        """True if the series has an event of its own on record."""
        return _is_open(self.newest(ticker))

    def series_of(self, root: str) -> list[str]:
        """The series that have joined this one before and are still in its event."""
        before = self.newest(root)
        return list(before.metadata.get(SERIES, ())) if before and _is_open(before) else []

    def starter(self, run: StartingRun) -> Starter[str]:
        """Whether a run that started another one fails, by its own end and by that of its series.

        A series that has had a good run since does not fail any longer.
        """
        if run.ending is None:
            return Starter(True, run.ticker)
        failed = self.fails(run.ending)
        if run.ticker is not None:
            failed = failed and self.failing(run.ticker)
        return Starter(failed, run.ticker)

    def released(
        self, joining: Mapping[str, Sequence[tuple[str, EndedRun]]]
    ) -> dict[str, tuple[str, Mapping[str, Any]]]:
        """The series whose failed runs get an event now: the one they had joined has recovered."""
        found: dict[str, tuple[str, Mapping[str, Any]]] = {}
        for root in self.runs:
            if root in joining or self.failing(root):
                continue
            for ticker in self.series_of(root):
                before = self.newest(ticker)
                if ticker in self.runs or before is None or before.metadata.get(JOINED) != root:
                    continue
                found[ticker] = (root, before.metadata)
        return found


def _counts(run: EndedRun) -> bool:
    """True if a run says how its series is now."""
    return run.ending is not Ending.CANCELLED and not run.late


def _is_open(past: PastEvaluation | None) -> bool:
    return past is not None and past.metrics.get("value", 0) > 0 and past.metrics.get(NEWEST) == 1
