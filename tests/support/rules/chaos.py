"""A rule that ends the way its parameter says: what reconcile and the worker must cope with."""

import os
import signal
import sys
import time
from typing import Literal

from sentinel_core import AlertOutput, Trigger, rule_flow


class Chaos(Trigger):
    """Ends as asked."""

    mode: Literal["fire", "ok", "raise", "kill", "exit0", "sysexit", "sleep"] = "ok"
    seconds: float = 0
    note: str = ""

    @classmethod
    def longest_seconds(cls) -> float:
        """Short, so that a test need not wait to see a run outlive it."""
        return 6

    def check(self) -> AlertOutput:
        time.sleep(self.seconds)
        match self.mode:
            case "raise":
                raise RuntimeError(f"asked to fail: {self.note}")
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit0":
                os._exit(0)
            case "sysexit":
                sys.exit(3)
        return AlertOutput(
            triggered=self.mode == "fire",
            ticker="chaos",
            message=f"chaos {self.note}",
            metrics={"value": 2.0, "threshold": 1.0},
            metadata={"note": self.note, "nested": {"list": [1, 2, {"deep": "ünï ✓"}]}},
        )


chaos = rule_flow(Chaos)
