"""For series.py: a rule that judges many tickers in one run; a few of them fire."""

import time

from sentinel_core import AlertOutput, Trigger, rule_flow


class Many(Trigger):
    """Judges `tickers` tickers; one in a hundred fires, other ones each minute."""

    tickers: int

    def check(self) -> list[AlertOutput]:
        """One output for each ticker."""
        turn = int(time.time()) // 60 % 100
        return [
            AlertOutput(
                triggered=n % 100 == turn,
                ticker=f"T{n}",
                message=f"T{n} moved by {n % 7} percent",
                metrics={"value": float(n % 7)},
            )
            for n in range(self.tickers)
        ]


many = rule_flow(Many)
