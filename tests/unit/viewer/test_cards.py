"""The cards above the blotter, in words."""

from urllib.parse import unquote

import pytest

from sentinel_core.prefect_io.summary import Summary
from sentinel_core.store.read.periods import Periods, Trends
from viewer.cards import cards, line, lines
from viewer.prefect_now import Latest
from viewer.status import Coverage

CALM = Coverage(3, (), (), ())
NOTHING = Periods((0, 0), (0, 0))
UP = Latest(Summary(running=1, failed=0, completed=240, workers=2))


def shown(
    covered: Coverage = CALM,
    waiting: int = 0,
    periods: Periods = NOTHING,
    prefect: Latest = UP,
) -> list[str]:
    return list(cards(covered, waiting, periods, prefect))


def test_the_cards_name_their_figures() -> None:
    assert [card.partition("  \n")[0] for card in shown(waiting=6)] == [
        "**3** active rules",
        "**6** unacknowledged",
        "**0** events in 24 h",
        "**1** flow run running",
        ":green-badge[:material/check: Prefect is up]",
    ]


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ((5, 2), "+3 on the day before"),
        ((2, 5), "-3 on the day before"),
        ((2, 2), "same as the day before"),
        ((10_001, 2), "too many to compare"),
    ],
)
def test_a_day_is_compared_with_the_day_before(days: tuple[int, int], words: str) -> None:
    assert words in shown(periods=Periods(days, (0, 0)))[2]


def test_what_is_wrong_is_red_and_said_in_words() -> None:
    overdue = Coverage(3, ("disk",), (), ())
    assert ":red[1 overdue]" in shown(overdue)[0]
    assert ":orange[nothing is checked]" in shown(Coverage(0, (), (), ()))[0]
    busy = Latest(Summary(running=0, failed=4, completed=1, workers=0))
    assert ":red[4 failed]" in shown(prefect=busy)[3]
    assert ":red[no worker online]" in shown(prefect=busy)[4]


def test_a_prefect_that_is_away_is_never_taken_for_one_without_runs() -> None:
    away = shown(prefect=Latest(problem="Prefect's API does not answer"))
    assert "unknown" in away[3]
    assert "Prefect is away" in away[4]
    assert "asking" in shown(prefect=Latest())[3]


def test_a_line_goes_from_left_to_right_and_from_the_least_to_the_most() -> None:
    drawn = unquote(line((0, 2, 4), "events <per> hour", "#0969da"))
    assert 'points="0.0,17.0 80.0,9.0 160.0,1.0"' in drawn
    assert 'alt="events &lt;per&gt; hour, at most 4"' in drawn
    assert 'points="0.0,1.0"' in unquote(line((3,), "events", "#0969da"))


def test_without_events_there_is_no_line_and_each_card_has_its_place() -> None:
    none = lines(Trends((0,) * 24, (0,) * 24), "#0969da")
    assert list(none) == [""] * len(shown())
    one = lines(Trends((0, 1), (0, 0)), "#0969da")
    assert [bool(drawn) for drawn in one] == [False, False, True, False, False]
