"""The HTTP API on a real port, for all of its tests."""

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest
import uvicorn
from sqlalchemy import Engine

from sentinel_core.api.app import create_app
from sentinel_core.model.token import Role
from sentinel_core.store.record.api_tokens import create
from tests.support.processes import wait_for


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(create_app(), log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        wait_for(lambda: server.started, what="the API")
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(30)


@pytest.fixture
def http(port: int, store: Engine) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        yield client


Bearer = Callable[[str], dict[str, str]]


@pytest.fixture
def bearer(store: Engine) -> Bearer:
    """The header of a new token with a role, which the token is also named after."""

    def made(role: str) -> dict[str, str]:
        now = datetime.now(UTC)
        _, secret = create(store, role, Role(role), expires_at=None, by="ana", now=now)
        return {"Authorization": f"Bearer {secret}"}

    return made
