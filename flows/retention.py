"""The old place of a housekeeping flow, for deployments that name it."""

from sentinel_core.flow.scheduled import retention

__all__ = ["retention"]
