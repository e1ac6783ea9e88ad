"""Samples of hosts in the store: one a minute, of the last day."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from sentinel_core.decide.hosts import Sample
from sentinel_core.store.read.hosts import Hosts, hosts, hosts_lately
from sentinel_core.store.record.hosts import note_host

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_of_two_samples_in_a_minute_the_first_stays_and_a_day_later_all_go(engine: Engine) -> None:
    note_host(engine, "b", Sample(NOON, None, 10, 20))
    note_host(engine, "b", Sample(NOON + timedelta(seconds=30), 99, 99, 99))
    note_host(engine, "b", Sample(NOON + MINUTE, 50.5, 11, 21))
    note_host(engine, "a", Sample(NOON + MINUTE, 1, 2, 3))
    [a, b] = hosts(engine, NOON + MINUTE).shown
    assert (a.name, b.name) == ("a", "b")
    assert b.samples == (Sample(NOON, None, 10, 20), Sample(NOON + MINUTE, 50.5, 11, 21))
    later = NOON + timedelta(hours=24, seconds=30)
    note_host(engine, "a", Sample(later, 4, 5, 6))  # what is older than a day goes, of all hosts
    [b, a] = hosts(engine, later).shown
    assert (len(a.samples), len(b.samples)) == (2, 1)
    assert hosts(engine, later + timedelta(days=2)) == Hosts([], 0)


def test_a_host_that_was_not_heard_of_lately_is_known_by_its_newest_sample(engine: Engine) -> None:
    for ago in (1, 5, 30, 60):
        note_host(engine, "a", Sample(NOON - ago * MINUTE, ago, 1, 1))
        note_host(engine, "b", Sample(NOON - (ago + 20) * MINUTE, ago, 1, 1))
    [a, b] = hosts_lately(engine, NOON, 10 * MINUTE)
    assert [one.cpu for one in a.samples] == [5, 1]
    assert [one.at for one in b.samples] == [NOON - 21 * MINUTE]
    assert hosts_lately(engine, NOON + timedelta(days=2), 10 * MINUTE) == ()
