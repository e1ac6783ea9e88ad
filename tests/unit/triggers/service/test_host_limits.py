"""When a host on which runs execute is above its limits, and when that is not known."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine

from sentinel_core import NoHistory
from sentinel_core.base.errors import HistoryUnavailableError
from sentinel_core.base.settings import get_settings
from sentinel_core.decide.hosts import Host, Sample
from sentinel_core.flow.history import history_of
from sentinel_core.store.record.hosts import note_host
from triggers.service.host_limits import HostLimits

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULE = HostLimits()


def host(*samples: tuple[float, float | None, float, float], name: str = "web-1") -> Host:
    """A host with samples of so many minutes ago: cpu, memory and disk."""
    return Host(name, tuple(Sample(NOON - ago * MINUTE, *used) for ago, *used in samples))


def outcomes(found: Sequence[Host], rule: HostLimits = RULE) -> dict[str, str]:
    """Over, ok or no data, by ticker."""
    return {
        output.ticker: output.problem or ("over" if output.triggered else "ok")
        for output in rule.evaluate(found, NOON)
    }


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ((80, 80, 90), ("ok", "ok", "ok")),
        ((80.1, 80, 90), ("over", "ok", "ok")),
        ((0, 80.1, 90.1), ("ok", "over", "over")),
        ((None, 10, 10), ("no_data", "ok", "ok")),
    ],
)
def test_each_part_of_a_host_has_its_limit(
    used: tuple[float | None, float, float], expected: tuple[str, ...]
) -> None:
    tickers = ("web-1 cpu", "web-1 memory", "web-1 disk")
    assert outcomes([host((1, *used))]) == dict(zip(tickers, expected, strict=True))


def test_an_output_says_what_is_in_use_and_when_it_was_sampled() -> None:
    [_, memory, _] = HostLimits(memory=85).evaluate([host((1, 5, 85.25, 5))], NOON)
    assert memory.message == "web-1: 85.25 % of the memory in use; more than 85 %"
    assert memory.metrics == {"value": 85.25, "threshold": 85}
    assert memory.metadata["sampled_at"] == (NOON - MINUTE).isoformat()
    assert memory.metadata["unit"] == "%"


def test_the_newest_known_use_of_the_processors_counts_while_it_is_not_old() -> None:
    assert outcomes([host((3, 95, 5, 5), (1, None, 5, 5))])["web-1 cpu"] == "over"
    assert outcomes([host((11, 95, 5, 5), (1, None, 5, 5))])["web-1 cpu"] == "no_data"


def test_a_silent_host_is_not_fine() -> None:
    silent, awake = host((10.1, 5, 5, 5)), host((10, 5, 5, 5), name="web-2")
    found = outcomes([silent, awake])
    assert {found[f"web-1 {part}"] for part in ("cpu", "memory", "disk")} == {"no_data"}
    assert {found[f"web-2 {part}"] for part in ("cpu", "memory", "disk")} == {"ok"}
    [output, *_] = RULE.evaluate([silent], NOON)
    assert "web-1 was last heard of at 2026-03-02 11:49" in output.message


@pytest.mark.parametrize("found", [[], [host((60, 5, 5, 5), name="pod-7")]])
def test_nothing_known_of_any_host_is_no_data(found: list[Host]) -> None:
    assert outcomes(found, HostLimits(come_and_go=("pod-*",))) == {"": "no_data"}


def test_a_host_that_comes_and_goes_is_left_out_while_it_is_silent() -> None:
    gone, awake = host((60, 99, 99, 99), name="pod-7"), host((1, 99, 5, 5), name="pod-8")
    found = outcomes([gone, awake], HostLimits(come_and_go=("pod-*",)))
    assert found == {"pod-8 cpu": "over", "pod-8 memory": "ok", "pod-8 disk": "ok"}


def test_a_name_without_an_end_is_cut() -> None:
    [output, *_] = RULE.evaluate([host((1, 5, 5, 5), name="x" * 253)], NOON)
    assert len(output.ticker) <= 200


def test_without_an_event_store_it_has_not_looked() -> None:
    with pytest.raises(HistoryUnavailableError, match="once it is deployed"):
        RULE.check(NoHistory())


@pytest.fixture
def registered(store: Engine) -> Iterator[Engine]:
    get_settings.cache_clear()
    yield store
    get_settings.cache_clear()


def test_it_reads_the_samples_that_runs_have_written(registered: Engine) -> None:
    history = history_of(uuid4())
    [nothing] = RULE.check(history)
    assert (nothing.ticker, nothing.problem) == ("", "no_data")
    now = datetime.now(UTC)
    note_host(registered, "web-1", Sample(now - 5 * MINUTE, 99.0, 10.0, 20.0))
    note_host(registered, "web-1", Sample(now - MINUTE, 81.5, 34.0, 56.0))
    note_host(registered, "web-2", Sample(now - 60 * MINUTE, 1.0, 1.0, 1.0))
    found = {output.ticker: output for output in RULE.check(history)}
    assert (found["web-1 cpu"].triggered, found["web-1 cpu"].metrics["value"]) == (True, 81.5)
    assert not found["web-1 memory"].triggered
    assert {found[f"web-2 {part}"].problem for part in ("cpu", "memory", "disk")} == {"no_data"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"cpu": 0},
        {"memory": 101},
        {"disk": float("nan")},
        {"silent_after_seconds": 60},
        {"come_and_go": [""]},
        {"come_and_go": "pod-*"},
        {"gpu": 80},
    ],
)
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HostLimits(**wrong)
