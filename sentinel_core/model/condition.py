"""Conditions of a rule on what it measured. Pure data; decide/conditions.py evaluates them."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.times import duration

YEAR_SECONDS = 366 * 86_400
Seconds = Annotated[FiniteFloat, Field(gt=0, le=YEAR_SECONDS)]
"""A duration in seconds: more than 0, at most a year."""


OR_CONDITIONS = "x-sentinel-or-conditions"
"""Marks a field in a trigger's JSON schema that replaces conditions: a rule without it and without
conditions never triggers."""


class Operator(StrEnum):
    """How a measured number is compared with the condition's value."""

    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    EQ = "eq"
    NE = "ne"

    @property
    def sign(self) -> str:
        """The sign between two numbers: `≥` for gte."""
        return _SIGNS[self]


_SIGNS = dict(zip(Operator, (">", "≥", "<", "≤", "=", "≠"), strict=True))


class Aggregate(StrEnum):
    """How the values of a window become one number."""

    LAST = "last"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    SUM = "sum"
    COUNT = "count"
    DELTA = "delta"  # last minus first
    RATE = "rate"  # growth of a counter per second; a fall is a counter that began anew
    PERCENTILE = "percentile"


class Baseline(BaseModel):
    """Compare with the same window earlier instead of with a fixed number.

    `percent`: by how much the aggregate differs from the earlier one, in % of the earlier one.
    `sigma`: how many standard deviations of the earlier window's values it is from their mean.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ago_seconds: Seconds
    measure: Literal["percent", "sigma"] = "percent"


class Condition(BaseModel):
    """A threshold for one metric: `avg(value) over 300 s ≥ 85, cleared below 80`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(clean_text)] = (
        "value"
    )
    op: Operator
    value: FiniteFloat
    clear: Annotated[
        FiniteFloat | None,
        Field(description="Threshold used instead of `value` while the rule is firing."),
    ] = None
    aggregate: Aggregate = Aggregate.LAST
    over_seconds: Annotated[
        Seconds | None,
        Field(description="Window of evaluations to aggregate, the current one included."),
    ] = None
    percentile: Annotated[float | None, Field(ge=0, le=100)] = None
    minimum_points: Annotated[int, Field(ge=1, le=100_000)] = 1
    tolerance: Annotated[
        float,
        Field(ge=0, le=1, description="Tolerance of eq and ne: relative, absolute near zero."),
    ] = 1e-9
    baseline: Baseline | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.percentile is not None) != (self.aggregate is Aggregate.PERCENTILE):
            raise ValueError("`percentile` belongs to `aggregate: percentile`, and it needs one")
        if self.aggregate is not Aggregate.LAST and self.over_seconds is None:
            raise ValueError(f"`aggregate: {self.aggregate}` needs `over_seconds`, its window")
        if self.aggregate is Aggregate.LAST and self.baseline is None and self.over_seconds:
            raise ValueError(
                "`over_seconds` means nothing for `aggregate: last`: choose avg, min, max, …"
            )
        if self.baseline is not None and self.over_seconds is None:
            raise ValueError("`baseline` needs `over_seconds`, the window that is compared")
        self._check_clear()
        return self

    def _check_clear(self) -> None:
        if self.clear is None:
            return
        if self.op in (Operator.EQ, Operator.NE):
            raise ValueError("`clear` needs an order: gt, gte, lt or lte")
        upward = self.op in (Operator.GT, Operator.GTE)
        if (self.clear > self.value) if upward else (self.clear < self.value):
            side = "above" if upward else "below"
            raise ValueError(
                f"`clear` {self.clear:g} is {side} `value` {self.value:g}: it would clear what has "
                "just been raised"
            )

    @property
    def look_back_seconds(self) -> float:
        """Age in seconds up to which a recorded value counts."""
        return (self.over_seconds or 0.0) + (self.baseline.ago_seconds if self.baseline else 0.0)

    # Every evaluation needs these: they are computed once.

    @cached_property
    def points(self) -> int:
        """The number of values that a decision needs."""
        least = 2 if self.aggregate in (Aggregate.DELTA, Aggregate.RATE) else 1
        return max(least, self.minimum_points)

    @cached_property
    def subject(self) -> str:
        """The left side of the comparison: `avg(value) over 5 min`."""
        what = self.metric
        if self.aggregate is Aggregate.PERCENTILE:
            what = f"p{self.percentile:g}({self.metric})"
        elif self.aggregate is not Aggregate.LAST:
            what = f"{self.aggregate}({self.metric})"
        if self.aggregate is not Aggregate.LAST and self.over_seconds:
            what += f" over {duration(self.over_seconds)}"
        if self.baseline is not None:
            unit = "% change" if self.baseline.measure == "percent" else "standard deviations"
            what += f", {unit} against {duration(self.baseline.ago_seconds)} before,"
        return what

    @cached_property
    def outcomes(self) -> Mapping[tuple[bool, bool], str]:
        """Sentences for a result, by (the comparison is true, `clear` was the threshold)."""
        found = {}
        for holds in (True, False):
            word = self.op.sign if holds else f"is not {self.op.sign}"
            found[holds, False] = f"{word} {self.value:.6g}"
            if self.clear is not None:
                found[holds, True] = f"{word} {self.clear:.6g} (clears there)"
        return found

    def __copy__(self) -> Self:
        """Drops computed values: `model_copy(update=…)` would keep those of the old fields."""
        copied = super().__copy__()
        for name in ("points", "subject", "outcomes"):
            copied.__dict__.pop(name, None)
        return copied


class AllOf(BaseModel):
    """True when every one of these conditions is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    all: Annotated[tuple[Condition, ...], Field(min_length=1, max_length=50)]


class AnyOf(BaseModel):
    """True when at least one of these is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    any: Annotated[tuple[Condition | AllOf, ...], Field(min_length=1, max_length=50)]


Conditions = Annotated[tuple[Condition | AnyOf, ...], Field(max_length=50)]
"""All of them must hold; one of them may be an `any` of single ones and of `all`s."""


def each(conditions: Sequence[Condition | AnyOf | AllOf]) -> Iterator[Condition]:
    """Every single condition in these groups."""
    for item in conditions:
        if isinstance(item, Condition):
            yield item
        else:
            yield from each(item.any if isinstance(item, AnyOf) else item.all)


def look_back_seconds(conditions: Sequence[Condition | AnyOf]) -> float:
    """Seconds of recorded past that these conditions need; 0 for none."""
    return max((condition.look_back_seconds for condition in each(conditions)), default=0.0)
