"""Notifications: enqueued, grouped, claimed and settled; storms; the health of channels."""
