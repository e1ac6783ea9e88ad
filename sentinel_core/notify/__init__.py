"""Sends what the outbox holds, and announces each change of an event as a Prefect event."""
