"""What no hook tells, reconcile finds: every way a run can end, on a real server and worker."""

import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State, StateType
from prefect.states import Cancelled, Completed, Failed, Scheduled
from sqlalchemy import Engine, text

from sentinel_core.base.errors import ReconcileError
from sentinel_core.base.settings import Settings, get_settings
from sentinel_core.flow.opening import open_store
from sentinel_core.flow.reconcile import Report, reconcile
from sentinel_core.prefect_io.client import PAGE
from sentinel_core.prefect_io.facts import checked_state
from sentinel_core.store.db.engine import writing
from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.state import rules
from tests.support.deployed import Deployed, deploy, rows, rule_yaml
from tests.support.prefect import PrefectServer, client_of, prefect_worker
from tests.support.processes import wait_for
from tests.support.runs import rows as stored
from tests.support.stores import migrate

CHAOS = "tests/support/rules/chaos.py:chaos"
NO_STORE = {
    "SENTINEL_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "SENTINEL_RECORD_TIMEOUT_SECONDS": "1",
}
POOL = "reconcile"
STORE_AWAY = {"env": NO_STORE}


@pytest.fixture(scope="module")
def server(reconciling_server: PrefectServer) -> PrefectServer:
    return reconciling_server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reconcile")


@pytest.fixture(scope="module")
def url(home: Path) -> str:
    url = f"sqlite:///{home / 'sentinel.db'}"
    migrate(url)
    return url


