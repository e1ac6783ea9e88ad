"""Prefect's server in several processes: what is missing is named before anything starts."""

import pytest

from sentinel_core.base.errors import SetupError
from sentinel_core.up.scaled import DATABASE, REDIS, settings_of
from tests.support.processes import free_port

POSTGRES = "postgresql+asyncpg://prefect@db/prefect"


@pytest.mark.parametrize(
    ("database", "env", "named"),
    [
        ("sqlite+aiosqlite:////prefect.db", {}, (DATABASE, REDIS)),
        ("", {REDIS: "redis://redis:6379/0"}, (DATABASE,)),
        (POSTGRES, {}, (REDIS,)),
        (POSTGRES, {REDIS: ""}, (REDIS,)),
    ],
)
def test_what_is_missing_is_named_and_nothing_else(
    database: str, env: dict[str, str], named: tuple[str, ...]
) -> None:
    with pytest.raises(SetupError) as refused:
        settings_of(3, env, database)
    assert "--server-workers 3" in str(refused.value)
    assert [name for name in (DATABASE, REDIS) if name in str(refused.value)] == list(named)


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:{port}/0",
        "redis://127.0.0.1:{port}/0?ssl_cert_reqs=none",
        "http://nowhere",
        "redis://[::1",
    ],
)
def test_a_redis_that_does_not_answer_or_is_none_is_said(url: str) -> None:
    with pytest.raises(SetupError, match=f"the Redis that {REDIS} names does not answer"):
        settings_of(2, {REDIS: url.format(port=free_port())}, POSTGRES)
