"""The server of the tests' own flows."""

from collections.abc import Iterator

import pytest

from tests.support.prefect import PrefectServer, connected_to


@pytest.fixture
def on_server(server: PrefectServer) -> Iterator[None]:
    """Flows that run in this process do so on the shared server."""
    with connected_to(server.api_url):
        yield
