"""Where in the window a rule starts."""

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_core.decide.schedule import GRACE, overdue_at
from sentinel_core.decide.stagger import INTERVAL, SHARE, offset_seconds, window_seconds
from sentinel_core.model.spread import Spread
from tests.support.processes import ROOT

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)  # Prefect's are UTF-8
PERIODS = st.floats(min_value=0.1, max_value=3e7) | st.none()
GRACES = st.floats(min_value=0.1, max_value=3e7) | st.none()
SPREADS: st.SearchStrategy[Spread] = st.sampled_from(["interval", "none"]) | st.floats(0, 86_400)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
WINDOWS = st.floats(min_value=0, max_value=3600, allow_subnormal=False)
KNOWN = {
    "root-disk": 3.095653,
    "reconcile": 2.378834,
    "aapl-price-surge": 1.58946,
    "Überlast": 4.161457,
    "rule-1": 3.056758,
    "rule-2": 2.635001,
}


@given(NAMES, WINDOWS)
def test_an_offset_lies_within_its_window(name: str, window: float) -> None:
    offset = offset_seconds(name, window)
    assert 0 <= offset < window or offset == window == 0


@given(NAMES, WINDOWS)
def test_a_rule_keeps_its_place_in_a_window_of_any_length(name: str, window: float) -> None:
    share = offset_seconds(name, 1)
    assert offset_seconds(name, window) == pytest.approx(share * window, rel=1e-12)


@pytest.mark.parametrize(("name", "seconds"), KNOWN.items())
def test_known_names_start_where_they_always_have(name: str, seconds: float) -> None:
    """Pinned: a change moves every rule of everybody at their next update."""
    assert offset_seconds(name, 5) == pytest.approx(seconds, abs=1e-6)


def test_every_process_finds_the_same_place() -> None:
    """Python's own hash of a text differs from process to process."""
    program = (
        "import json, sys; from sentinel_core.decide.stagger import offset_seconds; "
        "print(json.dumps([offset_seconds(name, 60) for name in json.load(sys.stdin)]))"
    )
    names = [*KNOWN, "", "x" * 1000]
    for seed in ("0", "1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            input=json.dumps(names),
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            text=True,
            capture_output=True,
            check=True,
        )
        assert json.loads(done.stdout) == [offset_seconds(name, 60) for name in names]


@pytest.mark.parametrize("pattern", ["rule-{}", "disk-{:04}", "market/{}", "{}"])
def test_names_that_differ_in_a_number_only_are_spread_evenly(pattern: str) -> None:
    """2,000 names over 20 parts of the window; an even spread fails this once in a thousand."""
    parts, names = 20, 2000
    counts = Counter(int(offset_seconds(pattern.format(n), parts)) for n in range(names))
    expected = names / parts
    chi_squared = sum((counts[part] - expected) ** 2 / expected for part in range(parts))
    assert chi_squared < 43.82  # the 99.9 % quantile for 19 degrees of freedom


# -- how long the window is ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("spread", "period", "grace", "window"),
    [
        ("none", 60, None, 0),
        ("interval", 60, None, 48),
        ("interval", 10, None, 8),
        ("interval", 300, None, 240),
        ("interval", 86_400, None, 900),
        ("interval", None, None, 900),
        ("interval", 3600, 600, 510),
        ("interval", 60, 90, 0),
        ("interval", 60, 30, 0),
        (5, 60, None, 5),
        (5, 2, None, 1.6),
        (3600, 86_400, None, 3600),
        (86_400, 7 * 86_400, None, 0.8 * 86_400),
        (86_400, None, None, 0.8 * 86_400),
        (3600, 86_400, 1800, 1710),
        (0, 60, None, 0),
    ],
)
def test_the_window_is_what_is_asked_for_as_far_as_period_and_grace_allow(
    spread: Spread, period: float | None, grace: float | None, window: float
) -> None:
    assert window_seconds(spread, period, grace) == pytest.approx(window)


@given(NAMES, SPREADS, PERIODS, PERIODS, GRACES)
def test_a_run_always_starts_well_before_the_next_one_and_in_the_same_order(
    name: str, spread: Spread, period: float | None, next_period: float | None, grace: float | None
) -> None:
    """Whatever the second period is: schedules with uneven gaps, or several of them."""
    first = offset_seconds(name, window_seconds(spread, period, grace))
    second = offset_seconds(name, window_seconds(spread, next_period, grace))
    assert first >= 0
    if period is not None:
        assert period + second - first >= (1 - SHARE) * period * (1 - 1e-9)
    if spread == "interval":
        assert first <= INTERVAL.total_seconds()


@given(NAMES, SPREADS, PERIODS, GRACES)
def test_a_run_that_keeps_to_its_offset_is_recorded_before_its_rule_is_called_silent(
    name: str, spread: Spread, period: float | None, grace: float | None
) -> None:
    """Ninety seconds are left for it, or as much as without a spread."""
    offset = timedelta(seconds=offset_seconds(name, window_seconds(spread, period, grace)))
    following = None if period is None else NOON + timedelta(seconds=period)
    silent_at = overdue_at(NOON, following, grace)
    assert NOON + offset <= max(silent_at - GRACE, NOON)
