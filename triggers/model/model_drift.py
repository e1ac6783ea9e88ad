"""A model's figures and its inputs, against a baseline. Decides nothing about events."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import Field, FiniteFloat, model_validator

from sentinel_core import AlertOutput, History, Importance
from triggers.model.feature_drift import RETRAIN, Features
from triggers.model.figures import document_of, figure
from triggers.sources.checked import SourceCheck
from triggers.sources.data_source import DataSource
from triggers.sources.errors import SourceError
from triggers.sources.table import Table
from triggers.sources.unusable import Warnings

_SLACK = 1e-9
_MOST_SAID = 10


class ModelDrift(SourceCheck):
    """A model's figures have moved away from their baseline, or its inputs from a reference.

    The drift of figures is the mean of |current − baseline| / |baseline| over the baseline's
    figures. Each feature is compared by itself.
    """

    display_name: ClassVar[str] = "Model drift"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "Model"

    baseline: dict[str, FiniteFloat] | DataSource | None = Field(
        None, description="the figures as they were, by name; or where to read them"
    )
    threshold: float = Field(
        0.15, gt=0, allow_inf_nan=False, description="mean relative change above which it triggers"
    )
    metrics: list[str] = Field(
        [], description="the figures to compare; empty: all numbers of the baseline"
    )
    features: Features | None = Field(
        None, description="samples of the model's inputs to compare; null: none"
    )

    @model_validator(mode="after")
    def _has_something_to_compare(self) -> Self:
        if self.baseline is None and self.features is None:
            raise ValueError("give a baseline of figures, or features to compare")
        return self

    def check_warnings(self) -> Warnings:
        """Sources that are missing, or that the settings here refuse."""
        found: Warnings = list(super().check_warnings()) if self.baseline is not None else []
        if self.baseline is not None and not isinstance(self.baseline, dict):
            found += [("baseline", said) for _, said in self.baseline.warnings()]
        if self.features is not None:
            found += [("features", said) for _, said in self.features.reference.warnings()]
            if self.features.current is None and self.source is None:
                found.append(("features", "current is missing: only check_frame does without it"))
        return found

    def check(self, history: History) -> list[AlertOutput]:
        """One output for the figures, one for each feature."""
        del history
        if self.source is None and (self.features is None or self.features.current is None):
            raise SourceError("there is no source: give `source` or `features.current`")
        outputs = [] if self.baseline is None else self.guarded(self._figures)
        if self.features is not None:
            outputs += self.guarded(self._features_now)
        return outputs

    def measure_table(self, table: Table, history: History) -> list[AlertOutput]:
        """A frame is today's sample of the features."""
        del history
        if self.features is None:
            raise SourceError("a frame is compared by its features: give `features`")
        with self.features.reference.open() as reference:
            return self.features.outputs(reference, table, self.dataset)

    def _features_now(self) -> list[AlertOutput]:
        assert self.features is not None
        source = self.features.current or self.source
        assert source is not None
        with source.open() as current, self.features.reference.open() as reference:
            return self.features.outputs(reference, current, self.dataset)

    def _figures(self) -> list[AlertOutput]:
        if self.source is None:
            raise SourceError("there is no source of the current figures: give `source`")
        return [self.evaluate(document_of(self.source.document()), self._baseline())]

    def _baseline(self) -> Mapping[str, Any]:
        if isinstance(self.baseline, dict):
            return self.baseline
        assert self.baseline is not None
        found = document_of(self.baseline.document())
        if not isinstance(found, Mapping):
            raise SourceError("the baseline is not an object of figures")
        return found

    def evaluate(self, current: Any, baseline: Mapping[str, Any]) -> AlertOutput:
        """The verdict on the figures. Pure. Raises SourceError where they can't be compared."""
        names = self.metrics or [
            name
            for name, value in baseline.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        ]
        if not names:
            raise SourceError("the baseline has no figures")
        changes: dict[str, float] = {}
        from_zero: dict[str, float] = {}
        for name in names:
            before, now = figure(baseline, name), figure(current, name)
            if before:
                changes[name] = abs(now - before) / abs(before)
            elif now == 0:
                changes[name] = 0.0
            else:
                from_zero[name] = now
        if not changes:
            raise SourceError(
                f"every figure of the baseline is 0 and none still is ({', '.join(from_zero)}): "
                "there is no relative change"
            )
        drift = sum(changes.values()) / len(changes)
        triggered = drift > self.threshold + _SLACK
        ranked = sorted(changes.items(), key=lambda item: -item[1])[:_MOST_SAID]
        said = ", ".join(f"{name} {change:.1%}" for name, change in ranked)
        message = (
            f"{self.named}mean change of {len(changes)} figures {drift:.4g}, "
            f"{'above' if triggered else 'allowed are'} {self.threshold:g}: {said}"
        )
        if from_zero:
            left = ", ".join(f"{name} is {now:g} now" for name, now in from_zero.items())
            message += f". Left out, as their baseline is 0: {left}"
        return AlertOutput(
            triggered=triggered,
            ticker=self.dataset,
            message=message,
            suggestion=RETRAIN if triggered else "",
            metrics={
                "value": drift,
                "drift": drift,
                "threshold": self.threshold,
                **{f"change.{name}": change for name, change in list(changes.items())[:500]},
            },
            metadata={"left_out": from_zero},
        )
