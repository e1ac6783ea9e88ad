"""Conditions over measured numbers and their recent past. Pure: no clock, no I/O."""

import math
import operator
import statistics
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from sentinel_core.model.condition import Aggregate, AllOf, AnyOf, Condition, Operator
from sentinel_core.model.times import duration

_PILE = 64  # old samples that accumulate before they are dropped


class MetricMissingError(ValueError):
    """A condition has no number: its metric was not measured, or a sum is too large for a float.

    This is an error, never "not triggered".
    """


@dataclass(slots=True)
class Column:
    """Times and values of one metric of a series."""

    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def window(self, after: float, until: float) -> slice:
        """The slice of the measurements in (after, until]."""
        times = self.times
        end = len(times) if not times or times[-1] <= until else bisect_right(times, until)
        return slice(bisect_right(times, after, 0, end), end)


@dataclass(slots=True)
class Samples:
    """The measurements of one series, oldest first: seconds since 1970 and metrics.

    Metrics in use are also kept as columns, of which a window is a slice.
    """

    times: list[float] = field(default_factory=list)
    metrics: list[Mapping[str, float]] = field(default_factory=list)
    _columns: dict[str, Column] = field(default_factory=dict, init=False, repr=False, compare=False)

    def add(self, time: float, metrics: Mapping[str, float]) -> None:
        """Insert a measurement in order of time."""
        if self.times and time < self.times[-1]:
            place = bisect_right(self.times, time)
            self.times.insert(place, time)
            self.metrics.insert(place, metrics)
            self._columns.clear()
            return
        self.times.append(time)
        self.metrics.append(metrics)
        for metric, column in self._columns.items():
            if metric in metrics:
                column.times.append(time)
                column.values.append(metrics[metric])

    def forget(self, before: float) -> None:
        """Drop measurements older than `before`.

        Cheap when called for every sample, as some accumulate before any are dropped.
        """
        if len(self.times) <= _PILE:
            return
        old = bisect_right(self.times, before)
        if old > _PILE and old > len(self.times) // 2:
            del self.times[:old]
            del self.metrics[:old]
            self._columns.clear()

    def column(self, metric: str) -> Column:
        """All measurements of a metric."""
        column = self._columns.get(metric)
        if column is None:
            pairs = [
                (time, metrics[metric])
                for time, metrics in zip(self.times, self.metrics, strict=True)
                if metric in metrics
            ]
            column = Column([time for time, _ in pairs], [value for _, value in pairs])
            self._columns[metric] = column
        return column


@dataclass(slots=True)
class Verdict:
    """The result of conditions. `breached` is None if there are too few values to decide."""

    breached: bool | None
    sentence: str


def evaluate(
    conditions: Sequence[Condition | AnyOf], samples: Samples, at: float, *, firing: bool
) -> Verdict:
    """The verdict, with its sentence, on whether all of these conditions hold at the time `at`.

    The samples include the measurement at that time. `firing` selects the threshold of a condition
    with two (hysteresis). Too few values for one condition leave the verdict open, unless another
    decides it. Raises MetricMissingError.
    """
    if len(conditions) == 1:
        return _verdict(conditions[0], samples, at, firing)
    return _all([_verdict(item, samples, at, firing) for item in conditions])


def _verdict(item: Condition | AnyOf | AllOf, samples: Samples, at: float, firing: bool) -> Verdict:
    if isinstance(item, Condition):
        return _single(item, samples, at, firing)
    if isinstance(item, AllOf):
        return _all([_single(part, samples, at, firing) for part in item.all])
    return _any([_verdict(part, samples, at, firing) for part in item.any])


