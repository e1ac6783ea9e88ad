"""The application: its routes. Every answer that is no success has one form, `errors.py`'s."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import FastAPI, Query, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import Engine
from starlette.middleware.trustedhost import TrustedHostMiddleware

from sentinel_core.api.errors import ApiError, handle_errors
from sentinel_core.api.events import EventQuery, written
from sentinel_core.api.metrics import exposition
from sentinel_core.base.errors import StoreUnavailableError
from sentinel_core.base.settings import get_settings
from sentinel_core.flow import opening
from sentinel_core.health.finding import State
from sentinel_core.health.score import WEIGHTS
from sentinel_core.health.status import Status, status
from sentinel_core.store.db.engine import masked
from sentinel_core.store.db.failure import explained
from sentinel_core.store.read import event_list
from sentinel_core.store.state.rules import all_rules

HOSTS = ("127.0.0.1", "localhost")  # a page elsewhere can't reach it by a name of its own
REMEMBERED_SECONDS = 5.0  # a status, so that monitors that ask often keep nothing busy
_RULE = (
    "name",
    "category",
    "importance",
    "description",
    "trigger",
    "tags",
    "is_active",
    "cron",
    "interval_seconds",
    "timezone",
    "last_evaluated_at",
    "last_prefect_state",
    "last_prefect_sync",
)


class _Health:
    """The newest status; one request looks, those beside it wait for what it finds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: tuple[float, Status] | None = None

    def now(self) -> Status:
        with self._lock:
            if self._found is None or time.monotonic() - self._found[0] > REMEMBERED_SECONDS:
                found = status()
                self._found = (time.monotonic(), found)
            return self._found[1]


@contextmanager
def _store() -> Iterator[Engine]:
    """The event store, for one request. Raises StoreUnavailableError where there is none."""
    url = get_settings().database_url
    with explained(url):
        engine, _ = opening.look(url)
        if engine is None:
            raise StoreUnavailableError(
                f"there is no event store at {masked(url)} yet: `sentinel db upgrade` creates it"
            )
        try:
            yield engine
        finally:
            engine.dispose()


def create_app() -> FastAPI:
    """The application. Its description is at /openapi.json; no page loads anything from outside."""
    app = FastAPI(title="Sentinel", docs_url=None, redoc_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS))
    handle_errors(app)
    _add_health(app, _Health())
    _add_record(app)
    return app


def _add_health(app: FastAPI, health: _Health) -> None:
    @app.head("/health", include_in_schema=False)  # what many monitors ask
    @app.get("/health")
    def read_health(response: Response, component: str | None = None) -> dict[str, Any]:
        """The state of the whole or of one component; 503 when it is down or was not checked."""
        found = health.now()
        if component is not None and component not in WEIGHTS:
            raise ApiError(
                404,
                "no-such-component",
                f"there is no such component: name one of {', '.join(WEIGHTS)}",
            )
        state = found.state if component is None else found.component(component).state
        if state in (State.DOWN, State.UNKNOWN):
            response.status_code = 503
        if component is not None:
            return found.component(component).model_dump(mode="json")
        return {"state": state, "score": found.score, "at": found.at}

    @app.get("/status")
    def read_status() -> Status:
        """Everything that `sentinel status --json` prints."""
        return health.now()

    @app.get("/metrics")
    def read_metrics() -> Response:
        """The same figures for Prometheus."""
        return Response(exposition(health.now()), media_type=CONTENT_TYPE_LATEST)


def _add_record(app: FastAPI) -> None:
    @app.get("/events")
    def read_events(query: Annotated[EventQuery, Query()]) -> dict[str, Any]:
        """Events, the newest first; `next` is the cursor of the next page."""
        with _store() as engine:
            page = event_list.page(
                engine,
                query.wanted(),
                now=datetime.now(UTC),
                size=query.size,
                sort=query.sort,
                descending=query.descending,
                after=query.after(),
            )
        return {"events": page.rows, "next": written(page.following) if page.following else None}

    @app.get("/rules")
    def read_rules() -> dict[str, Any]:
        """The rules as Prefect last described them, with their newest evaluation."""
        with _store() as engine:
            return {"rules": [{name: row[name] for name in _RULE} for row in all_rules(engine)]}
