"""What Prefect's server needs to run in several processes, and its settings. Starts nothing."""

import importlib.util
from collections.abc import Mapping

from sentinel_core.base.errors import SetupError
from sentinel_core.up.prefect_blocks import REGISTER_ON_START

DATABASE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
REDIS = "PREFECT_REDIS_MESSAGING_URL"
_SETTINGS = {
    # What one process keeps in memory or in files, all of them share in Redis.
    "PREFECT_SERVER_EVENTS_MESSAGING_BROKER": "prefect_redis.messaging",
    "PREFECT_SERVER_EVENTS_MESSAGING_CACHE": "prefect_redis.messaging",
    "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
    REGISTER_ON_START: "false",
}
_CONNECT_SECONDS = 5


def settings_of(workers: int, env: Mapping[str, str], database: str) -> dict[str, str]:
    """The settings of a server in so many processes, where `env` has none.

    `database` is the one that Prefect's settings name. Raises SetupError if it is not PostgreSQL,
    no Redis is named or answers, or prefect-redis is missing.
    """
    missing = []
    if not database.startswith("postgresql"):
        missing.append(f"{DATABASE}=postgresql+asyncpg://user:password@host/database")
    redis = env.get(REDIS, "")
    if not redis:
        missing.append(f"{REDIS}=redis://host:6379/0")
    if missing:
        raise SetupError(
            f"--server-workers {workers} needs PostgreSQL and Redis, which the processes share: "
            f"set {' and '.join(missing)}"
        )
    if importlib.util.find_spec("prefect_redis") is None:
        raise SetupError(
            f"--server-workers {workers} needs prefect-redis: pip install 'prefect-sentinel[scale]'"
        )
    _ask(redis)
    wanted = {**_SETTINGS, "PREFECT_SERVER_DOCKET_URL": redis}
    return {name: value for name, value in wanted.items() if name not in env}


def _ask(url: str) -> None:
    from redis import Redis
    from redis.exceptions import RedisError

    try:
        with Redis.from_url(url, socket_connect_timeout=_CONNECT_SECONDS) as redis:
            redis.ping()
    except (RedisError, ValueError, TypeError) as error:  # TypeError: an option that is none
        raise SetupError(f"the Redis that {REDIS} names does not answer: {error}") from error
