"""What became of an action, in a sentence."""

import pytest

from sentinel_core.store.read.changes import Doer
from tests.support.recorded import NOON
from viewer.outcomes import OnEvents, Outcome, sentence

BO, AL = Doer("bo", NOON), Doer("*al*", NOON)


@pytest.mark.parametrize(
    ("action", "outcome", "words"),
    [
        ("acknowledge", Outcome((1, 2)), "Acknowledged 2 events."),
        (
            "acknowledge",
            Outcome((1,), (2,), (), (BO,)),
            "Acknowledged 1 event. 1 event has already been acknowledged by bo.",
        ),
        (
            "acknowledge",
            Outcome((), (2, 3), (9,), (BO, AL)),
            "Acknowledged 0 events. 2 events have already been acknowledged by "
            r"\*al\*, bo. 1 event no longer in the store.",
        ),
        ("resolve", Outcome((), (2,)), "Resolved 0 events. 1 event has already ended."),
        (
            "assign",
            Outcome((1,), (2,), (), (BO,)),
            "Assigned 1 event. 1 event has already been assigned by bo, which stays.",
        ),
        (
            "unacknowledge",
            Outcome((), (1, 2)),
            "Unacknowledged 0 events. 2 events have not been acknowledged.",
        ),
        (
            "comment",
            Outcome((1,), (), (2,)),
            "Commented on 1 event. 1 event no longer in the store.",
        ),
    ],
)
def test_the_result_says_what_somebody_else_had_done(
    action: OnEvents, outcome: Outcome, words: str
) -> None:
    assert sentence(action, outcome) == words


def test_many_who_were_first_are_counted() -> None:
    doers = tuple(Doer(f"p{n}", NOON) for n in range(7))
    assert "acknowledged by p0, p1, p2, p3, p4 and 2 more." in sentence(
        "acknowledge", Outcome((), (1,), (), doers)
    )
