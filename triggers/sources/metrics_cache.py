"""The hit rate of a cache, from two counters. Judges nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from sentinel_core import History
from sentinel_core.model.trigger import PastEvaluation
from triggers.sources.described import Described
from triggers.sources.errors import SourceError
from triggers.sources.metrics_http import HttpMetrics
from triggers.sources.metrics_prometheus import PrometheusMetrics
from triggers.sources.metrics_sql import SqlMetrics
from triggers.sources.readings import Reading, no_data
from triggers.sources.union import any_of

_REMEMBERED = 100  # evaluations looked through for counters

CounterSource = Annotated[HttpMetrics | PrometheusMetrics | SqlMetrics, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True)
class Counters:
    """A cache's counters; `at` is None for the current ones."""

    hits: float
    misses: float
    at: datetime | None = None


class CacheHitRate(Described):
    """Percent of a cache's requests that were hits, since the evaluation before."""

    kind: Literal["cache_hit_rate"] = Field(description="cache_hit_rate: from two counters")
    hits: CounterSource = Field(
        description="the counter of requests answered from the cache", json_schema_extra=any_of
    )
    misses: CounterSource = Field(
        description="the counter of requests it could not answer", json_schema_extra=any_of
    )

    @property
    def subject(self) -> str:
        """The measurement in words."""
        return "the cache hit rate"

    @property
    def unit(self) -> str:
        """Per cent."""
        return "%"

    def refusals(self) -> list[str]:
        """Why the settings here keep rules from reading its counters."""
        return [*self.hits.refusals(), *self.misses.refusals()]

    def read(self, history: History, ticker: str) -> list[Reading]:
        """The rate since the evaluation before. Raises SourceError, HistoryUnavailableError."""
        counted: list[float] = []
        for name, source in (("hits", self.hits), ("misses", self.misses)):
            found = source.read()
            if len(found) != 1:
                raise SourceError(f"{name}: {len(found)} series, one counter is needed")
            if found[0].problem is not None:
                why = f"is unknown: the counter of {name} {found[0].note}"
                return [Reading(problem=found[0].problem, note=why)]
            counted.append(found[0].value or 0.0)
        hits, misses = counted
        return [
            hit_rate(Counters(hits, misses), counted_before(history.latest(_REMEMBERED, ticker)))
        ]


def counted_before(past: Sequence[PastEvaluation]) -> Counters | None:
    """The newest counters on record; `past` is newest first. Pure."""
    for one in past:
        if "hits" in one.metrics and "misses" in one.metrics:
            return Counters(one.metrics["hits"], one.metrics["misses"], one.at)
    return None


def hit_rate(now: Counters, before: Counters | None) -> Reading:
    """Percent of hits since the earlier counters. Pure.

    When nothing was counted before, the growth is all there is: the rate since the cache started.
    When one counter fell, the cache began anew and both count from zero. Without any requests
    there is no rate.
    """
    if now.hits < 0 or now.misses < 0:
        return Reading(problem="error", note="is unknown: a counter is below zero")
    restarted = before is not None and (now.hits < before.hits or now.misses < before.misses)
    start = Counters(0, 0) if before is None or restarted else before
    hits, misses = now.hits - start.hits, now.misses - start.misses
    since = "since the cache started"
    if before is not None and before.at is not None:
        since = f"since {before.at:%Y-%m-%d %H:%M:%S} UTC"
        if restarted:
            since += ", counters began anew"
    counted = {"hits": now.hits, "misses": now.misses}
    if hits + misses <= 0:
        return replace(no_data(f"is unknown: no requests {since}"), metrics=counted)
    return Reading(
        hits / (hits + misses) * 100,
        note=f"{hits:,.0f} hits and {misses:,.0f} misses {since}",
        metrics=counted,
        evidence={"hits": hits, "misses": misses, "since": since, "restarted": restarted},
    )
