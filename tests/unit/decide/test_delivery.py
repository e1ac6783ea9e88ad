"""What becomes of a message between being owed and being sent, and when it is tried again."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_core.decide.delivery import (
    FIRST_PAUSE,
    LONGEST_ASKED,
    LONGEST_PAUSE,
    MOST_ATTEMPTS,
    MUTE_PAUSE,
    Waiting,
    acknowledged,
    backoff,
    exhausted,
    still_needed,
)
from sentinel_core.model.reasons import Suppression, SuppressionCode
from tests.support.runs import NOW

OPEN: dict[str, Any] = {
    "importance": "high",
    "resolved_at": None,
    "is_acknowledged": False,
    "acknowledged_by": None,
    "acknowledged_at": None,
    "acknowledged_until": None,
}
TAKEN = {**OPEN, "is_acknowledged": True, "acknowledged_by": "ana", "acknowledged_at": NOW}
OVER = {**OPEN, "resolved_at": NOW}
SILENCED = Suppression(SuppressionCode.SILENCED, "silenced: release")
AN_HOUR = timedelta(hours=1)


def owed(reason: str, **route: Any) -> dict[str, Any]:
    return {"reason": reason, "route": route}


@pytest.mark.parametrize("event", [OPEN, TAKEN, OVER])
@pytest.mark.parametrize("reason", ["opened", "escalated-high", "resolved", "acknowledged"])
def test_news_is_told_whatever_has_happened_since(reason: str, event: dict[str, Any]) -> None:
    assert still_needed(owed(reason), event, SILENCED, NOW) is None


@pytest.mark.parametrize("reason", ["step-1", "step-12", "reminder"])
def test_what_urges_people_is_for_events_that_nobody_has_taken_on(reason: str) -> None:
    assert still_needed(owed(reason), OPEN, None, NOW) is None
    taken = still_needed(owed(reason), TAKEN, None, NOW)
    assert taken == (
        SuppressionCode.ACKNOWLEDGED,
        "acknowledged by ana at 2026-11-03 09:00 UTC",
    )
    over = still_needed(owed(reason), OVER, None, NOW)
    assert over == (SuppressionCode.RESOLVED, "resolved at 2026-11-03 09:00 UTC")


def test_an_acknowledgement_holds_until_its_time_is_up() -> None:
    event = {**TAKEN, "acknowledged_until": NOW + AN_HOUR}
    assert isinstance(still_needed(owed("step-1"), event, None, NOW), Suppression)
    assert still_needed(owed("step-1"), event, None, NOW + AN_HOUR) is None


def test_a_step_waits_while_somebody_mutes_the_event_and_a_reminder_does_not_ask() -> None:
    assert still_needed(owed("step-1"), OPEN, SILENCED, NOW) == Waiting(
        NOW + MUTE_PAUSE, "silenced: release"
    )
    assert still_needed(owed("reminder"), OPEN, SILENCED, NOW) is None


def test_a_step_of_a_lesser_importance_gives_way_to_those_of_the_greater() -> None:
    dropped = still_needed(owed("step-2", importance="medium"), OPEN, None, NOW)
    assert isinstance(dropped, Suppression)
    assert dropped.code is SuppressionCode.IMPORTANCE_RAISED
    assert "high by now" in dropped.sentence
    assert still_needed(owed("step-2", importance="high"), OPEN, None, NOW) is None
    assert still_needed(owed("step-2", importance="critical"), OPEN, None, NOW) is None


keys = st.integers(1, 2**62)
attempts = st.integers(1, MOST_ATTEMPTS)


@given(keys, attempts)
def test_a_pause_doubles_up_to_an_hour_and_each_message_has_its_own_share(
    key: int, attempt: int
) -> None:
    most = min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE)
    assert most / 2 <= backoff(key, attempt) <= most
    assert backoff(key, attempt) == backoff(key, attempt)


@given(keys, attempts, st.floats(0, 1e9))
def test_nobody_is_asked_again_before_the_time_that_was_asked_for(
    key: int, attempt: int, asked: float
) -> None:
    waits = backoff(key, attempt, asked)
    assert waits >= min(timedelta(seconds=asked), LONGEST_ASKED)
    assert waits <= max(LONGEST_PAUSE, LONGEST_ASKED)


def test_messages_that_failed_together_do_not_come_back_together() -> None:
    waits = {backoff(key, 6) for key in range(200)}
    assert len(waits) == 200
    assert max(waits) - min(waits) > FIRST_PAUSE


def test_the_shares_of_many_messages_fill_the_half_that_is_theirs() -> None:
    pauses = [backoff(key, 1) / FIRST_PAUSE for key in range(2000)]
    assert min(pauses) == pytest.approx(0.5, abs=0.01)
    assert max(pauses) == pytest.approx(1, abs=0.01)


def test_a_provider_that_asks_for_nothing_is_tried_after_half_the_pause_at_the_least() -> None:
    assert backoff(1, 1, 0) == backoff(1, 1) == backoff(1, 1, None)


def test_all_attempts_take_about_a_day() -> None:
    total = sum((backoff(7, n) for n in range(1, MOST_ATTEMPTS)), timedelta())
    assert timedelta(hours=12) < total < timedelta(hours=30)


def test_an_acknowledgement_without_a_time_names_the_person() -> None:
    assert acknowledged("ana", None) == (SuppressionCode.ACKNOWLEDGED, "acknowledged by ana")


def test_a_message_that_failed_every_time_keeps_what_was_said_last() -> None:
    code, sentence = exhausted("503 Service Unavailable")
    assert code is SuppressionCode.ATTEMPTS_EXHAUSTED
    assert sentence == f"given up after {MOST_ATTEMPTS} attempts: 503 Service Unavailable"
