"""Processes that record one run after the other on the same series."""

from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.run import Rule
from tests.support.runs import T0, a_run, told
from tests.support.swarm import own_engine


def keep_recording(url: str, rule: Rule, pattern: str, count: int) -> int:
    """Record `count` runs that are all due at once, breached as the pattern says, over and over;
    how many evaluations were written."""
    with own_engine(url) as engine:
        return sum(
            told(engine, rule, a_run(), [output_of(pattern[n % len(pattern)])]).evaluations
            for n in range(count)
        )


def output_of(letter: str) -> AlertOutput:
    """`1` triggered, `2` triggered and critical, `0` not."""
    return AlertOutput(
        triggered=letter != "0",
        importance="critical" if letter == "2" else None,
        ticker="AAPL",
        message=f"pattern {letter}",
        timestamp=T0,
    )
