"""Answers 404 for addresses that no page has; Streamlit itself answers each with its own page."""

from html import escape

from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from viewer.places import PLACES, PRODUCT, root

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Page not found · {product}</title>
<meta name="viewport" content="width=device-width">
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto;
  padding: 0 1rem }}
</style></head><body>
<h1>Page not found</h1>
<p>{product} has no page at this address.</p>
<p>{links}</p>
</body></html>"""
_STREAMLITS_OWN = ("_stcore/", "component/", "media/", "static/")


class Unknown:
    """Replaces the page that Streamlit answers for an unknown address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] != "http" or is_known(scope["path"], root()):
            await self._app(scope, receive, send)
            return
        replaced = False

        async def send_or_replace(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and _is_page(message):
                replaced = True
                await not_found(root())(scope, receive, send)
            elif not replaced:
                await send(message)

        await self._app(scope, receive, send_or_replace)


def is_known(path: str, base: str) -> bool:
    """True for the addresses of pages, and for everything that is Streamlit's own."""
    below = path.removeprefix(base).strip("/")
    if not path.startswith(base):
        return False
    return any(below == place.address for place in PLACES) or below.startswith(_STREAMLITS_OWN)


def not_found(base: str) -> HTMLResponse:
    """The answer for an unknown address: what is wrong, and links to the pages."""
    links = " · ".join(
        f'<a href="{escape(base)}/{place.address}">{place.title}</a>' for place in PLACES
    )
    return HTMLResponse(_PAGE.format(product=PRODUCT, links=links), status_code=404)


def _is_page(start: Message) -> bool:
    """True for a successful answer in HTML: Streamlit's page, which it gives for any address."""
    kind = dict(start["headers"]).get(b"content-type", b"")
    return bool(start["status"] == 200 and kind.startswith(b"text/html"))  # noqa: PLR2004 (OK)