@pytest.fixture
def settings(url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SENTINEL_DATABASE_URL", url)
    monkeypatch.setenv("SENTINEL_STUCK_GRACE_SECONDS", "0")
    get_settings.cache_clear()
    return get_settings()


@pytest.fixture(scope="module")
def client(server: PrefectServer) -> Iterator[SyncPrefectClient]:
    with client_of(server) as client:
        yield client


@pytest.fixture(scope="module")
def worker(server: PrefectServer, url: str) -> Iterator[None]:
    with prefect_worker(server, POOL, SENTINEL_DATABASE_URL=url):
        yield


@pytest.fixture
def store(settings: Settings) -> Engine:
    return open_store(settings)


def _rule(
    client: SyncPrefectClient,
    name: str,
    check: dict[str, Any] | None = None,
    *,
    entrypoint: str = CHAOS,
    **more: Any,
) -> Deployed:
    deploy(client, rule_yaml(name, entrypoint, check, **{"pool": POOL, **more}))
    return Deployed.find(client, f"chaos/{name}")


def _reconcile(client: SyncPrefectClient, store: Engine, settings: Settings) -> Report:
    said: list[str] = []
    return reconcile(client, store, settings, say=said.append, settle=timedelta(0))


def _later() -> State[None]:
    """Scheduled so that no worker takes the run before the test has set its state."""
    return Scheduled(scheduled_time=datetime.now(UTC) + timedelta(hours=1))


def _events(store: Engine, rule: str) -> list[dict[str, object]]:
    return rows(store, "SELECT * FROM alert_event WHERE rule_name = :rule ORDER BY id", rule=rule)


def _evaluations(store: Engine, rule: str) -> list[dict[str, object]]:
    return rows(
        store,
        "SELECT e.* FROM evaluation e JOIN alert_rule r ON r.id = e.rule_id WHERE r.name = :rule",
        rule=rule,
    )


def _noted(store: Engine) -> list[dict[str, int]]:
    """What the audit says of reconciles, oldest first."""
    entries = stored(store, "audit_entry", actor="sentinel", action="recorded-late")
    return [entry["detail"] for entry in sorted(entries, key=itemgetter("id"))]


@pytest.mark.slow("exit0", "sysexit")
@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("mode", ["kill", "exit0", "sysexit"])
def test_a_process_that_dies_is_exactly_one_failure_event(
    client: SyncPrefectClient,
    store: Engine,
    settings: Settings,
    mode: str,
) -> None:
    rule = _rule(client, f"dies-{mode}")
    run = rule.start(mode=mode)

    def recorded() -> bool:
        _reconcile(client, store, settings)
        return bool(_events(store, f"dies-{mode}"))

    wait_for(recorded, what="the failure event", every=1)
    _reconcile(client, store, settings)
    [event] = _events(store, f"dies-{mode}")
    assert event["kind"] == "failure"
    assert event["occurrences"] == 1
    assert event["prefect_state"] in ("CRASHED", "FAILED")
    assert str(event["prefect_flow_run_id"]).replace("-", "") == run.hex


@pytest.mark.slow
def test_a_flow_file_that_no_longer_imports_becomes_a_failure_event(
    client: SyncPrefectClient,
    store: Engine,
    settings: Settings,
    tmp_path: Path,
    worker: None,
) -> None:
    source = Path(__file__).parents[1] / "support/rules/chaos.py"
    broken = tmp_path / "later_broken.py"
    broken.write_text(source.read_text())
    rule = _rule(client, "import-breaks", entrypoint=f"{broken}:chaos")
    broken.write_text("raise ImportError('a dependency went away')\n" + source.read_text())
    rule.wait(rule.start(mode="ok"))
    _reconcile(client, store, settings)
    [event] = _events(store, "import-breaks")
    assert event["kind"] == "failure"
    assert event["prefect_state"] in ("CRASHED", "FAILED")


@pytest.mark.slow
def test_a_worker_killed_with_its_child_leaves_a_run_that_reconcile_closes(
    server: PrefectServer,
    client: SyncPrefectClient,
    store: Engine,
    settings: Settings,
    url: str,
) -> None:
    rule = _rule(client, "worker-dies", pool="doomed")
    with prefect_worker(server, "doomed", SENTINEL_DATABASE_URL=url) as doomed:
        run = rule.start(mode="ok", seconds=600)
        rule.wait_state(run, "Running")
        for process in [*psutil.Process(doomed.pid).children(recursive=True)]:
            process.send_signal(signal.SIGKILL)
        doomed.kill()
        doomed.wait()
    state = client.read_flow_run(run).state
    assert state is not None and state.type is StateType.RUNNING  # nobody ended it
    time.sleep(6.5)  # the rule's timeout, after which the run counts as stuck
    closed = _reconcile(client, store, settings).closed
    assert closed >= 1
    assert _noted(store)[-1]["closed"] == closed
    assert client.read_flow_run(run).state.type is StateType.CRASHED  # type: ignore[union-attr]
    [event] = _events(store, "worker-dies")
    assert event["kind"] == "failure"
    assert "Outlived its timeout" in str(event["message"])


@pytest.mark.usefixtures("worker")
def test_runs_of_a_time_without_a_store_are_recorded_afterwards_with_their_full_output(
    client: SyncPrefectClient,
    store: Engine,
    settings: Settings,
) -> None:
    check = {"mode": "fire", "note": "while away"}
    rule = _rule(client, "store-away", check, job_variables=STORE_AWAY)
    run = rule.wait(rule.start())
    assert run.state_name == "Triggered"  # a store that is away never fails the run
    assert not _events(store, "store-away")
    _reconcile(client, store, settings)
    _reconcile(client, store, settings)
    [event] = _events(store, "store-away")
    assert (event["kind"], event["occurrences"], event["ticker"]) == ("alert", 1, "chaos")
    assert event["message"] == "chaos while away"
    assert "ünï ✓" in str(event["metadata"]).encode().decode("unicode_escape") or (
        "ünï ✓" in str(event["metadata"])
    )


@pytest.mark.usefixtures("worker")
def test_what_a_rule_with_conditions_measured_without_a_store_is_judged_afterwards(
    client: SyncPrefectClient,
    store: Engine,
    settings: Settings,
) -> None:
    over_a_window = {"op": "gt", "value": 1, "aggregate": "avg", "over_seconds": 600}
    rule = _rule(client, "measured-away", conditions=[over_a_window], job_variables=STORE_AWAY)
    run = rule.wait(rule.start(mode="ok"))
    assert run.state_name == "Measured"
    assert not _evaluations(store, "measured-away")
    _reconcile(client, store, settings)
    [row] = stored(store, "evaluation", prefect_flow_run_id=run.id)
    assert (row["kind"], row["reported"], row["triggered"]) == ("alert", False, True)
    assert row["metrics"] == {"value": 2.0, "threshold": 1.0}
    assert row["metadata"]["nested"] == {"list": [1, 2, {"deep": "ünï ✓"}]}
    [event] = _events(store, "measured-away")
    assert event["message"] == "chaos (avg(value) over 10 min 2 > 1)"


def test_a_rule_whose_settings_contradict_each_other_is_named(
    client: SyncPrefectClient,
    store: Engine,
    settings: Settings,
) -> None:
    _rule(client, "contradicts", policy={"breaches": 5, "of_last": 2})
    said: list[str] = []
    reconcile(client, store, settings, say=said.append, settle=timedelta(0))
    [line] = [line for line in said if line.startswith("contradicts: ")]
    assert "policy: " in line
    assert "5 breaches of the last 2 can't be" in line


def test_a_run_cancelled_before_it_started_is_seen_as_not_checked(
    client: SyncPrefectClient,
    store: Engine,
    settings: Settings,
) -> None:
    rule = _rule(client, "cancelled-early")
    run = client.create_flow_run_from_deployment(rule.id, state=_later())
    client.set_flow_run_state(run.id, Cancelled(message="changed my mind"), force=True)
    _reconcile(client, store, settings)
    [event] = _events(store, "cancelled-early")
    assert (event["kind"], event["importance"]) == ("failure", "low")
    assert "changed my mind" in str(event["message"])


BY_HAND = (
    Completed(message="looks fine to me"),
    Completed(message="Checked by Ann, looks fine"),
    Completed(message="Checked 1 series, none triggered."),
    Completed(name="Triggered", message="Checked by Ann"),
)


@pytest.mark.slow(*map(str, range(1, 100)))
@pytest.mark.parametrize("number", range(len(BY_HAND)))
def test_a_run_set_to_completed_by_hand_counts_as_not_checked_whatever_it_says(
    client: SyncPrefectClient, store: Engine, settings: Settings, number: int
) -> None:
    rule = _rule(client, f"declared-done-{number}")
    run = client.create_flow_run_from_deployment(rule.id, state=_later())
    client.set_flow_run_state(run.id, BY_HAND[number], force=True)
    _reconcile(client, store, settings)
    [event] = _events(store, f"declared-done-{number}")
    assert event["kind"] == "failure"


@pytest.mark.slow
@pytest.mark.usefixtures("worker")
def test_a_quiet_run_of_a_time_without_a_store_is_recorded_as_checked(
    client: SyncPrefectClient, store: Engine, settings: Settings
) -> None:
    rule = _rule(client, "quiet-away", job_variables=STORE_AWAY)
    run = rule.wait(rule.start(mode="ok"))
    assert run.state_name == "Completed"
    assert not _evaluations(store, "quiet-away")
    _reconcile(client, store, settings)
    [row] = stored(store, "evaluation", prefect_flow_run_id=run.id)
    assert (row["kind"], row["triggered"], row["prefect_state"]) == ("alert", False, "COMPLETED")
    assert _events(store, "quiet-away") == []


def test_a_state_that_changes_after_the_end_wins_and_both_are_kept(
    client: SyncPrefectClient,
    store: Engine,
    settings: Settings,
) -> None:
    rule = _rule(client, "changes-its-end")
    run = client.create_flow_run_from_deployment(rule.id, state=_later())
    client.set_flow_run_state(run.id, Failed(message="first word"), force=True)
    _reconcile(client, store, settings)
    client.set_flow_run_state(
        run.id, checked_state("Checked 1 series, none triggered."), force=True
    )
    _reconcile(client, store, settings)
    states = {row["prefect_state"] for row in _evaluations(store, "changes-its-end")}
    assert states == {"FAILED", "COMPLETED"}
    [event] = _events(store, "changes-its-end")
    assert event["resolved_at"] is not None


@pytest.mark.slow
def test_more_runs_than_one_page_of_the_api_are_all_recorded(
    client: SyncPrefectClient,
    store: Engine,
    settings: Settings,
) -> None:
    rule = _rule(client, "many-runs")
    many = PAGE + 5
    for _ in range(many):
        client.create_flow_run_from_deployment(rule.id, state=Failed(message="in bulk"))
    _reconcile(client, store, settings)
    assert len(_evaluations(store, "many-runs")) == many
    [event] = _events(store, "many-runs")
    assert event["occurrences"] == many


def test_reconciling_twice_records_nothing_more(
    client: SyncPrefectClient, store: Engine, settings: Settings
) -> None:
    rule = _rule(client, "reconciled-twice")
    client.create_flow_run_from_deployment(rule.id, state=Failed(message="once"))
    first = _reconcile(client, store, settings)
    assert first.recorded >= 1
    before = _evaluations(store, "reconciled-twice")
    assert len(before) == 1
    noted = _noted(store)
    assert noted[-1]["recorded"] == first.recorded
    second = _reconcile(client, store, settings)  # another test's rule may have had a run since
    assert _evaluations(store, "reconciled-twice") == before
    assert len(_noted(store)) - len(noted) == bool(second.recorded or second.closed)


def test_a_rule_whose_due_times_pass_without_a_run_is_named_silent_until_it_runs(
    client: SyncPrefectClient,
    store: Engine,
    settings: Settings,
) -> None:
    every_minute = [{"cron": "* * * * *", "timezone": "UTC"}]
    rule = _rule(
        client,
        "goes-silent",
        schedules=every_minute,
        pool="nobody-home",
    )
    assert "goes-silent" not in _reconcile(client, store, settings).silent
    with writing(store) as connection:  # as if it had been deployed ten minutes ago
        connection.execute(
            text("UPDATE alert_rule SET changed_at = :at WHERE name = 'goes-silent'"),
            {"at": datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=10)},
        )
    assert "goes-silent" in _reconcile(client, store, settings).silent
    [event] = _events(store, "goes-silent")
    assert event["kind"] == "silent"
    assert event["resolved_at"] is None
    run = client.create_flow_run_from_deployment(rule.id)
    client.set_flow_run_state(
        run.id, checked_state("Checked 1 series, none triggered."), force=True
    )
    assert "goes-silent" not in _reconcile(client, store, settings).silent
    [event] = _events(store, "goes-silent")
    assert event["resolved_at"] is not None


