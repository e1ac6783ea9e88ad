"""Compares a number from any source with a threshold. Decides nothing about events."""

from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, FiniteFloat, model_validator

from sentinel_core import AlertOutput, History, Importance, Trigger
from sentinel_core.decide.conditions import compare
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.condition import OR_CONDITIONS, Operator
from triggers.sources.errors import SourceError
from triggers.sources.metrics_cache import CacheHitRate
from triggers.sources.metrics_http import HttpMetrics
from triggers.sources.metrics_prometheus import PrometheusMetrics
from triggers.sources.metrics_psutil import PsutilMetrics
from triggers.sources.metrics_sql import SqlMetrics
from triggers.sources.readings import Reading, fitting_ticker
from triggers.sources.union import any_of
from triggers.sources.unusable import Warnings, writing_query

_TOLERANCE = 1e-9  # for eq and ne: rounding errors of a computed number
_LARGE, _HUGE = 1e5, 1e15
_RESERVED = ("threshold", "hits", "misses")  # metrics with a meaning of their own


class MetricThreshold(Trigger):
    """A number from this machine, HTTP, Prometheus, SQL or a cache is beyond a threshold."""

    display_name: ClassVar[str] = "Metric threshold"
    default_importance: ClassVar[Importance] = Importance.MEDIUM
    default_category: ClassVar[str] = "General"
    timeout_seconds: ClassVar[float] = 90  # two counters of a cache, half a minute each

    source: PsutilMetrics | HttpMetrics | PrometheusMetrics | SqlMetrics | CacheHitRate = Field(
        discriminator="kind",
        description="where the number comes from; `kind` says which fields belong to it",
        json_schema_extra=any_of,
    )
    op: Operator = Field(
        Operator.GT, description="how the number is compared: gt, gte, lt, lte, eq or ne"
    )
    threshold: FiniteFloat | None = Field(
        None,
        description="null: only measured; the rule's `conditions` decide",
        json_schema_extra={OR_CONDITIONS: True},
    )
    critical_threshold: FiniteFloat | None = Field(
        None, description="further out; beyond it the alert is critical"
    )
    unit: str = Field(
        "", max_length=20, description="shown behind the number; empty: the source's own"
    )
    ticker: str = Field(
        "", max_length=200, description="what one number is of; series with names keep theirs"
    )
    metric: Annotated[str, AfterValidator(clean_text)] = Field(
        "value",
        min_length=1,
        max_length=200,
        description="a name of its own to record the number under, beside `value`",
    )

    def check_warnings(self) -> Warnings:
        """What the source may not read here; a query that changes data."""
        found = [("source", said) for said in self.source.refusals()]
        if self.source.kind == "sql":
            found += writing_query("source", self.source.query)
        return found

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.metric in _RESERVED:
            raise ValueError(f"metric: {self.metric} is recorded as something else already")
        if self.ticker and self.source.several:
            raise ValueError("ticker: the source names its series; leave one of the two out")
        self._check_critical()
        return self

    def _check_critical(self) -> None:
        if self.critical_threshold is None:
            return
        if self.threshold is None:
            raise ValueError("critical_threshold: needs a threshold")
        if self.op in (Operator.EQ, Operator.NE):
            raise ValueError("critical_threshold: needs an order: gt, gte, lt or lte")
        upward = self.op in (Operator.GT, Operator.GTE)
        further = self.critical_threshold - self.threshold
        if (further if upward else -further) < 0:
            raise ValueError(
                f"critical_threshold: {self.critical_threshold:g} is "
                f"{'below' if upward else 'above'} the threshold {self.threshold:g}"
            )

    def check(self, history: History) -> list[AlertOutput]:
        """Read the source and compare: one output for each series.

        Raises SentinelError when the source can't be read. A series without a value, or with one
        that is no number, is a problem of that series alone.
        """
        return [self.evaluate(reading) for reading in self.read(history)]

    def read(self, history: History) -> list[Reading]:
        """The source's current values. A hit rate needs the counters recorded before."""
        if isinstance(self.source, CacheHitRate):
            return self.source.read(history, self._ticker(Reading()))
        readings = self.source.read()
        if self.ticker and any(reading.ticker for reading in readings):
            raise SourceError(
                f"the series bring names like {readings[0].ticker!r} with them, "
                f"and `ticker` is for a single number: leave it out"
            )
        return readings

    def evaluate(self, reading: Reading) -> AlertOutput:
        """Compare one number. Pure, apart from the host's name."""
        evidence = {"source": self.source.kind, "unit": self._unit, **reading.evidence}
        name = f"{reading.ticker}: " if reading.ticker else ""
        if reading.value is None:
            return AlertOutput(
                triggered=False,
                problem=reading.problem or "no_data",
                ticker=self._ticker(reading),
                message=f"{name}{self.source.subject} {reading.note}",
                metrics=dict(reading.metrics),
                metadata=evidence,
            )
        metrics = {**reading.metrics, self.metric: reading.value, "value": reading.value}
        if self.threshold is not None:
            metrics["threshold"] = self.threshold
        return AlertOutput(
            triggered=self._beyond(reading.value, self.threshold),
            importance=self._importance(reading.value),
            ticker=self._ticker(reading),
            message=f"{name}{self._sentence(reading, reading.value)}",
            metrics=metrics,
            metadata=evidence,
        )

    def _beyond(self, value: float, threshold: float | None) -> bool:
        return threshold is not None and compare(value, self.op, threshold, _TOLERANCE)

    def _importance(self, value: float) -> Importance | None:
        return Importance.CRITICAL if self._beyond(value, self.critical_threshold) else None

    def _sentence(self, reading: Reading, value: float) -> str:
        text = f"{self.source.subject} is {self._amount(value)}"
        if self.threshold is not None:
            limit, word = self.threshold, "not " * (not self._beyond(value, self.threshold))
            if self._importance(value) and self.critical_threshold is not None:
                limit, word = self.critical_threshold, "critical: "
            text += f", {word}{self.op.sign} {self._amount(limit)}"
        return f"{text} ({reading.note})" if reading.note else text

    def _amount(self, value: float) -> str:
        # six significant digits, and no exponent where a person would not write one
        text = f"{value:,.0f}" if _LARGE <= abs(value) < _HUGE else f"{value:,.6g}"
        return f"{text} {self._unit}".rstrip()

    @property
    def _unit(self) -> str:
        return self.unit or self.source.unit

    def _ticker(self, reading: Reading) -> str:
        return fitting_ticker(reading.ticker or self.ticker or self.source.own_ticker)
