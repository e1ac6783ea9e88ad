"""What the tests of whole systems share."""

import pytest

from tests.support.prefect import PrefectServer
from tests.support.shared import Shared


@pytest.fixture(scope="session")
def server(shared: Shared) -> PrefectServer:
    """A Prefect server of their own: a system that is up reconciles every rule of its server, and
    would notify of those of other tests."""
    return shared.prefect("systems")
