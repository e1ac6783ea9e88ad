"""What the tests of the installed package share."""

from pathlib import Path

import pytest

from tests.support.installed import Installed, install
from tests.support.prefect import PrefectServer
from tests.support.shared import Shared


@pytest.fixture(scope="session")
def installed(shared: Shared) -> Installed:
    """The wheel in an environment of its own; built once."""

    def make() -> str:
        folder = shared.folder / "installed"
        folder.mkdir()
        return str(install(folder).folder)

    return Installed(Path(str(shared.once("installed", make))))


@pytest.fixture(scope="session")
def server(shared: Shared) -> PrefectServer:
    """A Prefect server of their own: their projects reconcile every rule of it."""
    return shared.prefect("acceptance")
