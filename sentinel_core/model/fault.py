"""Kinds of faults that say what to do next, whoever meets them. Pure data."""

from enum import StrEnum

REFUSALS = (401, 403)
"""HTTP statuses that other credentials, or another way, may change."""


class Fault(StrEnum):
    """Why something could not be read or done."""

    TIMEOUT = "timeout"
    REFUSED = "refused"
    CONNECTION = "connection"

    @property
    def next_step(self) -> str:
        """The suggestion for whoever looks after the event."""
        return _NEXT_STEPS[self]


_NEXT_STEPS = {
    Fault.TIMEOUT: "Raise the timeout, or check whether the site or the database is slow.",
    Fault.REFUSED: "Check the credentials, or use a proxy: access was refused.",
    Fault.CONNECTION: "Check the network on the way to the source.",
}
