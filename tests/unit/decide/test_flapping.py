"""Flapping: changes of state weigh 0.8 to 1.18 of a twentieth, as Icinga counts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_core.decide.flapping import flapping_percent
from sentinel_core.decide.state import Status
from sentinel_core.model.rule import Policy
from tests.support.lives import lived, outcome

# Worked out by hand: 5 % × the sum of 0.8 + 0.02 × place, the oldest of 20 changes in place 0.
PERCENT: dict[str, tuple[str, float]] = {
    "nothing seen": ("", 0.0),
    "one state": ("1", 0.0),
    "no change at all": ("1" * 21, 0.0),
    "only the newest change, place 19: 5 × 1.18": ("0" * 20 + "1", 5.9),
    "of two states the change is the newest": ("01", 5.9),
    "only the oldest change, place 0: 5 × 0.8": ("1" + "0" * 20, 4.0),
    "a change before the last 21 states counts no longer": ("01" + "1" * 20, 0.0),
    "places 18 and 19: 5 × (1.16 + 1.18)": ("101", 11.7),
    "the five newest: 5 × (4 + 0.02 × 85)": ("101010", 28.5),
    "the six newest: 5 × (4.8 + 0.02 × 99)": ("1010101", 33.9),
    "all twenty: 5 × (16 + 0.02 × 190)": ("10" * 10 + "1", 99.0),
    "more than twenty weigh no more": ("10" * 50, 99.0),
}


@pytest.mark.parametrize("case", PERCENT)
def test_percent(case: str) -> None:
    states, expected = PERCENT[case]
    assert flapping_percent(states) == expected


class Ring:
    """The same figure kept another way: a ring of twenty flags, started with no change."""

    def __init__(self) -> None:
        self.changed = [False] * 20
        self.last: str | None = None

    def see(self, state: str) -> float:
        """The share after one more state."""
        changed = self.last is not None and state != self.last
        self.last = state
        self.changed = [*self.changed[1:], changed]
        return sum(0.8 + 0.02 * n for n, flag in enumerate(self.changed) if flag) / 20 * 100


@given(st.text("01", min_size=1, max_size=60))
def test_the_share_is_that_of_a_ring_of_the_last_twenty_changes(states: str) -> None:
    ring = Ring()
    for end in range(1, len(states) + 1):
        assert flapping_percent(states[:end]) == pytest.approx(ring.see(states[end - 1]))


def flaps(start: float = 30, stop: float = 25, **fields: object) -> Policy:
    return Policy.model_validate(
        {"flapping": {"start_percent": start, "stop_percent": stop}, **fields}
    )


LIVES: dict[str, tuple[Policy, str, str]] = {
    "six changes are enough: one event stays open through all that follow": (
        flaps(),
        "1010101" + "0101",
        "OROROR" + "O" + "++++",
    ),
    "five changes are not": (flaps(), "101010", "OROROR"),
    "the share that starts it is enough": (flaps(start=28.5), "101010", "ORORO+"),
    "a hair more is not reached": (flaps(start=28.6), "101010", "OROROR"),
    "what flaps and is no event by its breaches opens none": (
        flaps(breaches=2),
        "0101010101" + "1",
        "----------" + "O",
    ),
    "a policy may have none of it": (Policy(flapping=None), "10" * 15, "OR" * 15),
    "an open event that flaps stays open beyond its recoveries": (
        flaps(recoveries=2),
        "1010101" + "0000",
        "O" + "+" * 10,
    ),
    "a cooldown holds for what flaps as well": (flaps(cooldown_seconds=1200), "1010101", "OR-----"),
    "what matters more escalates while it flaps": (
        flaps(recoveries=2),
        "1010101" + "0H0C",
        "O++++++" + "+E+E",
    ),
    "it ends in an event that goes on when the series fires": (
        flaps(),
        "1010101" + "1" * 16,
        "OROROR" + "O" + "+" * 16,
    ),
    "a low share to stop keeps it flapping long": (
        flaps(start=60, stop=10),
        "01" * 8 + "0" * 20,
        "-O" + "RO" * 5 + "++++" + "+" * 18 + "R-",
    ),
    "and in its end when the series is ok, whatever recoveries it takes": (
        flaps(recoveries=4, keep_firing_seconds=86_400),
        "1010101" + "0" * 17,
        "O" + "+" * 21 + "R-",
    ),
}


@pytest.mark.parametrize("case", LIVES)
def test_life(case: str) -> None:
    rules, history, expected = LIVES[case]
    assert outcome(rules, history) == expected


def test_flapping_ends_at_the_share_that_stops_it_and_the_reason_says_so() -> None:
    """Six changes in places 14 to 19 weigh 33.9 %; each minute without one they weigh 0.6 less,
    25.5 % after fourteen; after fifteen one is gone and the others weigh 21 %."""
    decisions = lived(flaps(), "1010101" + "1" * 15)[6:]
    assert [d.code for d in decisions] == ["flapping"] * 15 + ["flapping-ended"]
    assert decisions[0].reason == "opened: the series flaps (34 % of its states changed)"
    assert decisions[1].reason == "continued: the series flaps (33 % of its states changed)"
    assert decisions[-1].reason == "continued: flapping has ended, and it fires"
    assert [d.series.flapping for d in decisions] == [True] * 15 + [False]
    at_stop = lived(flaps(stop=25.5), "1010101" + "1" * 14)[-2:]
    assert [d.code for d in at_stop] == ["flapping", "flapping-ended"]


def test_it_takes_as_much_as_before_to_flap_again() -> None:
    after = lived(flaps(), "1010101" + "1" * 15 + "01")
    assert [d.code for d in after[-3:]] == ["flapping-ended", "recovered", "started"]


def test_flapping_that_ends_with_an_ok_resolves_its_event() -> None:
    last = lived(flaps(), "1010101" + "0" * 16)[-1]
    assert (last.code, last.status) == ("flapping-ended", Status.OK)
    assert last.reason == "resolved: flapping has ended, and it is ok"
    assert last.series.ended_at == last.series.last_at


def test_what_matters_more_at_the_end_of_flapping_escalates() -> None:
    last = lived(flaps(), "1010101" + "1" * 14 + "H")[-1]
    assert (last.code, last.series.flapping) == ("importance-raised", False)
    during = lived(flaps(), "1010101" + "1" * 13 + "H")[-1]
    assert (during.code, during.series.flapping) == ("importance-raised", True)


def test_a_policy_that_no_longer_has_flapping_ends_it() -> None:
    series = lived(flaps(), "1010101")[-1].series
    last = lived(Policy(flapping=None), "1")[-1]
    assert series.flapping
    assert not last.series.flapping
