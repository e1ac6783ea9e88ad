"""Conditions over measured numbers and their recent past. Pure: no clock, no I/O."""

import math
import statistics
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from sentinel_core.condition import Aggregate, AllOf, AnyOf, Condition, Operator, in_words

_PILE = 64  # samples that may be out of date before they are worth dropping


class MetricMissingError(ValueError):
    """A condition asks for a number there is not (a metric that was not measured, a sum too large
    for a number): an error, never "not triggered"."""


@dataclass(slots=True)
class Samples:
    """What one series measured, oldest first: seconds since 1970, and the metrics of each."""

    times: list[float] = field(default_factory=list)
    metrics: list[Mapping[str, float]] = field(default_factory=list)

    def add(self, time: float, metrics: Mapping[str, float]) -> None:
        """Put a measurement where it belongs in time."""
        place = len(self.times)
        if place and time < self.times[-1]:
            place = bisect_right(self.times, time)
        self.times.insert(place, time)
        self.metrics.insert(place, metrics)

    def forget(self, before: float) -> None:
        """Drop what is older than `before`. Cheap when called for every sample: it lets some pile
        up first."""
        old = bisect_right(self.times, before)
        if old > _PILE and old > len(self.times) // 2:
            del self.times[:old]
            del self.metrics[:old]

    def values(self, metric: str, after: float, until: float) -> list[tuple[float, float]]:
        """Time and value of a metric in the window (after, until]."""
        start, end = bisect_right(self.times, after), bisect_right(self.times, until)
        window = zip(self.times[start:end], self.metrics[start:end], strict=True)
        return [(time, metrics[metric]) for time, metrics in window if metric in metrics]


@dataclass(slots=True)
class Verdict:
    """What conditions say. `breached` None: too few values to say anything."""

    breached: bool | None
    sentence: str


def evaluate(
    conditions: Sequence[Condition | AnyOf], samples: Samples, at: float, *, firing: bool
) -> Verdict:
    """Do all of these hold at the moment `at`, whose measurement is among the samples?

    `firing` says which threshold counts where one has two (hysteresis). Too few values for one
    leave the answer open, unless the others settle it. Raises MetricMissingError.
    """
    if len(conditions) == 1:
        return _verdict(conditions[0], samples, at, firing)
    return _all([_verdict(item, samples, at, firing) for item in conditions])


def _verdict(item: Condition | AnyOf | AllOf, samples: Samples, at: float, firing: bool) -> Verdict:
    if isinstance(item, Condition):
        return _single(item, samples, at, firing)
    if isinstance(item, AllOf):
        return _all([_single(one, samples, at, firing) for one in item.all])
    return _any([_verdict(one, samples, at, firing) for one in item.any])


def _all(verdicts: Sequence[Verdict]) -> Verdict:
    """Told is what decides: the first that does not hold, or all that do."""
    for wanted in (False, None):
        against = [verdict for verdict in verdicts if verdict.breached is wanted]
        if against:
            return against[0]
    return Verdict(True, " and ".join(verdict.sentence for verdict in verdicts))


def _any(verdicts: Sequence[Verdict]) -> Verdict:
    holding = [verdict.sentence for verdict in verdicts if verdict.breached]
    if holding:
        return Verdict(True, " and ".join(holding))
    open_ones = [verdict for verdict in verdicts if verdict.breached is None]
    if open_ones:
        return open_ones[0]
    return Verdict(False, "neither " + " nor ".join(verdict.sentence for verdict in verdicts))


def _single(condition: Condition, samples: Samples, at: float, firing: bool) -> Verdict:
    threshold = condition.value
    if firing and condition.clear is not None:
        threshold = condition.clear
    try:
        value = _value(condition, samples, at)
    except OverflowError as error:
        raise MetricMissingError(f"{condition.subject} is too large for a number") from error
    if value is None:
        return Verdict(None, _too_few(condition, samples, at))
    holds = compare(value, condition.op, threshold, condition.tolerance)
    told = f"{condition.subject} {value:.6g}"
    word = condition.op.sign if holds else f"is not {condition.op.sign}"
    cleared = " (clears there)" if threshold != condition.value else ""
    return Verdict(holds, f"{told} {word} {threshold:.6g}{cleared}")


