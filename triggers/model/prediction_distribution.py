"""The scores that a model gives. Measures; decides nothing about events."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from sentinel_core import AlertOutput, History, Importance
from sentinel_core.wording.text import counted
from triggers.model.feature_drift import RETRAIN
from triggers.sources.checked import SourceCheck
from triggers.sources.errors import NoDataError, SourceError
from triggers.sources.table import Numbers, Table

_SLACK = 1e-9

Score = Annotated[float, Field(allow_inf_nan=False)]


class PredictionDistribution(SourceCheck):
    """A model's mean score is far from the middle, or too many scores are extreme."""

    display_name: ClassVar[str] = "Prediction distribution"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "Model"

    column: str = Field("score", min_length=1, description="the column with the scores")
    min_mean: Score = Field(0.1, description="a mean score below this triggers")
    max_mean: Score = Field(0.9, description="a mean score above this triggers")
    expected_min: Score = Field(0.3, description="from here the mean is as expected, for messages")
    expected_max: Score = Field(0.7, description="up to here the mean is as expected")
    extreme_score: Score = Field(0.95, description="scores above this are extreme")
    max_extreme_share: float = Field(
        0.1, ge=0, le=1, description="a larger share of extreme scores triggers"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        limits = [self.min_mean, self.expected_min, self.expected_max, self.max_mean]
        if limits != sorted(limits):
            raise ValueError("expected are min_mean ≤ expected_min ≤ expected_max ≤ max_mean")
        return self

    def measure_table(self, table: Table, history: History) -> list[AlertOutput]:
        """One output. Raises NoDataError without scores, SourceError for infinite ones."""
        del history
        return [self.evaluate(table.numbers(self.column, self.extreme_score))]

    def evaluate(self, scores: Numbers) -> AlertOutput:
        """The verdict on the scores. Pure."""
        if scores.infinite:
            raise SourceError(f"{counted(scores.infinite, 'score is', 'scores are')} infinite")
        if not scores.values or scores.mean is None:
            rows = f" in {counted(scores.rows, 'row')}" if scores.rows else ""
            raise NoDataError(f"there are 0 predictions{rows}")
        share = scores.above / scores.values
        outside = not self.min_mean - _SLACK <= scores.mean <= self.max_mean + _SLACK
        extreme = share > self.max_extreme_share + _SLACK
        usual = self.expected_min <= scores.mean <= self.expected_max
        place = "as expected" if usual else f"expected {self.expected_min:g} to "
        place += "" if usual else f"{self.expected_max:g}"
        if outside:
            place = f"outside of {self.min_mean:g} to {self.max_mean:g}, {place}"
        message = (
            f"{self.named}{counted(scores.values, 'prediction')}, mean score {scores.mean:.4g} "
            f"({place}); {share:.1%} above {self.extreme_score:g} "
            f"({'more than' if extreme else 'allowed are'} {self.max_extreme_share:.1%})"
        )
        empty = scores.rows - scores.values
        message += f"; {counted(empty, 'row')} without a score" if empty else ""
        metrics = {
            "value": scores.mean,
            "mean": scores.mean,
            "extreme_share": share,
            "predictions": scores.values,
            "without_score": empty,
            "least": scores.least,
            "most": scores.most,
        }
        return AlertOutput(
            triggered=outside or extreme,
            ticker=self.dataset,
            message=message,
            suggestion=RETRAIN if outside or extreme else "",
            metrics={name: value for name, value in metrics.items() if value is not None},
            metadata={"code": [c for c, on in (("mean", outside), ("extreme", extreme)) if on]},
        )
