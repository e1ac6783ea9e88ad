"""Who asks, and how often: looked at before anything else of a request is read.

Every path needs one once there is a token, but for the health; so none can be forgotten.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sentinel_core.api.rates import PER_SECOND, Rates
from sentinel_core.api.refusals import refuse, refuse_failed
from sentinel_core.api.store import Store
from sentinel_core.base.errors import SentinelError
from sentinel_core.decide.access import Refusal, refusal_of
from sentinel_core.model.token import Role
from sentinel_core.store.read.api_tokens import Found, find_token
from sentinel_core.store.record.api_tokens import digest_of

HEALTH = "/health"
READING = ("GET", "HEAD", "OPTIONS")
OPERATORS_READ = ("/configuration",)
PING = "/ping/"  # a job needs no right to change events in order to say that it ran
_LOOKUPS_AT_ONCE = 8  # threads of their own: a slow answer must not keep others from being known
_MOST_KNOWN = 1_000
_TOO_MANY = f"more than {PER_SECOND:g} requests a second: wait as long as Retry-After says"
_SENTENCES: Mapping[Refusal, str] = {
    Refusal.MISSING: "this needs a token: Authorization: Bearer TOKEN "
    "(`sentinel api token create` makes one)",
    Refusal.UNKNOWN: "there is no such token",
    Refusal.EXPIRED: "the token has expired: `sentinel api token create` makes another one",
    Refusal.REVOKED: "the token was revoked",
    Refusal.ROLE: "the token's role is read: this needs one with the role operate",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `name` is how changes are signed: no person's name can look like it by chance."""

    name: str


class Access:
    """Refuses requests that need a token and have none or a wrong one, and too many of a client."""

    def __init__(self, app: ASGIApp, store: Store, rates: Rates, *, loopback: bool) -> None:
        self._app, self._store, self._loopback = app, store, loopback
        self._limiter: CapacityLimiter | None = None
        self._rates = rates
        self._known: dict[str, None] = {}  # hashes of tokens that were right

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        reads = scope["type"] == "http" and scope["method"] in READING
        health = reads and scope["path"] == HEALTH
        secret = bearer(Headers(scope=scope))
        digest = digest_of(secret) if secret is not None else None
        if wait := self._rates.wait(self._client(scope, digest, health=health), time.monotonic()):
            headers = {"Retry-After": str(math.ceil(wait))}
            await refuse(429, "too-many", _TOO_MANY, headers, scope, receive, send)
            return
        if health:
            await self._app(scope, receive, send)
            return
        needed = _needed(scope["path"], reads=reads)
        try:
            found = await self._find(digest)
        except SentinelError as error:
            await refuse_failed(error, scope, receive, send)
            return
        why = refusal_of(
            needed,
            found.token,
            given=secret is not None,
            is_open=self._loopback and reads and not found.any,
            now=datetime.now(UTC),
        )
        self._remember(digest, known=found.token is not None and why in (None, Refusal.ROLE))
        if why is not None:
            status, headers = 401, {"WWW-Authenticate": "Bearer"}
            if why is Refusal.ROLE:
                status, headers = 403, {}
            await refuse(status, why, _SENTENCES[why], headers, scope, receive, send)
            return
        if found.token is not None:
            scope.setdefault("state", {})["caller"] = Caller(f"{found.token.name} (API token)")
        await self._app(scope, receive, send)

    def _client(self, scope: Scope, digest: str | None, *, health: bool) -> object:
        """Whose requests this one is counted with.

        A token that was right before is a client of its own; invented ones are all their sender's.
        The health too, so that nobody who asks for other things keeps a monitor from it.
        """
        if digest in self._known and not health:
            return digest
        return health, (scope.get("client") or ("",))[0]

    def _remember(self, digest: str | None, *, known: bool) -> None:
        if digest is None:
            return
        self._known.pop(digest, None)
        if known:
            self._known[digest] = None
            if len(self._known) > _MOST_KNOWN:
                del self._known[next(iter(self._known))]

    async def _find(self, digest: str | None) -> Found:
        if self._limiter is None:
            self._limiter = CapacityLimiter(_LOOKUPS_AT_ONCE)
        return await run_sync(self._look, digest, limiter=self._limiter)

    def _look(self, digest: str | None) -> Found:
        with self._store.looked() as engine:
            return find_token(engine, digest) if engine is not None else Found(None, any=False)


def _needed(path: str, *, reads: bool) -> Role:
    """The role that a request needs."""
    reads = path.startswith(PING) or (reads and path not in OPERATORS_READ)
    return Role.READ if reads else Role.OPERATE


def bearer(headers: Headers) -> str | None:
    """The secret of a request; "" for a header that holds none, None without a header."""
    given = headers.getlist("authorization")
    if not given:
        return None
    scheme, _, secret = given[0].partition(" ")
    return secret.strip() if len(given) == 1 and scheme.lower() == "bearer" else ""


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


Signed = Annotated[Caller, Depends(_caller)]
"""Whose token a change was asked for with."""
