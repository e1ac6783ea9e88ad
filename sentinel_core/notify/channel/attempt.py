"""One attempt to send, with a deadline: nothing is sent after the caller has given up."""

import contextlib
import threading
from collections.abc import Callable
from time import monotonic


class TooLateError(Exception):
    """The time ran out before anything was sent."""


class Attempt:
    """Shared by the thread that sends and the one that waits for it.

    If the sender begins first, the outcome of a lost answer is unknown. If the waiting thread gives
    up first, `begin` raises and nothing is ever sent.
    """

    def __init__(self, seconds: float) -> None:
        self._deadline = monotonic() + seconds
        # Waiting for an answer ends a little early, so that its error can still be reported.
        self._margin = min(0.25, seconds / 10)
        self._lock = threading.Lock()
        self.begun = False  # true once anything may have been sent
        self._over = False
        self._close: Callable[[], object] | None = None

    @property
    def left(self) -> float:
        """The seconds left to wait for a provider. Raises TooLateError if there are none."""
        left = self._deadline - self._margin - monotonic()
        if left <= 0:
            raise TooLateError
        return left

    def begin(self) -> None:
        """Called just before the message is sent. Raises TooLateError if it is too late."""
        with self._lock:
            if self._over or monotonic() >= self._deadline:
                raise TooLateError
            self.begun = True

    def at_the_end(self, close: Callable[[], object]) -> None:
        """Set the function that closes the connection on giving up."""
        with self._lock:
            self._close = close

    def give_up(self) -> bool:
        """Send nothing more; returns True if something may have been sent."""
        with self._lock:
            self._over = True
            begun, close = self.begun, self._close
        if close is not None:
            with contextlib.suppress(Exception):  # it may be closed already
                close()
        return begun
