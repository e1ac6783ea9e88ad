"""What browsers may do with the blotter: no page of another origin frames it or opens its socket.

Everything that the page shows goes over its WebSocket. Streamlit itself lets any site of this
machine open it, whatever the port, and any name that leads here.
"""

import logging
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config

from sentinel_core.base.settings import get_settings

_PORTS = {"http": 80, "https": 443}
_POLICY = "; ".join(
    (
        "default-src 'self'",
        # Streamlit's page has scripts and styles in it, and its charts compile expressions.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # addresses hold what people filter by
}

logger = logging.getLogger(__name__)


class Protection:
    """Adds headers to each answer, and refuses WebSockets that pages of other origins open."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] == "websocket" and not self._is_own(scope):
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "websocket":
            scope = _as_opened(scope)

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, send_protected)

    @staticmethod
    def _is_own(scope: Scope) -> bool:
        """True for a page of the blotter, and for a program, which names no origin."""
        named = Headers(scope=scope).get("origin")
        host, port = scope.get("server") or ("", None)
        scheme = "https" if scope.get("scheme") in ("wss", "https") else "http"
        served = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        further = config.get_option("server.corsAllowedOrigins") or []
        if named is None or is_own(named, [served, get_settings().viewer_url, *further]):
            return True
        logger.warning(
            "A page of %.200r asked for the blotter's data and was refused. If people open the "
            "blotter there, set SENTINEL_VIEWER_URL to that address",
            named,
        )
        return False


def _as_opened(scope: Scope) -> Scope:
    """The socket with the host by which its page was opened, which a proxy may have replaced.

    To compare the two Streamlit would ask a service on the internet for this machine's address.
    """
    headers = MutableHeaders(raw=list(scope["headers"]))
    if named := headers.get("origin"):
        headers["host"] = urlsplit(named).netloc
    return {**scope, "headers": headers.raw}


def is_own(origin: str, addresses: Iterable[str]) -> bool:
    """True if `origin` is that of one of these addresses. The names of loopback are the same."""
    wanted = _origin(origin)
    return wanted is not None and any(wanted == _origin(address) for address in addresses)


def _origin(address: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None for what is no address, such as the origin `null`."""
    try:
        parts = urlsplit(address)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    host = parts.hostname
    if not host:
        return None
    return parts.scheme, "localhost" if _is_loopback(host) else host, port


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
