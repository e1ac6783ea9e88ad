"""Jobs outside Prefect ping over HTTP, and the rule that waits for them sees it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Engine

from sentinel_core.flow.history import history_of
from sentinel_core.store.record.pings import ping
from sentinel_core.store.state.rules import sync
from tests.support.deployed import rows
from tests.support.recorded import a_rule
from triggers.service.missed_pings import MissedPings

KEYS = ("nightly-backup", "sync.eu_1")


@pytest.fixture
def waiting(store: Engine) -> UUID:
    """The deployment of a rule that waits for pings."""
    check = {"keys": list(KEYS), "every_seconds": 60, "grace_seconds": 0}
    rule = replace(a_rule("backups"), trigger="missed-pings", parameters={"check": check})
    other = replace(a_rule("other"), parameters={"check": {"keys": ["of-another-trigger"]}})
    sync(store, [rule, other], datetime.now(UTC))
    return rule.deployment_id


@pytest.fixture
def job(http: httpx.Client, bearer: Callable[[str], dict[str, str]]) -> httpx.Client:
    """A job whose token may read only."""
    http.headers.update(bearer("read"))
    return http


def test_a_ping_is_what_the_rule_waits_for(job: httpx.Client, store: Engine, waiting: UUID) -> None:
    check = MissedPings(keys=KEYS, every_seconds=60, grace_seconds=0)
    for key in KEYS:
        ping(store, key, by="before", now=datetime.now(UTC) - timedelta(hours=1))
    assert [one.triggered for one in check.check(history_of(waiting))] == [True, True]
    done = job.post(f"/ping/{KEYS[0]}")
    assert (done.status_code, done.json()["count"], done.json()["rules"]) == (200, 2, ["backups"])
    assert [one.triggered for one in check.check(history_of(waiting))] == [False, True]
    [kept] = rows(store, "SELECT by FROM ping WHERE key = 'nightly-backup'")
    assert kept["by"] == "read (API token)"


@pytest.mark.parametrize(
    ("key", "status"),
    [
        ("nightly-bakcup", 404),
        ("of-another-trigger", 404),
        ("", 404),
        ("nightly-backup/", 404),
        ("..%2Fnightly-backup", 404),
        ("nightly-backup%00", 422),
        ("nightly backup", 422),
        ("%C3%A9", 422),
        ("x" * 101, 422),
        ("'; DROP TABLE ping; --", 422),
    ],
)
@pytest.mark.usefixtures("waiting")
def test_a_key_that_no_rule_waits_for_is_refused(
    job: httpx.Client, store: Engine, key: str, status: int
) -> None:
    answer = job.post(f"/ping/{key}")
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["sentence"]
    assert not rows(store, "SELECT key FROM ping")


@pytest.mark.usefixtures("waiting")
def test_a_ping_needs_a_token_also_where_reading_needs_none(
    http: httpx.Client, store: Engine
) -> None:
    assert http.get("/rules").status_code == 200
    assert http.post(f"/ping/{KEYS[0]}").status_code == 401
    assert http.post(f"/ping/{KEYS[0]}", headers={"Authorization": "Bearer x"}).status_code == 401
    assert not rows(store, "SELECT key FROM ping")


@pytest.mark.usefixtures("waiting")
def test_a_ping_is_posted(job: httpx.Client) -> None:
    assert job.get(f"/ping/{KEYS[0]}").status_code == 405  # a link that somebody follows is none
