"""Starts Prefect's server, a worker and the viewer on one machine."""
