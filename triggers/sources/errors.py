"""Errors of sources."""

from sentinel_core import SentinelError
from sentinel_core.model.fault import Fault


class SourceError(SentinelError):
    """A source could not be read, or what it holds cannot be checked. The message says why.

    `code` is the kind of fault, None for all that has no advice of its own.
    """

    def __init__(self, message: str = "", *, code: Fault | None = None) -> None:
        super().__init__(message)
        self.code = code

    @property
    def next_step(self) -> str:
        """The suggestion for people; "" where the kind of fault has none."""
        return self.code.next_step if self.code is not None else ""


class NoDataError(SourceError):
    """A source was read, but does not hold the value asked for."""


class AccessError(SourceError):
    """Rules may not read this here. The message names the setting that says so."""
