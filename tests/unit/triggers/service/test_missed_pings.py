"""When a job outside Prefect is late with its ping."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from sentinel_core import NoHistory
from sentinel_core.base.errors import HistoryUnavailableError
from sentinel_core.model.trigger import PastEvaluation
from triggers.service.missed_pings import MissedPings

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOURLY = MissedPings(keys=("backup", "sync"), every_seconds=3600, grace_seconds=60)
LATEST = timedelta(seconds=3660)  # the age that is still allowed
MOMENT = timedelta(seconds=1)


class Pinged:
    """A history with these pings, whose rule has evaluated before where `past` says so."""

    def __init__(self, last: Mapping[str, datetime], past: Sequence[PastEvaluation] = ()) -> None:
        self.last, self.past = last, past

    def latest(self, limit: int, ticker: str | None = None) -> Sequence[PastEvaluation]:
        return [one for one in self.past if ticker in (None, one.ticker)][:limit]

    def pings(self, keys: Sequence[str]) -> Mapping[str, datetime]:
        return {key: at for key, at in self.last.items() if key in keys}


@pytest.mark.parametrize(("age", "missed"), [(LATEST, False), (LATEST + MOMENT, True)])
def test_a_ping_is_missed_once_its_period_and_the_grace_are_over(
    age: timedelta, missed: bool
) -> None:
    output = HOURLY.evaluate("backup", NOON - age, NOON - timedelta(days=9), NOON)
    assert (output.triggered, output.ticker) == (missed, "backup")
    assert output.metrics == {"value": age.total_seconds(), "threshold": 3660}
    assert "the last ping came 1 h 1 min ago (2026-03-02 10:5" in output.message


@pytest.mark.parametrize(("waited", "missed"), [(LATEST, False), (LATEST + MOMENT, True)])
def test_the_first_ping_is_waited_for_from_the_first_evaluation_on(
    waited: timedelta, missed: bool
) -> None:
    output = HOURLY.evaluate("backup", None, NOON - waited, NOON)
    assert output.triggered is missed
    assert output.message.startswith("backup: no ping has come in 1 h 1 min (since 2026-03-02 ")
    assert output.metadata["last_ping"] is None


def test_a_ping_of_the_future_is_no_missed_one() -> None:
    output = HOURLY.evaluate("backup", NOON + LATEST, NOON, NOON)
    assert (output.triggered, output.metrics["value"]) == (False, 0)


def test_each_key_is_a_series_and_remembers_since_when_it_waits() -> None:
    [backup, sync] = HOURLY.check(Pinged({"sync": datetime.now(UTC)}))
    assert [(o.ticker, o.triggered) for o in (backup, sync)] == [("backup", False), ("sync", False)]
    begun = datetime.now(UTC) - timedelta(hours=2)
    metadata = {"waiting_since": begun.isoformat()}
    past = PastEvaluation(datetime.now(UTC), "backup", False, {}, metadata)
    [backup, sync] = HOURLY.check(Pinged({}, [past]))
    assert (backup.triggered, sync.triggered) == (True, False)
    assert backup.metadata["waiting_since"] == begun.isoformat()


def test_a_past_that_did_not_say_when_it_began_counts_from_its_own_time() -> None:
    begun = datetime.now(UTC) - timedelta(hours=2)
    [backup, _] = HOURLY.check(Pinged({}, [PastEvaluation(begun, "backup", False)]))
    assert backup.triggered


def test_without_an_event_store_it_has_not_looked() -> None:
    with pytest.raises(HistoryUnavailableError, match="once it is deployed"):
        HOURLY.check(NoHistory())


@pytest.mark.parametrize(
    "wrong",
    [
        {"keys": []},
        {"keys": ["a", "a"]},
        {"keys": ["a/b"]},
        {"keys": ["../a"]},
        {"keys": ["a\n"]},
        {"keys": [""]},
        {"keys": ["é"]},
        {"keys": ["x" * 101]},
        {"keys": [f"k{n}" for n in range(101)]},
        {"keys": "backup"},
        {"keys": ["a"], "every_seconds": 0},
        {"keys": ["a"], "every_seconds": float("inf")},
        {"keys": ["a"], "grace_seconds": -1},
    ],
)
def test_keys_that_can_be_in_no_address_and_periods_without_an_end_are_refused(
    wrong: dict[str, Any],
) -> None:
    with pytest.raises(ValidationError):
        MissedPings(**wrong)
