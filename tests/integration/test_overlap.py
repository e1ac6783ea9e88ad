"""Runs that Prefect's concurrency limit cancels while another run of their rule is under way."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.client.schemas.objects import State
from prefect.states import Cancelling, Failed, Pending, Running, Scheduled
from sqlalchemy import Engine, text

from sentinel_core.base.settings import Settings, get_settings
from sentinel_core.flow.opening import open_store
from sentinel_core.flow.reconcile import Report, reconcile
from sentinel_core.prefect_io.facts import checked_state
from sentinel_core.store.db.engine import writing
from sentinel_core.store.state.rules import RECONCILE, set_checkpoint
from tests.support.deployed import Deployed, deploy, rows, rule_yaml
from tests.support.prefect import PrefectServer, client_of
from tests.support.stores import migrate

EVERY_MINUTE = [{"cron": "* * * * *", "timezone": "UTC"}]


@pytest.fixture(scope="module")
def client(reconciling_server: PrefectServer) -> Iterator[SyncPrefectClient]:
    with client_of(reconciling_server) as client:
        yield client


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    url = f"sqlite:///{tmp_path / 'sentinel.db'}"
    migrate(url)
    monkeypatch.setenv("SENTINEL_DATABASE_URL", url)
    monkeypatch.setenv("SENTINEL_STORE_VARIABLE", f"store_{tmp_path.name.replace('-', '_')}")
    monkeypatch.setenv("SENTINEL_STUCK_GRACE_SECONDS", "0")
    get_settings.cache_clear()
    return get_settings()


class Place:
    """A rule that may not run twice at once, and nobody who runs it: the test says what happens."""

    def __init__(self, client: SyncPrefectClient, settings: Settings, name: str) -> None:
        self.client, self.settings, self.name = client, settings, name
        self.store: Engine = open_store(settings)
        # Other tests' runs on this server are none of this store's business.
        set_checkpoint(self.store, RECONCILE, datetime.now(UTC))
        limit = {"limit": 1, "collision_strategy": "CANCEL_NEW"}
        rule = rule_yaml(
            name,
            "tests/support/rules/chaos.py:chaos",
            pool="overlap",
            schedules=EVERY_MINUTE,
            concurrency_limit=limit,
            timeout_seconds=3_600,  # no run outlives it while a busy machine reconciles
        )
        deploy(client, rule)
        self.rule = Deployed.find(client, f"chaos/{name}")

    def due(self, minutes: float = 0, **parameters: object) -> UUID:
        """A run that was due so many minutes ago; with parameters, an ad-hoc one."""
        at = datetime.now(UTC) - timedelta(minutes=minutes)
        return self.client.create_flow_run_from_deployment(
            self.rule.id, parameters=parameters, state=Scheduled(scheduled_time=at)
        ).id

    def limit(self) -> str:
        """The name of the rule's concurrency limit."""
        limit = self.client.read_deployment(self.rule.id).global_concurrency_limit
        assert limit is not None
        return limit.name

    def set(self, run: UUID, *states: State[None], force: bool = False) -> str:
        """Propose these states; returns the name of the one that the run then has."""
        for state in states:
            self.client.set_flow_run_state(run, state, force=force)
        name = self.client.read_flow_run(run).state_name
        assert name is not None
        return name

    def reconcile(self) -> Report:
        return reconcile(self.client, self.store, self.settings, say=print, settle=timedelta(0))

    def evaluated(self) -> list[tuple[object, object]]:
        query = (
            "SELECT e.kind, e.decision_code FROM evaluation e JOIN alert_rule r "
            "ON r.id = e.rule_id WHERE r.name = :rule ORDER BY e.at, e.id"
        )
        found = rows(self.store, query, rule=self.name)
        return [(row["kind"], row["decision_code"]) for row in found]

    def events(self) -> list[dict[str, object]]:
        query = "SELECT * FROM alert_event WHERE rule_name = :rule ORDER BY id"
        return rows(self.store, query, rule=self.name)

    def deployed_ago(self, minutes: float) -> None:
        """As if the rule had been deployed so long ago."""
        at = datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=minutes)
        with writing(self.store) as connection:
            changed = text("UPDATE alert_rule SET changed_at = :at WHERE name = :rule")
            connection.execute(changed, {"at": at, "rule": self.name})


@pytest.fixture
def place(client: SyncPrefectClient, settings: Settings, request: pytest.FixtureRequest) -> Place:
    return Place(client, settings, request.node.name.replace("_", "-")[:60])


