"""Failed runs that a failing run started: one event, and none is lost."""

from datetime import timedelta

import pytest
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from sqlalchemy import Engine

from sentinel_core.base.settings import get_settings
from sentinel_core.flow import watched_causes
from sentinel_core.flow.opening import open_store
from sentinel_core.flow.reconcile import reconcile
from tests.support import own_flows
from tests.support.own_flows import run
from tests.support.runs import rows


@pytest.fixture
def pair(client: SyncPrefectClient, store: Engine) -> tuple[Flow[..., None], Flow[..., None]]:
    """A flow that starts another one, both known by a run that was fine."""
    del client, store
    below = own_flows.renamed(own_flows.below)
    above = own_flows.renamed(own_flows.above)
    run(above, below, ["ok"], "raise")
    return above, below


def open_events(store: Engine, pair: tuple[Flow[..., None], ...]) -> list[tuple[str, int]]:
    """The open events of these flows: reconcile records the runs of other tests as well."""
    found = [e for flow in pair for e in rows(store, "alert_event", rule_name=flow.name)]
    return [(e["rule_name"], e["occurrences"]) for e in found if e["resolved_at"] is None]


def reconciled(client: SyncPrefectClient) -> None:
    settings = get_settings()
    reconcile(client, open_store(settings), settings, say=print, settle=timedelta(0))


def test_failures_below_a_failing_run_are_part_of_its_event_until_it_recovers_without_them(
    client: SyncPrefectClient, store: Engine, pair: tuple[Flow[..., None], Flow[..., None]]
) -> None:
    above, below = pair
    run(above, below, ["fail", "fail"], "raise")
    reconciled(client)
    assert open_events(store, pair) == [(above.name, 1)]
    [event] = rows(store, "alert_event", rule_name=above.name)
    assert [one["state"] for one in event["metadata"]["started"]] == ["Failed", "Failed"]
    assert "started_not_listed" not in event["metadata"]
    run(above, below, [], "raise")
    reconciled(client)
    assert open_events(store, pair) == [(below.name, 2)]
    run(above, below, ["ok"], "raise")
    reconciled(client)
    assert open_events(store, pair) == []


@pytest.mark.slow
def test_a_failure_that_the_starting_run_copes_with_is_an_event_of_its_own(
    client: SyncPrefectClient,
    store: Engine,
    pair: tuple[Flow[..., None], Flow[..., None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    above, below = pair
    run(above, below, ["fail"], "cope")
    assert open_events(store, pair) == []  # at that moment nobody knew whether it would
    monkeypatch.setattr(watched_causes, "WAIT", timedelta(0))
    reconciled(client)
    assert open_events(store, pair) == [(below.name, 1)]
