"""What a source raises when it cannot answer."""

from sentinel_core import SentinelError


class SourceError(SentinelError):
    """A source could not be read, or what it holds cannot be checked. The message says why."""


class NoDataError(SourceError):
    """A source was read, and the value asked for is not in it, or not any more."""
