"""Checks run side by side, and none keeps the findings of the others waiting for ever."""

import threading
from collections.abc import Iterator, Sequence

import httpx
import pytest

from sentinel_core.base.errors import PrefectUnreachableError, SetupError
from sentinel_core.health.finding import Finding, State, is_good
from sentinel_core.health.gather import Check, gather

FINE = Finding(component="a", name="b", state=State.OK, sentence="fine")


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def check(look: object, seconds: float = 60) -> Check:
    return Check("thing", "part", look, seconds)  # type: ignore[arg-type]


def raises(error: Exception) -> Check:
    def look() -> Sequence[Finding]:
        raise error

    return check(look)


def test_findings_come_in_the_order_of_the_checks() -> None:
    first, second = (FINE.model_copy(update={"name": name}) for name in "xy")
    met = threading.Barrier(2, timeout=60)  # each waits until the other one runs

    def one(finding: Finding) -> Check:
        return check(lambda: (met.wait(), [finding])[1])

    assert gather([one(first), one(second)]) == [first, second]


def test_a_check_that_hangs_is_unknown_and_the_others_are_reported(
    release: threading.Event,
) -> None:
    found = gather([check(lambda: release.wait() and [], 0.05), check(lambda: [FINE])])
    assert [finding.state for finding in found] == [State.UNKNOWN, State.OK]
    assert found[0].sentence == "not checked: no answer within 0.05 s"
    assert (found[0].component, found[0].name) == ("thing", "part")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PrefectUnreachableError("http://x does not answer"), "Prefect's API does not answer"),
        (SetupError("do\nthis"), "not checked: do this"),
        (httpx.ReadError("torn"), "reports an error: torn"),
        (KeyError("no"), "the check itself failed: KeyError: 'no'"),
    ],
)
def test_what_a_check_raises_is_never_a_good_finding(error: Exception, words: str) -> None:
    [finding] = gather([raises(error)])
    assert finding.state is State.UNKNOWN
    assert words in finding.sentence


@pytest.mark.parametrize(
    ("state", "good"),
    [(State.OK, True), (State.DEGRADED, True), (State.DOWN, False), (State.UNKNOWN, False)],
)
def test_what_is_down_or_not_checked_is_not_good(state: State, good: bool) -> None:
    assert is_good([FINE, FINE.model_copy(update={"state": state})]) is good
