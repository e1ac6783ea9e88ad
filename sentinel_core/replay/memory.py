"""The recent measurements and evaluations of a rule's series, in memory. Pure.

It answers what decisions ask of the past, and drops what no decision can need.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import itemgetter

from sentinel_core.decide.conditions import Samples
from sentinel_core.decide.lifecycle import OUTPUTS, Lifecycle
from sentinel_core.decide.observe import Kind, Observation
from sentinel_core.decide.state import Key

_SLACK = 64  # old entries that accumulate before they are dropped

Entry = tuple[datetime, bool, int | None]
"""An evaluation: when it was due, whether it breached, and its event."""


@dataclass(slots=True)
class _Entries:
    """The latest evaluations of a series by due time. Above `limit`, old ones are dropped."""

    entries: list[Entry] = field(default_factory=list)
    limit: int = _SLACK


class RecentPast:
    """The recent measurements and evaluations of one rule's series.

    `latest_by` is how much later than due a run may be recorded: what is older than that, and than
    conditions look back, is forgotten; nothing is if it is None.
    """

    def __init__(self, lifecycle: Lifecycle, latest_by: timedelta | None) -> None:
        self.samples: dict[str, Samples] = {}
        self.first_at: datetime | None = None
        self.checked_at: datetime | None = None
        self._entries: dict[Key, _Entries] = {}
        self._latest_by = latest_by
        self._measures = bool(lifecycle.settings.conditions)
        self._kept_seconds = (lifecycle.look_back + (latest_by or timedelta())).total_seconds()
        self._kept_entries = lifecycle.late_neighbours

    def observe(self, observations: Sequence[Observation]) -> None:
        """Take in what a run observed."""
        at = observations[0].at
        if self.first_at is None or at < self.first_at:
            self.first_at = at
        if not self._measures:
            return
        seconds = at.timestamp()
        for observation in observations:
            if observation.reported is None:
                continue
            samples = self.samples.get(observation.ticker)
            if samples is None:
                samples = self.samples[observation.ticker] = Samples()
            samples.add(seconds, observation.metrics)
            if self._latest_by is not None:
                samples.forget(samples.times[-1] - self._kept_seconds - 1)

    def note_check(self, at: datetime, judged: Sequence[Observation]) -> None:
        """Remember a run that checked: a failure recorded late is compared with it."""
        if any(each.kind is Kind.ALERT and each.evaluated for each in judged):
            self.checked_at = max(at, self.checked_at or at)
        elif not any(each.kind in OUTPUTS and each.evaluated for each in judged):
            return
        self.remember((Kind.FAILURE, ""), at, False, None)

    def remember(self, key: Key, at: datetime, breached: bool, event_id: int | None) -> None:
        """Add an evaluation of a series."""
        past = self._entries.get(key)
        if past is None:
            past = self._entries[key] = _Entries()
        entries = past.entries
        late = entries and at < entries[-1][0]
        entries.append((at, breached, event_id))
        if late:
            entries.sort(key=itemgetter(0))
        if len(entries) > past.limit and self._latest_by is not None:
            oldest = entries[-1][0] - self._latest_by
            old = bisect_left(entries, oldest, key=itemgetter(0)) - self._kept_entries
            del entries[: max(old, 0)]
            past.limit = 2 * len(entries) + _SLACK

    def around(self, key: Key, at: datetime, count: int) -> tuple[list[Entry], list[Entry]]:
        """The evaluations up to a time and after it, nearest first, at most `count` of each."""
        entries = self._entries[key].entries if key in self._entries else []
        before = [entry for entry in entries if entry[0] <= at][-count:][::-1]
        return before, [entry for entry in entries if entry[0] > at][:count]
