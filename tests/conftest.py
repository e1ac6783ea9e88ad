"""Fixtures every test may use. Servers are real; each runs once, for all processes of a run."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sqlalchemy import Engine
from xdist.remote import Producer

from sentinel_core.base.settings import get_settings
from sentinel_core.store.db.engine import open_engine
from tests.support.patience import PATIENCE, patient
from tests.support.prefect import PrefectServer
from tests.support.processes import ROOT
from tests.support.shared import Shared
from tests.support.spread import Spread, first
from tests.support.stores import (
    StoreDatabase,
    copy_sqlite,
    postgres_database,
    share_dialect,
    variable_for,
)

# The same examples each time: a suite that fails only now and then is not believed. With
# HYPOTHESIS_PROFILE=search it looks for new ones.
hypothesis.settings.register_profile("suite", derandomize=True, deadline=None)
hypothesis.settings.register_profile("search", deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

# Programs that tests start are to import this checkout, whichever one is installed.
os.environ["PYTHONPATH"] = str(ROOT)

# Rules read files of the project folder alone; those of tests are where tests may write.
os.environ["SENTINEL_SOURCE_ROOTS"] = tempfile.gettempdir()

_SHARED = pytest.StashKey[Shared]()

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So it is where a script runs the tests in the background; the programs that are started here
    # would inherit it, and Prefect's worker stops by sending itself that signal.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """The process that controls the run makes the folder in which all of them meet.

    Many short runs may share one, which belongs to whoever set the variable (scripts/mutation).
    """
    given = os.environ.get("SENTINEL_TEST_SHARED")
    given = getattr(config, "workerinput", {}).get("shared", given)
    config.stash[_SHARED] = Shared(Path(given)) if given else Shared.new()
    if not given and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _end)  # what was started must not stay behind


def _end(_sign: int, _frame: object) -> None:
    raise KeyboardInterrupt


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Each further process is told where that is."""
    node.workerinput["shared"] = str(node.config.stash[_SHARED].folder)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Note how the run ended, for scripts/again: only a run that came to its end counts."""
    cache = getattr(session.config, "cache", None)  # none with -p no:cacheprovider
    if not hasattr(session.config, "workerinput") and cache:
        cache.set("sentinel/ended", int(exitstatus))


def pytest_unconfigure(config: pytest.Config) -> None:
    """What was started for all ends with the process that controls the run."""
    given = hasattr(config, "workerinput") or "SENTINEL_TEST_SHARED" in os.environ
    if not given and (shared := config.stash.get(_SHARED, None)):
        shared.end()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Spread:
    """Tests that share fixtures go to one process, and nothing long is left for the end."""
    return Spread(config, log)


# tryfirst: before `-m` chooses among the marks.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs servers; give a slow machine longer for each test, too."""
    items.sort(key=first, reverse=True)
    for item in items:
        kind = getattr(item, "callspec", None)
        asked = {*getattr(item, "fixturenames", ())} & {"server", "postgres_url"}
        variants = [*kind.params.values()] if kind else []
        if asked or "postgres" in variants:
            item.add_marker("servers")
        _mark_slow(item, variants)
        if PATIENCE != 1:
            marker = item.get_closest_marker("timeout")
            seconds = marker.args[0] if marker else float(config.getini("timeout"))
            item.add_marker(pytest.mark.timeout(patient(seconds)), append=False)


def _mark_slow(item: pytest.Item, variants: list[object]) -> None:
    """Slow are tests so marked (some in one variant only), and all under Prefect's own worker."""
    slow = item.get_closest_marker("slow")
    names = item.name.removesuffix("]").partition("[")[2].split("-")
    if slow and slow.args and not {*slow.args} & {*names}:
        item.own_markers.remove(slow)
    elif "integration/worker" in item.path.as_posix() and "process" in variants:
        item.add_marker("slow")


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No test ever sees the event store of whoever runs it: its settings name this file."""
    file = tmp_path / "sentinel.db"
    url = f"sqlite:///{file}"
    monkeypatch.setenv("SENTINEL_DATABASE_URL", url)
    monkeypatch.setenv("SENTINEL_STORE_VARIABLE", variable_for(url))
    get_settings.cache_clear()
    yield file
    get_settings.cache_clear()


@pytest.fixture(autouse=True)
def _own_path() -> Iterator[None]:
    """A rule file's folder of flows goes first on the path; no other test is to import from it."""
    before = sys.path.copy()
    yield
    sys.path[:] = before


@pytest.fixture(scope="session")
def shared(pytestconfig: pytest.Config) -> Shared:
    """What all processes of this run have in common."""
    return pytestconfig.stash[_SHARED]


@pytest.fixture(scope="session")
def store_database(shared: Shared) -> Iterator[StoreDatabase]:
    """The PostgreSQL database that the tests of this process have one after the other."""
    database = StoreDatabase(shared)
    yield database
    database.end()


@pytest.fixture
def postgres_url(
    shared: Shared, store_database: StoreDatabase, request: pytest.FixtureRequest
) -> Iterator[str]:
    """A PostgreSQL database; empty, unless the test works with `engine`."""
    own = store_database.lent() if "engine" in request.fixturenames else None
    with own or postgres_database(shared.postgres()) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path, shared: Shared) -> str:
    """A database of each kind, as `postgres_url`: a test that asks for it runs twice."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    file = tmp_path / "contract.db"
    if "engine" in request.fixturenames:
        copy_sqlite(shared, file)
    return f"sqlite:///{file}"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine over an event store with its tables, of each kind."""
    engine = share_dialect(open_engine(database_url, pooled=True))
    yield engine
    engine.dispose()


@pytest.fixture
def store(_own_store: Path, shared: Shared) -> Iterator[Engine]:
    """The store that this process's settings name, where the kind of database does not matter."""
    copy_sqlite(shared, _own_store)
    engine = share_dialect(open_engine(f"sqlite:///{_own_store}", pooled=True))
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def server(shared: Shared) -> Iterator[PrefectServer]:
    """One real Prefect server."""
    yield from _server(shared, "prefect")


@pytest.fixture(scope="session")
def reconciling_server(shared: Shared) -> Iterator[PrefectServer]:
    """Another one, for tests that reconcile: they record and notify of the rules of all others."""
    yield from _server(shared, "reconciling")


def _server(shared: Shared, name: str) -> Iterator[PrefectServer]:
    """The server of this name; one of this run alone where many runs share the rest and say so."""
    if os.environ.get("SENTINEL_TEST_SERVER") != "each":
        yield shared.prefect(name)
        return
    with shared.prefect_of_one_run(name) as server:
        yield server
