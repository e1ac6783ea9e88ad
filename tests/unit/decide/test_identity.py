"""Which store a process may use: every combination of what is registered and what is found."""

from uuid import UUID

import pytest

from sentinel_core.decide.identity import Known, Verdict, judge_store

MINE, OTHER = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(
    ("known", "registered", "found", "verdict"),
    [
        (Known.REGISTERED, MINE, MINE, Verdict.USE),
        (Known.REGISTERED, OTHER, MINE, Verdict.OTHER),
        (Known.REGISTERED, MINE, None, Verdict.MISSING),
        (Known.NONE, None, MINE, Verdict.REGISTER),
        (Known.NONE, None, None, Verdict.CREATE),
        (Known.UNREADABLE, None, MINE, Verdict.UNREADABLE),
        (Known.UNREADABLE, None, None, Verdict.UNREADABLE),
        (Known.UNREACHABLE, None, MINE, Verdict.USE),
        (Known.UNREACHABLE, None, None, Verdict.UNREACHABLE),
        (Known.NO_PREFECT, None, MINE, Verdict.USE),
        (Known.NO_PREFECT, None, None, Verdict.CREATE),
    ],
)
def test_a_verdict(
    known: Known, registered: UUID | None, found: UUID | None, verdict: Verdict
) -> None:
    assert judge_store(known, registered, found) is verdict
