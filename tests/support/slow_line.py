"""A network that holds up what a server says."""

from playwright.sync_api import Page, WebSocketRoute


class SlowLine:
    """What the server sends to a page, which the page hears when it is let through."""

    def __init__(self, page: Page) -> None:
        self.held: list[str | bytes] | None = None
        page.route_web_socket("**/_stcore/stream", self._route)

    def _route(self, socket: WebSocketRoute) -> None:
        def passed(message: str | bytes) -> None:
            if self.held is None:
                socket.send(message)
            else:
                self.held.append(message)

        self._send = socket.send
        socket.connect_to_server().on_message(passed)

    def hold(self) -> None:
        """Hold what comes from now on."""
        self.held = []

    def let_through(self, *, hold: bool = True) -> None:
        """Send what was held, and go on holding what comes, or not."""
        waiting, self.held = self.held or [], [] if hold else None
        for message in waiting:
            self._send(message)
