"""The HTTP API on a real port, for all of its tests."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import Engine

from sentinel_core.model.token import Role
from sentinel_core.store.record.api_tokens import create
from tests.integration.api.support import api_port


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with api_port() as port:
        yield port


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
