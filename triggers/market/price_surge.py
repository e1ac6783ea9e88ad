"""A price beyond a threshold, or one that has moved. Reads quotes; decides nothing about events."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from sentinel_core import AlertOutput, Importance
from sentinel_core.wording.text import counted
from triggers.market.quote_trigger import QuoteTrigger, Ticker, as_of, names, when
from triggers.sources.errors import SourceError
from triggers.sources.quotes import QuoteSeries


@dataclass(frozen=True, slots=True)
class Comparison:
    """One value against one threshold, and the words for it."""

    breached: bool
    text: str
    value: float
    threshold: float
    unit: str


class PriceSurge(QuoteTrigger):
    """The last price is beyond a threshold, or has moved by more than a percentage."""

    display_name: ClassVar[str] = "Price surge"
    default_importance: ClassVar[Importance] = Importance.HIGH
    column: ClassVar[Literal["close", "volume"]] = "close"

    ticker: Ticker | Annotated[list[Ticker], Field(min_length=1)] = Field(
        "AAPL", description="one ticker, several, or * for every ticker of the source"
    )
    threshold: float | None = Field(
        None,
        allow_inf_nan=False,
        description="price, in the source's currency, for example 150; null: not compared",
    )
    direction: Literal["above", "below"] = Field(
        "above", description="which side of the threshold triggers"
    )
    move_percent: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="percent moved, up or down, since `look_back` rows ago; null: not compared",
    )
    look_back: int = Field(1, ge=1, le=100_000, description="rows over which a move is measured")

    @model_validator(mode="after")
    def _something_to_compare(self) -> Self:
        if self.threshold is None and self.move_percent is None:
            raise ValueError("give a threshold, a move_percent, or both")
        return self

    @property
    def tickers(self) -> list[str]:
        """The tickers to check."""
        return names(self.ticker)

    @property
    def rows(self) -> int:
        """The last row, and the one it is compared with."""
        return 1 if self.move_percent is None else self.look_back + 1

    def evaluate(self, quotes: QuoteSeries) -> AlertOutput:
        """Triggered when the price is beyond the threshold or has moved too far.

        A move that can't be measured hides no price beyond the threshold: the output then says so
        beside the alert. Otherwise it raises SourceError.
        """
        close = quotes.value(0, "last close")
        comparisons: list[Comparison] = []
        metrics = {"close": close}
        metadata: dict[str, Any] = {"last_row_at": when(quotes)}
        if self.threshold is not None:
            comparisons.append(self._level(close, self.threshold))
        breached = [comparison for comparison in comparisons if comparison.breached]
        if self.move_percent is not None:
            try:
                metrics["move_percent"] = move = self._move(quotes, close)
            except SourceError as error:
                if not breached:
                    raise
                metadata["not_checked"] = {"move_percent": str(error)}
            else:
                comparisons.append(self._moved(move, self.move_percent))
                breached += [comparisons[-1]] if comparisons[-1].breached else []
        shown = breached or comparisons
        texts = [comparison.text for comparison in shown]
        texts += [f"move not checked: {why}" for why in metadata.get("not_checked", {}).values()]
        return AlertOutput(
            triggered=bool(breached),
            ticker=quotes.ticker,
            message=f"{quotes.ticker}: last close {self._price(close)}, "
            f"{', '.join(texts)}{as_of(quotes)}",
            metrics={**metrics, "value": shown[0].value, "threshold": shown[0].threshold},
            metadata={"unit": shown[0].unit, **metadata},
        )

    def _level(self, close: float, threshold: float) -> Comparison:
        beyond = close > threshold if self.direction == "above" else close < threshold
        text = f"{'' if beyond else 'not '}{self.direction} {self._price(threshold)}"
        return Comparison(beyond, text, close, threshold, self.unit)

    def _moved(self, move: float, limit: float) -> Comparison:
        text = f"moved {move:+.2f} % over {counted(self.look_back, 'row')} (limit {limit:g} %)"
        return Comparison(abs(move) > limit, text, abs(move), limit, "%")

    def _move(self, quotes: QuoteSeries, close: float) -> float:
        """The move in percent since `look_back` rows ago."""
        base = quotes.value(
            self.look_back, f"close {counted(self.look_back, 'row')} before the last"
        )
        if base <= 0:
            raise SourceError(f"a move in percent from a price of {base:g} means nothing")
        return (close - base) / base * 100

    def _price(self, value: float) -> str:
        return f"{value:,.10g} {self.unit}".rstrip()