def test_a_run_cancelled_by_the_limit_is_skipped_and_no_event(place: Place) -> None:
    first, second = place.due(), place.due()
    assert place.set(first, Pending()) == "Pending"
    assert place.set(second, Pending()) == "Cancelled"  # while the first has not even started
    place.reconcile()
    assert place.evaluated() == [("skipped", "skipped-under-way")]
    assert place.set(first, Running(), checked_state("none triggered")) == "Completed"
    place.reconcile()
    assert place.evaluated() == [("alert", "ok"), ("skipped", "skipped-under-way")]
    assert place.events() == []


def test_the_outcome_of_the_other_run_is_recorded_by_itself_also_when_both_are_recorded_late(
    place: Place,
) -> None:
    first, second = place.due(), place.due()
    place.set(first, Pending(), Running())
    assert place.set(second, Pending()) == "Cancelled"
    place.set(first, Failed(message="no answer"))
    place.reconcile()
    kinds = [kind for kind, _ in place.evaluated()]
    assert sorted(map(str, kinds)) == ["failure", "skipped"]
    [event] = place.events()
    assert (event["kind"], event["message"]) == (
        "failure",
        "Not checked: the run ended as Failed. no answer",
    )


def test_a_rule_whose_run_hangs_is_silent_once_while_the_limit_cancels_its_runs(
    place: Place,
) -> None:
    hanging = place.due(minutes=9)
    place.set(hanging, Pending(), Running())
    place.reconcile()
    place.deployed_ago(minutes=10)
    for minutes in (3, 2, 1):
        assert place.set(place.due(minutes), Pending()) == "Cancelled"
        assert place.name in place.reconcile().silent
    assert place.evaluated() == [("skipped", "skipped-under-way")] * 3
    [event] = place.events()
    assert (event["kind"], event["resolved_at"]) == ("silent", None)
    place.set(hanging, checked_state("none triggered"))
    place.set(next_run := place.due(), Pending(), Running(), checked_state("none triggered"))
    assert place.client.read_flow_run(next_run).state_name == "Completed"
    assert place.name not in place.reconcile().silent
    [event] = place.events()
    assert event["resolved_at"] is not None


def test_a_run_is_not_checked_when_nothing_was_under_way(place: Place) -> None:
    """The slot was never given back: the limit cancels, and nobody checks."""
    place.client.increment_concurrency_slots([place.limit()], slots=1, mode="concurrency")
    assert place.set(place.due(), Pending()) == "Cancelled"
    place.reconcile()
    [event] = place.events()
    assert (event["kind"], event["importance"]) == ("failure", "low")


def test_a_later_run_that_a_person_cancels_meanwhile_is_recorded_as_cancelled(
    place: Place,
) -> None:
    first, later = place.due(), place.due(minutes=-30)
    place.set(first, Pending(), Running())
    assert place.set(later, Cancelling()) == "Cancelled"  # as Prefect's UI does it
    place.reconcile()
    [event] = place.events()
    assert (event["kind"], event["importance"]) == ("failure", "low")


def test_a_run_is_not_checked_when_the_other_one_had_other_parameters(place: Place) -> None:
    adhoc, due = place.due(check={"note": "less"}), place.due()
    place.set(adhoc, Pending(), Running())
    assert place.set(due, Pending()) == "Cancelled"
    place.reconcile()
    [event] = place.events()
    assert (event["kind"], event["importance"]) == ("failure", "low")


@pytest.mark.slow
def test_a_run_that_a_person_cancels_while_a_slot_is_free_is_recorded_as_cancelled(
    place: Place,
) -> None:
    place.client.update_global_concurrency_limit(
        place.limit(), GlobalConcurrencyLimitUpdate(limit=2)
    )
    first, second = place.due(), place.due()
    place.set(first, Pending(), Running())
    assert place.set(second, Cancelling()) == "Cancelled"
    place.reconcile()
    [event] = place.events()
    assert (event["kind"], event["importance"]) == ("failure", "low")


@pytest.mark.slow
def test_runs_that_are_late_after_an_outage_are_covered_by_the_one_that_runs(place: Place) -> None:
    first, late = place.due(), place.due(minutes=30)
    place.set(first, Pending(), Running())
    assert place.set(late, Pending()) == "Cancelled"
    place.reconcile()
    assert place.events() == []
