"""A rule that reads its dials from its parameters: what they show is up to whoever starts a run."""

from typing import Literal

from pydantic import Field

from sentinel_core import AlertOutput, Importance, Trigger, rule_flow


class Gauge(Trigger):
    """A dial for each ticker; beyond the threshold it triggers, twice as far it is critical."""

    readings: dict[str, float | Literal["error", "no_data"]] = Field({"": 0})
    threshold: float = 90
    broken: str = ""

    def check(self) -> list[AlertOutput]:
        """Read every dial. Raises RuntimeError where they can't be read at all."""
        if self.broken:
            raise RuntimeError(self.broken)
        return [self.read(ticker, shown) for ticker, shown in self.readings.items()]

    def read(self, ticker: str, shown: float | Literal["error", "no_data"]) -> AlertOutput:
        """One dial."""
        if isinstance(shown, str):
            return AlertOutput(triggered=False, ticker=ticker, problem=shown)
        return AlertOutput(
            triggered=shown > self.threshold,
            importance=Importance.CRITICAL if shown > 2 * self.threshold else None,
            ticker=ticker,
            message=f"The dial shows {shown:g}.",
            metrics={"value": shown},
        )


gauge = rule_flow(Gauge)
