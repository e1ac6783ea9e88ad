"""The application: its routes. Every answer that is no success has one form, `errors.py`'s."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import FastAPI, Query, Response, Security
from fastapi.security import HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST

from sentinel_core.api.access import Access
from sentinel_core.api.bodies import BodyLimit
from sentinel_core.api.configuration import configuration
from sentinel_core.api.errors import ApiError, handle_errors
from sentinel_core.api.event_changes import event_changes
from sentinel_core.api.events import EventQuery, written
from sentinel_core.api.hosts import Hosts
from sentinel_core.api.metrics import exposition
from sentinel_core.api.pings import pings
from sentinel_core.api.rates import Rates
from sentinel_core.api.rules import rules
from sentinel_core.api.runs import runs
from sentinel_core.api.store import Store
from sentinel_core.api.stream import Streams, stream
from sentinel_core.health.finding import State
from sentinel_core.health.score import WEIGHTS
from sentinel_core.health.status import Status, status
from sentinel_core.store.read import event_list

REMEMBERED_SECONDS = 5.0  # a status, so that monitors that ask often keep nothing busy
_TOKENS = "Needed once `sentinel api token create` has made one; for changes always."


class _Health:
    """The newest status; one request looks, and those beside it wait without a thread."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._found: tuple[float, Status] | None = None

    async def now(self) -> Status:
        async with self._lock:
            if self._found is None or time.monotonic() - self._found[0] > REMEMBERED_SECONDS:
                found = await run_sync(status)
                self._found = (time.monotonic(), found)
            return self._found[1]


def create_app(
    names: Sequence[str] = (), *, loopback: bool = True, rates: Rates | None = None
) -> FastAPI:
    """The application, which answers to these host names as well as to this machine's own.

    Where it does not listen on `loopback` alone, all but /health needs a token, and monitors may
    ask by an IP address.
    Its description is at /openapi.json; no page loads anything from outside.
    """
    store = Store()
    streams = Streams(store)

    @asynccontextmanager
    async def closing(_app: FastAPI) -> AsyncIterator[None]:
        yield
        streams.stop()
        store.close()

    app = FastAPI(
        title="Sentinel",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=closing,
        dependencies=[Security(HTTPBearer(auto_error=False, description=_TOKENS))],
    )
    app.state.streams = streams  # the server ends them before it waits for its requests
    handle_errors(app)
    _add_health(app, _Health())
    _add_record(app, store)
    app.include_router(event_changes(store))
    for router in (rules(store), runs(store), configuration, stream(streams), pings(store)):
        app.include_router(router)
    # The last one comes first.
    app.add_middleware(BodyLimit)
    app.add_middleware(Access, store=store, loopback=loopback, rates=rates or Rates())
    app.add_middleware(Hosts, names=names, addresses=not loopback)
    return app


def _add_health(app: FastAPI, health: _Health) -> None:
    @app.head("/health", include_in_schema=False)  # what many monitors ask
    @app.get("/health")
    async def read_health(response: Response, component: str | None = None) -> dict[str, Any]:
        """The state of the whole or of one component; 503 when it is down or was not checked."""
        found = await health.now()
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
    async def read_status() -> Status:
        """Everything that `sentinel status --json` prints."""
        return await health.now()

    @app.get("/metrics")
    async def read_metrics() -> Response:
        """The same figures for Prometheus."""
        return Response(exposition(await health.now()), media_type=CONTENT_TYPE_LATEST)


def _add_record(app: FastAPI, store: Store) -> None:
    @app.get("/events")
    def read_events(query: Annotated[EventQuery, Query()]) -> dict[str, Any]:
        """Events, the newest first; `next` is the cursor of the next page."""
        with store.opened() as engine:
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