def test_an_acknowledgement_ends_at_its_time_though_the_rule_is_paused(
    client: SyncPrefectClient, store: Engine, settings: Settings
) -> None:
    rule = _rule(client, "snoozed-and-paused")
    client.create_flow_run_from_deployment(rule.id, state=Failed(message="once"))
    _reconcile(client, store, settings)
    client.pause_deployment(rule.id)
    [event] = _events(store, "snoozed-and-paused")
    now = datetime.now(UTC)
    acknowledge(store, [event["id"]], by="ana", until=now + timedelta(hours=1), now=now)
    _reconcile(client, store, settings)
    assert _events(store, "snoozed-and-paused")[0]["is_acknowledged"]
    with writing(store) as connection:  # as if an hour had passed
        connection.execute(
            text("UPDATE alert_event SET acknowledged_until = :at WHERE id = :id"),
            {"at": now.replace(tzinfo=None), "id": event["id"]},
        )
    _reconcile(client, store, settings)
    _reconcile(client, store, settings)
    [event] = _events(store, "snoozed-and-paused")
    assert (event["is_acknowledged"], event["resolved_at"]) == (0, None)
    entries = rows(store, "SELECT * FROM audit_entry WHERE event_id = :id", id=event["id"])
    assert [row["action"] for row in entries] == ["acknowledged", "acknowledgement-ended"]


