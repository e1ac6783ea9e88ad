"""Who asks: the token of each request, before anything else of it is read.

Every path needs one once there is a token, but for the health; so none can be forgotten.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sentinel_core.api.errors import refuse, refuse_failed
from sentinel_core.api.store import Store
from sentinel_core.base.errors import SentinelError
from sentinel_core.decide.access import Refusal, refusal_of
from sentinel_core.model.token import Role
from sentinel_core.store.read.api_tokens import Found, find_token
from sentinel_core.store.record.api_tokens import digest_of

HEALTH = "/health"
READING = ("GET", "HEAD", "OPTIONS")
OPERATORS_READ = ("/configuration",)
_LOOKUPS_AT_ONCE = 8  # threads of their own: a slow answer must not keep others from being known
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
    """Refuses requests that need a token and have none, or a wrong one."""

    def __init__(self, app: ASGIApp, store: Store, *, loopback: bool) -> None:
        self._app, self._store, self._loopback = app, store, loopback
        self._limiter: CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        reads = scope["type"] == "http" and scope["method"] in READING
        if scope["type"] == "lifespan" or (reads and scope["path"] == HEALTH):
            await self._app(scope, receive, send)
            return
        needed = Role.READ if reads and scope["path"] not in OPERATORS_READ else Role.OPERATE
        secret = bearer(Headers(scope=scope))
        try:
            found = await self._find(secret)
        except SentinelError as error:
            await refuse_failed(error, scope, receive, send)
            return
        why = refusal_of(
            needed,
            found.token,
            given=secret is not None,
            is_open=self._loopback and not found.any,
            now=datetime.now(UTC),
        )
        if why is not None:
            status, headers = 401, {"WWW-Authenticate": "Bearer"}
            if why is Refusal.ROLE:
                status, headers = 403, {}
            await refuse(status, why, _SENTENCES[why], headers, scope, receive, send)
            return
        if found.token is not None:
            scope.setdefault("state", {})["caller"] = Caller(f"{found.token.name} (API token)")
        await self._app(scope, receive, send)

    async def _find(self, secret: str | None) -> Found:
        if self._limiter is None:
            self._limiter = CapacityLimiter(_LOOKUPS_AT_ONCE)
        digest = digest_of(secret) if secret is not None else None
        return await run_sync(self._look, digest, limiter=self._limiter)

    def _look(self, digest: str | None) -> Found:
        with self._store.looked() as engine:
            return find_token(engine, digest) if engine is not None else Found(None, any=False)


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
