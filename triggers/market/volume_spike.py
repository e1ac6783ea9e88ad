"""A volume far above its recent mean. Reads quotes; decides nothing about events."""

from statistics import fmean
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sentinel_core import AlertOutput, Importance
from sentinel_core.wording.text import counted
from triggers.market.quote_trigger import QuoteTrigger, Ticker, as_of, names, when
from triggers.sources.errors import SourceError
from triggers.sources.quotes import QuoteSeries


class VolumeSpike(QuoteTrigger):
    """The last volume is a multiple of its recent mean, and large enough to matter."""

    display_name: ClassVar[str] = "Volume spike"
    default_importance: ClassVar[Importance] = Importance.MEDIUM
    column: ClassVar[Literal["close", "volume"]] = "volume"

    ticker: Ticker | Annotated[list[Ticker], Field(min_length=1)] = Field(
        "NVDA", description="one ticker, several, or * for every ticker of the source"
    )
    factor: float = Field(
        2, gt=0, allow_inf_nan=False, description="multiple of the mean that triggers; 2 is 200 %"
    )
    window: int = Field(
        20, ge=1, le=100_000, description="rows before the last over which the mean is taken"
    )
    minimum: float = Field(
        1_000_000, ge=0, allow_inf_nan=False, description="volumes up to this never trigger"
    )

    @property
    def tickers(self) -> list[str]:
        """The tickers to check."""
        return names(self.ticker)

    @property
    def rows(self) -> int:
        """The last row and the window before it."""
        return self.window + 1

    def evaluate(self, quotes: QuoteSeries) -> AlertOutput:
        """Triggered at `factor` times the mean of the window before, if above `minimum`."""
        last = _volume(quotes, 0)
        mean = fmean(_volume(quotes, back) for back in range(1, self.window + 1))
        expected = self.factor * mean
        metrics = {
            "volume": last,
            "mean_volume": mean,
            "value": last,
            "threshold": max(expected, self.minimum),
        }
        if mean:
            metrics["ratio"] = last / mean
        times = f"{last / mean:.2f} times" if mean else "against"
        unit = f" {self.unit}".rstrip()
        return AlertOutput(
            triggered=last >= expected and last > self.minimum,
            ticker=quotes.ticker,
            message=f"{quotes.ticker}: last volume {last:,.0f}{unit}, {times} the mean "
            f"{mean:,.0f} of the {self.window} rows before; threshold {self.factor:g} times and "
            f"more than {self.minimum:,.0f}{as_of(quotes)}",
            metrics=metrics,
            metadata={"unit": self.unit, "last_row_at": when(quotes)},
        )


def _volume(quotes: QuoteSeries, back: int) -> float:
    what = "last volume" if back == 0 else f"volume {counted(back, 'row')} before the last"
    volume = quotes.value(back, what)
    if volume < 0:
        raise SourceError(f"the {what} is {volume:,.0f}, less than nothing")
    return volume