def test_a_rule_that_was_deleted_in_prefect_is_no_longer_active(
    client: SyncPrefectClient,
    store: Engine,
    settings: Settings,
) -> None:
    rule = _rule(client, "deleted-later")
    _reconcile(client, store, settings)
    client.delete_deployment(rule.id)
    _reconcile(client, store, settings)
    [row] = [row for row in rules.all_rules(store) if row["name"] == "deleted-later"]
    assert not row["is_active"]


def _ended(client: SyncPrefectClient, rule: Deployed, due: datetime) -> UUID:
    """A run that was due then and failed, of which no hook knows."""
    run = client.create_flow_run_from_deployment(rule.id, state=Scheduled(scheduled_time=due))
    client.set_flow_run_state(run.id, Failed(message="no hook ran"), force=True)
    return run.id


def test_the_checkpoint_stays_until_every_run_before_it_is_on_record(
    client: SyncPrefectClient, store: Engine, settings: Settings
) -> None:
    rule = _rule(client, "refused-for-now")
    _reconcile(client, store, settings)
    before = rules.checkpoint(store, rules.RECONCILE)
    refused = _ended(client, rule, datetime.now(UTC) + timedelta(hours=1))
    with store.begin() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER refuse BEFORE INSERT ON evaluation "
                f"WHEN NEW.prefect_flow_run_id = '{refused.hex}' "
                "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
            )
        )
    with pytest.raises(ReconcileError, match=r"refused-for-now: run .*not this one"):
        _reconcile(client, store, settings)
    assert rules.checkpoint(store, rules.RECONCILE) == before
    with store.begin() as connection:
        connection.execute(text("DROP TRIGGER refuse"))
    _reconcile(client, store, settings)
    assert len(_evaluations(store, "refused-for-now")) == 1
    after = rules.checkpoint(store, rules.RECONCILE)
    assert before is not None
    assert after is not None
    assert after > before


def test_missing_runs_are_recorded_in_the_order_in_which_they_were_due(
    client: SyncPrefectClient, store: Engine, settings: Settings
) -> None:
    rule = _rule(client, "in-order")
    soon = datetime.now(UTC) + timedelta(hours=1)
    for minute in (3, 1, 4, 2):  # neither the order of their ids, nor that turned round
        _ended(client, rule, soon + timedelta(minutes=minute))
    _reconcile(client, store, settings)
    at = [str(row["at"]) for row in sorted(_evaluations(store, "in-order"), key=_id)]
    assert len(at) == 4
    assert at == sorted(at)
    [event] = _events(store, "in-order")
    assert event["occurrences"] == 4


def _id(row: dict[str, object]) -> int:
    return int(str(row["id"]))
