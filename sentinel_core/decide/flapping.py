"""Flapping: a series that changes its state so often that its events are only noise. Pure."""

from functools import lru_cache

from sentinel_core.model.rule import Flapping

FLAPPING_STATES = 21
_HEAVIEST_PERCENT = 6  # what the newest change alone contributes


def flapping_percent(recent: str) -> float:
    """The weighted share of changes among the last 21 states, in percent of 20 changes' weight.

    The oldest of 20 changes weighs 0.8 and each newer one 0.02 more (as in Icinga 2), counted in
    fiftieths, so that a share equal to a rule's threshold compares as equal. 99 is the most.
    """
    return _percent(recent[-FLAPPING_STATES:])


@lru_cache(maxsize=4096)  # most series repeat the same patterns
def _percent(states: str) -> float:
    oldest = FLAPPING_STATES - len(states)
    fiftieths = sum(40 + oldest + n for n in range(len(states) - 1) if states[n] != states[n + 1])
    return fiftieths / 10


def is_flapping(flapping: Flapping | None, recent: str, before: bool) -> bool:
    """True if the series flaps; it takes more changes to start flapping than to go on."""
    if flapping is None:
        return False
    states = recent[-FLAPPING_STATES:]
    changes = states.count("01") + states.count("10")
    if changes * _HEAVIEST_PERCENT < (flapping.stop_percent if before else flapping.start_percent):
        return False
    percent = _percent(states)
    return percent > flapping.stop_percent if before else percent >= flapping.start_percent
