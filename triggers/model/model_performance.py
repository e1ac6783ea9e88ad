"""One figure of a model, such as its accuracy, against a baseline. Decides nothing about events."""

from typing import Any, ClassVar

from pydantic import Field, FiniteFloat

from sentinel_core import AlertOutput, History, Importance
from triggers.model.figures import FiguresCheck, figure

_SLACK = 1e-9  # 0.85 − 0.05 is a little less than 0.8 for a computer


class ModelPerformance(FiguresCheck):
    """A figure of a model is worse than its baseline by more than a tolerance."""

    display_name: ClassVar[str] = "Model performance"
    default_importance: ClassVar[Importance] = Importance.HIGH

    metric: str = Field(
        "accuracy", min_length=1, description="the figure: names and positions joined by dots"
    )
    baseline: FiniteFloat = Field(0.85, description="the figure as it should be")
    tolerance: float = Field(
        0.05, ge=0, allow_inf_nan=False, description="by how much it may be worse"
    )
    higher_is_better: bool = Field(True, description="no: for errors and losses, which should fall")

    def measure_document(self, document: Any, history: History) -> list[AlertOutput]:
        """One output."""
        del history
        return [self.evaluate(figure(document, self.metric))]

    def evaluate(self, value: float) -> AlertOutput:
        """The verdict on the figure. Pure."""
        sign = 1 if self.higher_is_better else -1
        limit = self.baseline - sign * self.tolerance
        worse = sign * (limit - value) > _SLACK
        side = "below" if self.higher_is_better else "above"
        return AlertOutput(
            triggered=worse,
            ticker=self.dataset,
            message=f"{self.named}{self.metric} is {value:.4g}, {'' if worse else 'not '}{side} "
            f"{limit:.4g} (baseline {self.baseline:g}, tolerance {self.tolerance:g})",
            suggestion="Investigate the data: what the model saw lately, and what was to be found "
            "out. Then retrain, or go back to the model before."
            if worse
            else "",
            metrics={
                "value": value,
                "threshold": limit,
                "baseline": self.baseline,
                "drop": sign * (self.baseline - value),
            },
        )
