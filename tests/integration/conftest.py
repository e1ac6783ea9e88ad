"""What tests with a real Prefect server share."""

from collections.abc import Iterator

import pytest
from prefect.client.orchestration import SyncPrefectClient

from tests.support.channels import talking_to
from tests.support.endpoint import Endpoint, http_endpoint
from tests.support.prefect import PrefectServer, client_of


@pytest.fixture
def client(server: PrefectServer) -> Iterator[SyncPrefectClient]:
    """A client of the server, to which this process talks meanwhile."""
    with client_of(server) as client:
        yield client


@pytest.fixture
def sends(server: PrefectServer) -> Iterator[None]:
    """This process sends messages through channels that are saved on the server."""
    with talking_to(server.api_url):
        yield


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """A real HTTP endpoint that stands where a provider stands."""
    with http_endpoint() as running:
        yield running
