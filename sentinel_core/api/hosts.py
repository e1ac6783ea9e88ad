"""The host names that the API answers to.

A page in a browser may have its own name lead to this machine (DNS rebinding) and would then read
answers as its own: so unknown names are refused. An IP address written out leads nowhere else.
"""

import re
from collections.abc import Sequence
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

OWN = ("127.0.0.1", "localhost")
# Prometheus and probes ask a pod by its address.
FOR_MONITORS = ("/health", "/metrics")
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?", re.ASCII)


class Hosts(TrustedHostMiddleware):
    """Refuses requests under other names than OWN and the given ones, with 400 in plain text.

    With `addresses`, any IP address will do for what monitors ask.
    """

    def __init__(self, app: ASGIApp, names: Sequence[str], *, addresses: bool) -> None:
        super().__init__(app, allowed_hosts=[*OWN, *names])
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer to a request."""
        if (
            self._addresses
            and scope["type"] == "http"
            and scope["path"] in FOR_MONITORS
            and is_address(Headers(scope=scope).get("host", ""))
        ):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def is_address(host: str) -> bool:
    """True if the header Host is an IP address, with or without a port, and no name."""
    if (found := _ADDRESS.fullmatch(host)) is None:
        return False
    in_brackets, plain = found.groups()
    try:
        return ip_address(in_brackets or plain).version == (6 if in_brackets else 4)
    except ValueError:
        return False
