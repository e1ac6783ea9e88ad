"""How often the worker asks Prefect for runs: the more of the answer it knew, the less often.

Each time it is asked, Prefect reads every run that is due or soon will be, and notes at each
deployment of the pool that it was. With hundreds of rules, asking every two seconds is a twentieth
of what a server can do. Runs are listed seconds before they are due, so that those of a schedule
start no later; one that is started by hand waits until the next time.
"""

import math

SECONDS_FOR_EACH = 0.06  # that the next answer may come later for each run that was known


class Pace:
    """When the worker asks next. `query_seconds` is how often it looks whether it is time.

    Every `now` is a reading of one clock, in seconds.
    """

    def __init__(self, query_seconds: float, prefetch_seconds: float) -> None:
        self._query = query_seconds
        self._longest = prefetch_seconds - 2 * query_seconds  # Prefect's loop varies by a third
        self._next = -math.inf

    def is_time(self, now: float) -> bool:
        """Whether to ask."""
        return now >= self._next

    def answered(self, now: float, known: int, *, limited: bool) -> None:
        """Prefect has answered, with so many runs that the worker has already.

        `limited`: see WorkPoolFacts. There, what is listed depends on the slots that are free.
        """
        pause = 0.0 if limited else min(known * SECONDS_FOR_EACH, self._longest)
        self._next = now + pause if pause > self._query else -math.inf
