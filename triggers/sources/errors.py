"""Errors of sources."""

from sentinel_core import SentinelError


class SourceError(SentinelError):
    """A source could not be read, or what it holds cannot be checked. The message says why."""


class NoDataError(SourceError):
    """A source was read, but does not hold the value asked for."""


class AccessError(SourceError):
    """Rules may not read this here. The message names the setting that says so."""
