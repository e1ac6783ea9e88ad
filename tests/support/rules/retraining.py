"""A model that drifts away from its data, and the flow that trains it again."""

import json
from pathlib import Path
from statistics import fmean
from typing import ClassVar

from prefect import flow

from sentinel_core import AlertOutput, Importance, Trigger, rule_flow


class Drift(Trigger):
    """The mean relative difference of a model's metrics from their baseline is too large."""

    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "Models"

    file: Path
    threshold: float = 0.15

    def check(self) -> AlertOutput:
        """Compare the two sets of metrics that the file has."""
        found = json.loads(self.file.read_text())
        baseline, current = found["baseline"], found["current"]
        drift = fmean(abs(current[name] - value) / abs(value) for name, value in baseline.items())
        return AlertOutput(
            triggered=drift > self.threshold,
            ticker=found["model"],
            message=f"{found['model']}: drift {drift:.3f}, limit {self.threshold:g}",
            metrics={"value": drift, "threshold": self.threshold, "drift": drift},
            metadata={"baseline": baseline, "current": current},
        )


drift = rule_flow(Drift)


@flow(name="retrain", persist_result=False)
def retrain(model: str, drift: float, file: str) -> str:
    """Train the model again: its metrics are those of the baseline from then on."""
    place = Path(file)
    found = json.loads(place.read_text())
    place.write_text(json.dumps({**found, "current": found["baseline"]}))
    return f"{model} was trained again, as it had drifted by {drift:.3f}"
