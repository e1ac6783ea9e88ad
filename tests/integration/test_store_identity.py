"""The registered store: lost, replaced, doubled or newer, under a running system.

One worker, one rule that notifies a real endpoint, and a variable of the tests' own in Prefect.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import VariableCreate
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.settings import PREFECT_API_URL, temporary_settings
from sqlalchemy import Engine, create_engine, text
from streamlit.testing.v1 import AppTest

from sentinel_core.base.errors import (
    HistoryUnavailableError,
    SchemaAheadError,
    SchemaBehindError,
    StoreIdentityError,
)
from sentinel_core.base.settings import Settings, get_settings
from sentinel_core.flow.history import history_of
from sentinel_core.flow.housekeeping import record_missed, send_due
from sentinel_core.flow.opening import open_store
from sentinel_core.model.routing import Routes
from sentinel_core.notify.deliver import deliver_due
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.db.schema import SCHEMA_HEAD, require_schema, schema_revision
from tests.support.channels import custom_webhook, talking_to
from tests.support.command import Command, changes
from tests.support.deployed import Deployed, deploy, rows, rule_yaml
from tests.support.endpoint import Endpoint, http_endpoint
from tests.support.migrated import old_store
from tests.support.prefect import PrefectServer, client_of, prefect_worker
from tests.support.processes import ROOT, free_port, wait_for
from tests.support.runs import rows as stored
from tests.support.swarm import at_once
from tests.support.writers import first_writer
from viewer import data, writing
from viewer.writing import Given

CHAOS = "tests/support/rules/chaos.py:chaos"
REFUSED = "this run will be recorded by the next reconcile"
OPEN = "SELECT * FROM alert_event WHERE resolved_at IS NULL AND rule_name = 'identity'"
FILES = ("", "-wal", "-shm")


@dataclass(frozen=True)
class System:
    """A store, the variable it is registered in, the rule whose worker uses it, its channel."""

    server: PrefectServer
    client: SyncPrefectClient
    variable: str
    file: Path
    rule: Deployed
    endpoint: Endpoint

    @property
    def url(self) -> str:
        return f"sqlite:///{self.file}"

    def settings(self, file: Path | None = None) -> Settings:
        return Settings(
            database_url=f"sqlite:///{file or self.file}",
            store_variable=self.variable,
            record_timeout_seconds=1,
        )

    def sentinel(self, file: Path | None = None) -> Command:
        """The `sentinel` command where SENTINEL_DATABASE_URL names this file."""
        env = {"PREFECT_API_URL": self.server.api_url, "SENTINEL_STORE_VARIABLE": self.variable}
        return Command(f"sqlite:///{file or self.file}", self.file.parent, env)

    def run(self) -> uuid.UUID:
        """A run that has triggered; its hook has not ended yet."""
        run = self.rule.start()
        assert self.rule.wait(run).state_name == "Triggered"
        return run

    def log_of(self, run: uuid.UUID) -> str:
        of_this = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run]))
        return "\n".join(log.message for log in self.client.read_logs(of_this, limit=200))

    def refused_run(self, why: str) -> uuid.UUID:
        """A run whose hook has refused the store."""
        run = self.run()
        wait_for(lambda: REFUSED in self.log_of(run), what="the hook to refuse")
        assert why in self.log_of(run)
        return run

    def recorded(self, run: uuid.UUID) -> int:
        """The number of evaluations of a run that name a ticker."""
        engine = create_engine(self.url)
        with engine.connect() as connection:
            found = connection.execute(
                text(
                    "SELECT count(*) FROM evaluation "
                    "WHERE prefect_flow_run_id = :run AND ticker = 'chaos'"
                ),
                {"run": run.hex},
            ).scalar_one()
        engine.dispose()
        return int(found)

    def recorded_run(self) -> uuid.UUID:
        """A run whose hook has recorded it."""
        run = self.run()
        wait_for(lambda: self.recorded(run), what="the hook to record")
        return run

    def registered(self) -> Any:
        found = self.client.read_variable_by_name(self.variable)
        return found.value if found else None


@pytest.fixture(scope="module")
def system(
    reconciling_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """The system after its first run: the store is created and registered, one message sent."""
    server, folder = reconciling_server, tmp_path_factory.mktemp("identity")
    variable = f"store_{uuid.uuid4().hex}"
    env = {
        "SENTINEL_DATABASE_URL": f"sqlite:///{folder / 'sentinel.db'}",
        "SENTINEL_STORE_VARIABLE": variable,
    }
    with http_endpoint() as endpoint, client_of(server) as client, talking_to(server.api_url):
        channel = custom_webhook(endpoint.url)
        with prefect_worker(server, "identity", limit=1, kind="sentinel", **env):
            notify = {"medium": [channel]}
            deploy(
                client,
                rule_yaml("identity", CHAOS, {"mode": "fire"}, pool="identity", notify=notify),
            )
            rule = Deployed.find(client, "chaos/identity")
            system = System(server, client, variable, folder / "sentinel.db", rule, endpoint)
            rule.wait(rule.start())
            wait_for(lambda: endpoint.received, what="the first message")
            yield system


@pytest.fixture(autouse=True)
def _here(system: System, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process is the viewer and the housekeeping flows of the system."""
    monkeypatch.setenv("SENTINEL_DATABASE_URL", system.url)
    monkeypatch.setenv("SENTINEL_STORE_VARIABLE", system.variable)
    monkeypatch.setenv("SENTINEL_RECORD_TIMEOUT_SECONDS", "1")
    get_settings.cache_clear()
    st.cache_data.clear()
    st.cache_resource.clear()
    with talking_to(system.server.api_url):
        yield


