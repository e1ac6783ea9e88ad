"""The server of the tests' own flows."""

from collections.abc import Iterator

import pytest
from prefect.client.orchestration import SyncPrefectClient

from tests.support.prefect import PrefectServer, client_of, connected_to


@pytest.fixture
def on_server(server: PrefectServer) -> Iterator[None]:
    """Flows that run in this process do so on the shared server."""
    with connected_to(server.api_url):
        yield


@pytest.fixture
def client(reconciling_server: PrefectServer) -> Iterator[SyncPrefectClient]:
    """A client of the server on which reconcile is tested."""
    with client_of(reconciling_server) as client:
        yield client
