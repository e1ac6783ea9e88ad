"""A rule's past as its trigger is given it: from the store, or none."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from sqlalchemy import Engine

from sentinel_core.base.errors import HistoryUnavailableError
from sentinel_core.base.settings import get_settings
from sentinel_core.decide.hosts import Sample
from sentinel_core.flow.history import history_of
from sentinel_core.model.trigger import NoHistory, PastEvaluation
from sentinel_core.store.record.hosts import note_host
from sentinel_core.store.record.pings import ping
from tests.support.recorded import a_rule, a_run, calm, fire, observe

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _without_prefect() -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: None}):
        yield


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def test_a_run_without_a_deployment_has_no_past() -> None:
    assert isinstance(history_of(None), NoHistory)


def test_the_past_is_that_of_the_rule_alone_the_newest_first(store: Engine, now: datetime) -> None:
    disk, cpu = a_rule("disk"), a_rule("cpu")
    calm(store, disk, now - 3 * MINUTE, ticker="/", metrics={"used": 80.0}, metadata={"n": 1})
    fire(store, disk, now - 2 * MINUTE, ticker="/", metrics={"used": 95.0})
    calm(store, disk, now - MINUTE, ticker="/data", metrics={"used": 10.0})
    calm(store, cpu, now - MINUTE, ticker="/", metrics={"used": 50.0})
    past = history_of(disk.deployment_id)
    assert past.latest(5, "/") == [
        PastEvaluation(now - 2 * MINUTE, "/", True, {"used": 95.0}, {}, False),
        PastEvaluation(now - 3 * MINUTE, "/", False, {"used": 80.0}, {"n": 1}, False),
    ]
    assert [one.ticker for one in past.latest(2)] == ["/data", "/"]


def test_pings_hosts_and_ends_of_runs_are_those_of_the_whole_store(
    store: Engine, now: datetime
) -> None:
    ping(store, "nightly", by="etl", now=now - MINUTE)
    note_host(store, "worker-1", Sample(now - MINUTE, 12.0, 40.0, 60.0))
    calm(store, a_rule("disk"), now - 10 * MINUTE)
    observe(store, a_rule("feed"), a_run(now - 5 * MINUTE, "FAILED"))
    past = history_of(a_rule("other").deployment_id)
    assert past.pings(["nightly", "weekly"]) == {"nightly": now - MINUTE}
    [host] = past.hosts(timedelta(hours=1))
    assert [(one.cpu, one.memory, one.disk) for one in host.samples] == [(12.0, 40.0, 60.0)]
    found = past.endings(timedelta(hours=1))
    assert (found.runs, found.failed) == (2, 1)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("latest", "this rule's past"),
        ("pings", "the pings"),
        ("hosts", "the samples of the hosts"),
        ("endings", "how the runs ended"),
    ],
)
def test_a_store_that_can_t_be_read_is_no_empty_past(
    monkeypatch: pytest.MonkeyPatch, asked: str, named: str
) -> None:
    monkeypatch.setenv("SENTINEL_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    get_settings.cache_clear()
    past = history_of(a_rule("disk").deployment_id)
    given = {"latest": 1, "pings": ["x"]}.get(asked, MINUTE)
    with pytest.raises(HistoryUnavailableError, match=f"^{named} could not be read: "):
        getattr(past, asked)(given)
