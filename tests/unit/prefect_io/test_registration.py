"""The registration as a variable's value, and as a worker hands it to its runs."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from sentinel_core.decide.identity import Known
from sentinel_core.prefect_io.registration import (
    Answer,
    Registration,
    answer_of,
    handed_down,
    to_hand_down,
)

REGISTERED = Registration(
    identity=UUID(int=7),
    registered_at=datetime(2026, 11, 29, 2, 0, tzinfo=UTC),
    registered_by="host",
    place="sqlite:////srv/sentinel.db",
)


def test_a_value_is_read_as_it_was_written() -> None:
    answer = answer_of(REGISTERED.model_dump(mode="json"))
    assert answer == Answer(Known.REGISTERED, REGISTERED)
    assert answer.identity == UUID(int=7)


def test_no_variable_is_no_registration() -> None:
    assert answer_of(None) == Answer(Known.NONE)


@pytest.mark.parametrize("value", ["", "garbage", 7, [], {}, {"identity": "x"}])
def test_a_value_of_somebody_else_is_unreadable(value: object) -> None:
    assert answer_of(value) == Answer(Known.UNREADABLE)


def test_a_worker_hands_its_registration_to_runs_with_the_same_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = Answer(Known.REGISTERED, REGISTERED)
    for name, value in to_hand_down("mine", answer).items():
        monkeypatch.setenv(name, value)
    assert handed_down("mine") == answer
    assert handed_down("another") is None


def test_a_worker_that_knows_of_none_hands_nothing_down() -> None:
    assert to_hand_down("mine", Answer(Known.NONE)) == {}
    assert handed_down("mine") is None