def _move(here: Path, there: Path) -> None:
    for end in FILES:
        if (file := Path(f"{here}{end}")).exists():
            file.rename(f"{there}{end}")


def _set_revision(system: System, revision: str) -> None:
    engine = create_engine(system.url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE sentinel_version SET version_num = :r"), {"r": revision})
    engine.dispose()


def test_thefirst_writer_registers_the_store_it_has_created(system: System) -> None:
    registered = system.registered()
    with_tables = open_store(system.settings())
    assert registered["identity"] == str(require_schema(with_tables))
    assert registered["place"] == system.url
    said = system.sentinel()("db", "status")
    assert f"{registered['identity']}, registered in Prefect" in said


def test_a_deleted_store_is_refused_by_everybody_and_goes_on_when_it_is_restored(
    system: System, tmp_path: Path
) -> None:
    running, long_running = system.sentinel(), open_store(system.settings())
    [event] = rows(long_running, OPEN)
    assert data.event(event["id"]) is not None  # the viewer has the file open
    aside = system.file.with_name("aside.db")
    _move(system.file, aside)
    sent = len(system.endpoint.received)
    missed = [system.refused_run("is registered in Prefect"), system.refused_run("restore it")]

    for use in (
        lambda: record_missed(0, print),
        lambda: send_due(Routes()),
        lambda: deliver_due(long_running, system.settings()),
        lambda: writing.change_events("acknowledge", {event["id"]: None}, Given("ana")),
        lambda: data.event(event["id"]),
    ):
        with pytest.raises(StoreIdentityError, match="restore it"):
            use()
    assert "restore it" in running.refused("db", "upgrade")
    assert "there is no event store" in running.refused("events", "acknowledge", str(event["id"]))
    assert running.run("reconcile").returncode == 1
    page = AppTest.from_file(str(ROOT / "viewer" / "navigation.py"), default_timeout=30).run()
    assert any("restore it" in str(error.value) for error in page.error)
    assert not system.file.exists()
    assert len(system.endpoint.received) == sent

    _move(aside, system.file)
    record_missed(0, print)
    record_missed(0, print)
    assert [system.recorded(run) for run in missed] == [1, 1]
    assert len(system.endpoint.received) == sent  # the event was open all the time
    [after] = rows(long_running, OPEN)
    assert (after["id"], bool(after["is_acknowledged"])) == (event["id"], False)
    assert writing.change_events("acknowledge", {event["id"]: None}, Given("ana")).done == (
        event["id"],
    )
    assert system.recorded(system.recorded_run()) == 1


@pytest.mark.slow
def test_a_second_store_neither_backfills_nor_notifies_until_it_is_adopted(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = tmp_path / "second.db"
    with temporary_settings({PREFECT_API_URL: None}):
        open_store(system.settings(second))  # made where no Prefect was known
    command, sent = system.sentinel(second), len(system.endpoint.received)
    monkeypatch.setenv("SENTINEL_DATABASE_URL", f"sqlite:///{second}")
    get_settings.cache_clear()
    for use in (lambda: record_missed(0, print), lambda: send_due(Routes())):
        with pytest.raises(StoreIdentityError, match="is not the one that is registered"):
            use()
    for arguments in (("reconcile",), ("events", "acknowledge", "1"), ("db", "upgrade")):
        done = command.run(*arguments)
        assert done.returncode == 1
        assert "is not the one that is registered" in " ".join((done.stdout + done.stderr).split())
    assert "not the one in Prefect" in command("db", "status", code=1)
    assert len(system.endpoint.received) == sent

    first = system.registered()
    said = command("db", "adopt", code=1)
    assert first["identity"] in said
    assert "--yes" in said
    asked = changes(command("db", "adopt", "--json", code=1))
    assert [item["code"] for item in asked["unchanged"]] == ["not-confirmed"]
    assert system.registered() == first
    [adopted] = changes(command("db", "adopt", "--yes", "--json"))["changed"]
    assert adopted["identity"] == system.registered()["identity"]
    assert system.registered()["place"] == f"sqlite:///{second}"
    assert "registered in Prefect" in command("db", "status")
    assert "registered already" in command("db", "adopt")
    [entry] = stored(open_engine(f"sqlite:///{second}"), "audit_entry", action="store-adopted")
    assert first["identity"] in entry["detail"]["replaces"]
    again = changes(command("db", "adopt", "--json"))
    assert [item["code"] for item in again["unchanged"]] == ["already"]
    upgraded = changes(command("db", "upgrade", "--json"))
    assert [item["code"] for item in upgraded["unchanged"]] == ["already"]
    assert open_store(system.settings(second))
    with pytest.raises(StoreIdentityError, match="is not the one that is registered"):
        open_store(system.settings())

    system.sentinel()("db", "adopt", "--yes")
    assert system.registered()["identity"] == first["identity"]
    assert open_store(system.settings())


@pytest.mark.parametrize(
    ("revision", "error", "step"),
    [
        ("9999", SchemaAheadError, "upgrade Sentinel"),
        ("0000", SchemaBehindError, "sentinel db upgrade"),
    ],
)
def test_tables_of_another_sentinel_are_refused_by_everybody(
    system: System, revision: str, error: type[Exception], step: str
) -> None:
    long_running = open_store(system.settings())
    assert data.overview()
    _set_revision(system, revision)
    try:
        missed = system.refused_run(step)
        st.cache_data.clear()
        for use in (
            lambda: record_missed(0, print),
            lambda: send_due(Routes()),
            lambda: deliver_due(long_running, system.settings()),
            lambda: writing.change_events("acknowledge", {1: None}, Given("ana")),
            data.overview,
            lambda: open_store(system.settings()),
        ):
            with pytest.raises(error, match=step):
                use()
        for arguments in (
            ("reconcile",),
            ("report",),
            ("events", "list"),
            ("events", "acknowledge", "1"),
            ("silences", "expire", "1"),
        ):
            done = system.sentinel().run(*arguments)
            assert done.returncode == 1, arguments
            assert step in " ".join(done.stderr.split()), arguments
        page = AppTest.from_file(str(ROOT / "viewer" / "navigation.py"), default_timeout=30).run()
        assert any(step in str(shown.value) for shown in page.error)
    finally:
        _set_revision(system, SCHEMA_HEAD)
    record_missed(0, print)
    assert system.recorded(missed) == 1


# -- what can go wrong with the registration ----------------------------------------------------


def test_a_variable_with_garbage_stops_writers_until_a_store_is_adopted(
    system: System, tmp_path: Path
) -> None:
    own = replace(system, variable=f"store_{uuid.uuid4().hex}", file=tmp_path / "own.db")
    system.client.create_variable(VariableCreate(name=own.variable, value="garbage"))
    with pytest.raises(StoreIdentityError, match="can't be read"):
        open_store(own.settings())
    assert not own.file.exists()
    said = own.sentinel()("db", "adopt", "--yes")
    assert "a value that can't be read" in said
    [entry] = stored(open_engine(own.url), "audit_entry")
    assert (entry["actor"], entry["action"]) == ("sentinel", "store-adopted")
    assert set(entry["detail"]) == {"host"}
    assert own.registered()["identity"] == str(require_schema(open_store(own.settings())))


def test_adopting_an_older_store_upgrades_its_tables_only_when_it_is_confirmed(
    system: System, tmp_path: Path
) -> None:
    own = replace(system, variable=f"store_{uuid.uuid4().hex}", file=tmp_path / "older.db")
    old_store(open_engine(own.url), "0004", {})
    said = own.sentinel()("db", "adopt", code=1)
    assert "none: its tables are upgraded first" in said
    assert "Nothing was changed." in said
    assert schema_revision(open_engine(own.url)) == "0004"
    own.sentinel()("db", "adopt", "--yes")
    actions = [entry["action"] for entry in stored(open_engine(own.url), "audit_entry")]
    assert sorted(actions) == ["store-adopted", "store-upgraded"]
    assert own.registered()["identity"] == str(require_schema(open_engine(own.url)))


def test_a_deleted_variable_is_written_again_by_the_next_writer(system: System) -> None:
    registered = system.registered()
    system.client.delete_variable_by_name(system.variable)
    assert at_once(first_writer, [(system.server.api_url, system.variable, system.url)]) == [True]
    assert system.registered()["identity"] == registered["identity"]


def test_of_first_writers_at_once_with_different_stores_one_wins(
    system: System, tmp_path: Path
) -> None:
    variable = f"store_{uuid.uuid4().hex}"
    urls = [f"sqlite:///{tmp_path / name}.db" for name in "abcd"]
    calls = [(system.server.api_url, variable, url) for url in urls]
    won = at_once(first_writer, calls)
    found = system.client.read_variable_by_name(variable)
    assert found is not None
    assert [url for url, mine in zip(urls, won, strict=True) if mine] == [found.value["place"]]


def test_of_first_writers_at_once_with_one_store_all_go_on(system: System, tmp_path: Path) -> None:
    variable, url = f"store_{uuid.uuid4().hex}", f"sqlite:///{tmp_path / 'one.db'}"
    assert all(at_once(first_writer, [(system.server.api_url, variable, url)] * 4))


def test_while_prefect_is_away_a_store_is_used_but_none_is_made(
    system: System, tmp_path: Path
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/api"
    with temporary_settings({PREFECT_API_URL: nowhere}):
        assert open_store(system.settings())
        with pytest.raises(StoreIdentityError, match="does not answer"):
            open_store(system.settings(tmp_path / "new.db"))
    assert not (tmp_path / "new.db").exists()


def test_without_a_prefect_a_store_is_made_and_used(tmp_path: Path) -> None:
    with temporary_settings({PREFECT_API_URL: None}):
        open_store(Settings(database_url=f"sqlite:///{tmp_path / 'library.db'}"))
        open_store(Settings(database_url=f"sqlite:///{tmp_path / 'library.db'}"))


def test_a_dropped_and_recreated_database_is_refused(system: System, postgres_url: str) -> None:
    variable = f"store_{uuid.uuid4().hex}"
    settings = Settings(
        database_url=postgres_url.replace("postgresql+psycopg", "postgresql"),
        store_variable=variable,
        record_timeout_seconds=1,
    )
    engine = open_store(settings)
    found = system.client.read_variable_by_name(variable)
    assert found is not None
    assert found.value["identity"] == str(require_schema(engine))
    _drop_everything(engine)
    with pytest.raises(StoreIdentityError, match="holds no event store"):
        deliver_due(engine, settings)
    with pytest.raises(StoreIdentityError, match="restore it"):
        open_store(settings)


def _drop_everything(engine: Engine) -> None:
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")


def test_a_rule_that_looks_back_sees_no_empty_past_of_a_lost_store(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTINEL_DATABASE_URL", f"sqlite:///{tmp_path / 'lost.db'}")
    get_settings.cache_clear()
    with pytest.raises(HistoryUnavailableError, match="restore it"):
        history_of(system.rule.id).latest(5)
