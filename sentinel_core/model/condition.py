"""What a rule may demand of the numbers it measured. Pure data; evaluating is windows.py's work."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.times import duration

YEAR_SECONDS = 366 * 86_400
Seconds = Annotated[FiniteFloat, Field(gt=0, le=YEAR_SECONDS)]
"""A stretch of time that a person would write down: more than nothing, at most a year."""


OR_CONDITIONS = "x-sentinel-or-conditions"
"""Marks a trigger's field, in its JSON schema: without it, and without conditions, the rule never
triggers."""


class Operator(StrEnum):
    """How a measured number is compared with a rule's."""

    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    EQ = "eq"
    NE = "ne"

    @property
    def sign(self) -> str:
        """As it is written between two numbers."""
        return _SIGNS[self]


_SIGNS = dict(zip(Operator, (">", "≥", "<", "≤", "=", "≠"), strict=True))


class Aggregate(StrEnum):
    """What is made of the values of a window."""

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
    """One demand on one metric: `avg(value) over 300 s ≥ 85, cleared below 80`."""

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
        """How old a value may be and still count."""
        return (self.over_seconds or 0.0) + (self.baseline.ago_seconds if self.baseline else 0.0)

    # What every evaluation asks for is worked out once.

    @cached_property
    def points(self) -> int:
        """How many values it takes to say anything."""
        least = 2 if self.aggregate in (Aggregate.DELTA, Aggregate.RATE) else 1
        return max(least, self.minimum_points)

    @cached_property
    def subject(self) -> str:
        """What is compared, in words: `avg(value) over 5 min`."""
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
        """How the comparison came out, in words, by (it holds, `clear` was the threshold)."""
        found = {}
        for holds in (True, False):
            word = self.op.sign if holds else f"is not {self.op.sign}"
            found[holds, False] = f"{word} {self.value:.6g}"
            if self.clear is not None:
                found[holds, True] = f"{word} {self.clear:.6g} (clears there)"
        return found

    def __copy__(self) -> Self:
        """For `model_copy(update=…)`, which would otherwise keep what the old values came to."""
        copied = super().__copy__()
        for name in ("points", "subject", "outcomes"):
            copied.__dict__.pop(name, None)
        return copied


class AllOf(BaseModel):
    """Every one of these."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    all: Annotated[tuple[Condition, ...], Field(min_length=1, max_length=50)]


class AnyOf(BaseModel):
    """At least one of these."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    any: Annotated[tuple[Condition | AllOf, ...], Field(min_length=1, max_length=50)]


Conditions = Annotated[tuple[Condition | AnyOf, ...], Field(max_length=50)]
"""All of them must hold; one of them may be an `any` of single ones and of `all`s."""


def each(conditions: Sequence[Condition | AnyOf | AllOf]) -> Iterator[Condition]:
    """Every single condition, however grouped."""
    for item in conditions:
        if isinstance(item, Condition):
            yield item
        else:
            yield from each(item.any if isinstance(item, AnyOf) else item.all)


def look_back_seconds(conditions: Sequence[Condition | AnyOf]) -> float:
    """How far into the recorded past these conditions look."""
    return max((condition.look_back_seconds for condition in each(conditions)), default=0.0)