def compare(value: float, op: Operator, threshold: float, tolerance: float = 0.0) -> bool:
    """`tolerance` is for eq and ne: relative to the larger number, and absolute around zero."""
    if op is Operator.GT:
        return value > threshold
    if op is Operator.GTE:
        return value >= threshold
    if op is Operator.LT:
        return value < threshold
    if op is Operator.LTE:
        return value <= threshold
    same = math.isclose(value, threshold, rel_tol=tolerance, abs_tol=tolerance)
    return same if op is Operator.EQ else not same


def _value(condition: Condition, samples: Samples, at: float) -> float | None:
    metric, over = condition.metric, condition.over_seconds
    if over is None:
        return _newest(samples, metric, at)
    points = samples.values(metric, at - over, at)
    if not points:
        raise MetricMissingError(_missing(samples, metric, at))
    if len(points) < condition.points:
        return None
    value = aggregated(points, condition.aggregate, condition.percentile)
    if condition.baseline is None:
        return value
    ago = condition.baseline.ago_seconds
    earlier = samples.values(metric, at - ago - over, at - ago)
    if condition.baseline.measure == "sigma":
        return _sigma(value, [number for _, number in earlier], condition.points)
    if len(earlier) < condition.points:
        return None
    return _percent(value, aggregated(earlier, condition.aggregate, condition.percentile))


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
    points: Sequence[tuple[float, float]], aggregate: Aggregate, percentile: float | None = None
) -> float:
    """One number for the values of a window (at least one; two for delta and rate).

    Raises OverflowError where that is more than a number holds.
    """
    numbers = [value for _, value in points]
    if aggregate is Aggregate.PERCENTILE:
        number = _percentile(sorted(numbers), percentile if percentile is not None else 50.0)
    elif aggregate is Aggregate.RATE:
        number = _rate(points)
    else:
        number = _PLAIN[aggregate](numbers)
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


def _rate(points: Sequence[tuple[float, float]]) -> float:
    """Growth per second. A counter that is lower than before was reset, as Prometheus takes it."""
    grown = 0.0
    for (_, before), (_, after) in pairwise(points):
        grown += after - before if after >= before else after
    seconds = points[-1][0] - points[0][0]
    return grown / seconds if seconds > 0 else 0.0


def _percentile(ordered: Sequence[float], percent: float) -> float:
    """Linear between the two nearest ranks (Hyndman and Fan's type 7, NumPy's default)."""
    place = (len(ordered) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _percent(value: float, earlier: float) -> float:
    if earlier == 0:
        return 0.0 if value == 0 else math.copysign(math.inf, value)
    return (value - earlier) / abs(earlier) * 100


def _sigma(value: float, earlier: Sequence[float], least: int) -> float | None:
    """Sample standard deviations from the mean; where all were the same, any change is infinite."""
    if len(earlier) < max(2, least):
        return None
    mean, spread = math.fsum(earlier) / len(earlier), statistics.stdev(earlier)
    if spread == 0:
        return 0.0 if value == mean else math.copysign(math.inf, value - mean)
    return (value - mean) / spread


def _too_few(condition: Condition, samples: Samples, at: float) -> str:
    over = condition.over_seconds or 0.0
    now = len(samples.values(condition.metric, at - over, at))
    if now < condition.points:
        return f"{condition.subject}: {now} of {condition.points} values in {in_words(over)}"
    baseline = condition.baseline
    assert baseline is not None
    ago = baseline.ago_seconds
    then = len(samples.values(condition.metric, at - ago - over, at - ago))
    least = max(2, condition.points) if baseline.measure == "sigma" else condition.points
    return f"{condition.subject}: {then} of {least} values in {in_words(over)} at that time"
