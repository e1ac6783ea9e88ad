"""Rules that measure what they are told to: every form a check can have."""

import asyncio
import time
from typing import Any, ClassVar, Literal, cast

from sentinel_core import AlertOutput, History, Importance, Trigger, rule_flow

HOSTILE = "<!channel> <https://evil.example|Open in the blotter>\0\ud800"


class Lab(Trigger):
    """Answers as asked."""

    timeout_seconds: ClassVar[float] = 4
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "Lab"

    mode: Literal["fire", "quiet", "raise", "sleep", "garbage", "twins", "many", "nothing", "nan"]
    threshold: float = 150

    def check(self) -> Any:
        """One of everything a trigger might do."""
        match self.mode:
            case "raise":
                raise RuntimeError(f"the feed is down {HOSTILE}")
            case "sleep":
                time.sleep(60)
            case "garbage":
                return {"triggered": True}
            case "twins":
                return [self.output("AAPL", True), self.output("AAPL", False)]
            case "many":
                return [self.output(f"T{n}", n % 2 == 0) for n in range(4)]
            case "nothing":
                return []
            case "nan":
                return AlertOutput(triggered=False, metrics={"value": float("nan")})
        return self.output("AAPL", self.mode == "fire")

    def output(self, ticker: str, triggered: bool) -> AlertOutput:
        """A measurement."""
        return AlertOutput(
            triggered=triggered,
            ticker=ticker,
            message=f"{ticker} trades at 151.2 {HOSTILE}",
            metrics={"value": 151.2, "threshold": self.threshold},
            metadata={"unit": "USD", "quotes": [150.5, float("nan")]},
        )


class AsyncLab(Trigger):
    """Waits for its answer."""

    async def check(self) -> AlertOutput:
        """Fires after a moment."""
        await asyncio.sleep(0.1)
        return AlertOutput(triggered=True, ticker="async", importance=Importance.CRITICAL)


class HistoryLab(Trigger):
    """Counts how often it was evaluated before."""

    retries: ClassVar[int] = 1
    retry_delay_seconds: ClassVar[float] = 0

    attempts: ClassVar[int] = 0

    def check(self, history: History) -> AlertOutput:
        """Fails once in each run, so that the retry is what counts."""
        cast("Any", type(self)).attempts += 1
        if self.attempts == 1:
            raise ConnectionError("once")
        past = history.latest(10)
        return AlertOutput(
            triggered=False,
            ticker="history",
            metrics={"known": len(past), "last": past[0].metrics["known"] if past else -1},
        )


lab = rule_flow(Lab)
async_lab = rule_flow(AsyncLab)
history_lab = rule_flow(HistoryLab)
