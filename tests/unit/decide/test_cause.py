"""Which event a failed run belongs to."""

import pytest

from sentinel_core.decide.cause import Starter, joined

FAILING, UNWATCHED, WELL = Starter(True, "etl"), Starter(True), Starter(False, "etl")


@pytest.mark.parametrize(
    ("starters", "event"),
    [
        ([], None),
        ([FAILING], "etl"),
        ([WELL], None),
        ([UNWATCHED], None),
        ([UNWATCHED, FAILING], "etl"),
        ([FAILING, UNWATCHED], "etl"),
        ([FAILING, Starter(True, "night")], "night"),
        ([FAILING, Starter(False, "night")], "etl"),
        ([WELL, Starter(True, "night")], None),  # it coped: what is above fails for another reason
    ],
)
def test_a_failed_run_joins_the_topmost_watched_run_that_fails(starters, event):
    assert joined(starters) == event
