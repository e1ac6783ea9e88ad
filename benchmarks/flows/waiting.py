"""For worker.py: a rule that stays at work until it is let go, so that its memory can be read."""

import time
from pathlib import Path

from sentinel_core import AlertOutput, Trigger, rule_flow

MOST_SECONDS = 300.0


class Waiting(Trigger):
    """Waits for a file to appear."""

    until: Path

    @classmethod
    def longest_seconds(cls) -> float:
        """As long as the slowest worker needs to start all of them."""
        return MOST_SECONDS

    def check(self) -> AlertOutput:
        """Looks often, costs little."""
        while not self.until.exists():
            time.sleep(0.2)
        return AlertOutput(triggered=False, ticker="waiting", message="let go")


waiting = rule_flow(Waiting)
