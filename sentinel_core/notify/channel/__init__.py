"""Sends rendered messages through Prefect's blocks; each send returns its outcome."""

from sentinel_core.notify.channel.medium import medium_of
from sentinel_core.notify.channel.outcome import Address, Delivery, Outcome, Signal
from sentinel_core.notify.channel.send import send

__all__ = ["Address", "Delivery", "Outcome", "Signal", "medium_of", "send"]
