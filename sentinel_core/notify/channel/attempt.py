"""One try to send, with a deadline: nothing leaves after somebody has given up on it."""

import contextlib
import threading
from collections.abc import Callable
from time import monotonic


class TooLateError(Exception):
    """There was no time left before anything was sent."""


class Attempt:
    """Shared by the thread that sends and the one that waits for it.

    Either the sender begins first, then the outcome of a lost answer is unknown; or the waiting
    one gives up first, then `begin` raises and nothing is sent, ever.
    """

    def __init__(self, seconds: float) -> None:
        self._deadline = monotonic() + seconds
        # Waiting for an answer ends a little early, so that what was waited for can still be told.
        self._margin = min(0.25, seconds / 10)
        self._lock = threading.Lock()
        self._begun = False
        self._over = False
        self._close: Callable[[], object] | None = None

    @property
    def left(self) -> float:
        """The seconds left to wait for a provider. Raises TooLateError when there are none."""
        left = self._deadline - self._margin - monotonic()
        if left <= 0:
            raise TooLateError
        return left

    @property
    def begun(self) -> bool:
        """Has anything left?"""
        return self._begun

    def begin(self) -> None:
        """Called just before the message leaves. Raises TooLateError when it must not any more."""
        with self._lock:
            if self._over or monotonic() >= self._deadline:
                raise TooLateError
            self._begun = True

    def at_the_end(self, close: Callable[[], object]) -> None:
        """What ends a connection that somebody has given up on: it might never end by itself."""
        with self._lock:
            self._close = close

    def give_up(self) -> bool:
        """Nothing more is to be sent; returns whether something may have been."""
        with self._lock:
            self._over = True
            begun, close = self._begun, self._close
        if close is not None:
            with contextlib.suppress(Exception):  # it may have ended at this very moment
                close()
        return begun