def _all(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict of the deciding condition: the first that does not hold, or all together."""
    for wanted in (False, None):
        against = [verdict for verdict in verdicts if verdict.breached is wanted]
        if against:
            return against[0]
    return Verdict(True, " and ".join(verdict.sentence for verdict in verdicts))


def _any(verdicts: Sequence[Verdict]) -> Verdict:
    holding = [verdict.sentence for verdict in verdicts if verdict.breached]
    if holding:
        return Verdict(True, " and ".join(holding))
    undecided = [verdict for verdict in verdicts if verdict.breached is None]
    if undecided:
        return undecided[0]
    return Verdict(False, " and ".join(verdict.sentence for verdict in verdicts))


def _single(condition: Condition, samples: Samples, at: float, firing: bool) -> Verdict:
    threshold, cleared = condition.value, False
    if firing and condition.clear is not None:
        threshold, cleared = condition.clear, condition.clear != threshold
    try:
        value = _value(condition, samples, at)
    except OverflowError as error:
        raise MetricMissingError(f"{condition.subject} is too large for a number") from error
    if value is None:
        return Verdict(None, _too_few(condition, samples, at))
    holds = compare(value, condition.op, threshold, condition.tolerance)
    outcome = condition.outcomes[holds, cleared]
    return Verdict(holds, f"{condition.subject} {value:.6g} {outcome}")


_ORDERS: dict[Operator, Callable[[float, float], bool]] = {
    Operator.GT: operator.gt,
    Operator.GTE: operator.ge,
    Operator.LT: operator.lt,
    Operator.LTE: operator.le,
}


def compare(value: float, op: Operator, threshold: float, tolerance: float = 0.0) -> bool:
    """True if the comparison holds.

    `tolerance` applies to eq and ne: relative to the larger number, and absolute around zero.
    """
    if (order := _ORDERS.get(op)) is not None:
        return order(value, threshold)
    same = math.isclose(value, threshold, rel_tol=tolerance, abs_tol=tolerance)
    return same if op is Operator.EQ else not same


def _value(condition: Condition, samples: Samples, at: float) -> float | None:
    metric, over = condition.metric, condition.over_seconds
    if over is None:
        return _newest(samples, metric, at)
    column = samples.column(metric)
    now = column.window(at - over, at)
    count = now.stop - now.start
    if not count:
        raise MetricMissingError(_missing(samples, metric, at))
    if count < condition.points:
        return None
    value = _made_of(column, now, condition)
    if condition.baseline is None:
        return value
    ago = condition.baseline.ago_seconds
    then = column.window(at - ago - over, at - ago)
    if condition.baseline.measure == "sigma":
        return _sigma(value, column.values[then], condition.points)
    if then.stop - then.start < condition.points:
        return None
    return _percent(value, _made_of(column, then, condition))


def _made_of(column: Column, window: slice, condition: Condition) -> float:
    times = column.times[window] if condition.aggregate is Aggregate.RATE else ()
    return aggregated(column.values[window], condition.aggregate, condition.percentile, times)


def _newest(samples: Samples, metric: str, at: float) -> float:
    place = bisect_right(samples.times, at) - 1
    if place < 0 or metric not in samples.metrics[place]:
        raise MetricMissingError(_missing(samples, metric, at))
    return samples.metrics[place][metric]


def _missing(samples: Samples, metric: str, at: float) -> str:
    place = bisect_right(samples.times, at) - 1
    known = sorted(samples.metrics[place])[:20] if place >= 0 else []
    measured = ", ".join(known) if known else "no metric at all"
    return f"a condition asks for the metric {metric!r}; measured: {measured}"


def aggregated(
    numbers: Sequence[float],
    aggregate: Aggregate,
    percentile: float | None = None,
    times: Sequence[float] = (),
) -> float:
    """The aggregate of a window's values (at least one; two for delta and rate).

    Only `rate` needs their times. Raises OverflowError if the result is too large for a float.
    """
    if (plain := _PLAIN.get(aggregate)) is not None:
        number = plain(numbers)
    elif aggregate is Aggregate.RATE:
        number = _rate(times, numbers)
    else:
        number = _percentile(sorted(numbers), percentile if percentile is not None else 50.0)
    if not math.isfinite(number):
        raise OverflowError
    return number


_PLAIN: dict[Aggregate, Callable[[Sequence[float]], float]] = {
    Aggregate.LAST: lambda numbers: numbers[-1],
    Aggregate.AVG: lambda numbers: math.fsum(numbers) / len(numbers),
    Aggregate.MIN: min,
    Aggregate.MAX: max,
    Aggregate.SUM: math.fsum,
    Aggregate.COUNT: lambda numbers: float(len(numbers)),
    Aggregate.DELTA: lambda numbers: numbers[-1] - numbers[0],
}


def _rate(times: Sequence[float], numbers: Sequence[float]) -> float:
    """Growth per second. A counter that is lower than before was reset, as in Prometheus."""
    grown = 0.0
    for before, after in pairwise(numbers):
        grown += after - before if after >= before else after
    seconds = times[-1] - times[0]
    return grown / seconds if seconds > 0 else 0.0


def _percentile(ordered: Sequence[float], percent: float) -> float:
    """The percentile, linear between the nearest ranks (Hyndman and Fan's type 7, as in NumPy)."""
    place = (len(ordered) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _percent(value: float, earlier: float) -> float:
    if earlier == 0:
        return 0.0 if value == 0 else math.copysign(math.inf, value)
    return (value - earlier) / abs(earlier) * 100


def _sigma(value: float, earlier: Sequence[float], least: int) -> float | None:
    """Sample standard deviations from the mean; infinite for any change of a constant series."""
    if len(earlier) < max(2, least):
        return None
    mean, spread = math.fsum(earlier) / len(earlier), statistics.stdev(earlier)
    if spread == 0:
        return 0.0 if value == mean else math.copysign(math.inf, value - mean)
    return (value - mean) / spread


def _too_few(condition: Condition, samples: Samples, at: float) -> str:
    over = condition.over_seconds or 0.0
    subject = condition.subject.removesuffix(",")  # a number would follow there
    column = samples.column(condition.metric)
    now = _count(column, at - over, at)
    if now < condition.points:
        return f"{subject}: {now} of {condition.points} values in {duration(over)}"
    baseline = condition.baseline
    assert baseline is not None
    ago = baseline.ago_seconds
    then = _count(column, at - ago - over, at - ago)
    least = max(2, condition.points) if baseline.measure == "sigma" else condition.points
    return f"{subject}: {then} of {least} values in {duration(over)} at that time"


def _count(column: Column, after: float, until: float) -> int:
    window = column.window(after, until)
    return int(window.stop - window.start)
