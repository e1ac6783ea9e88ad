"""Starts Prefect's server, a worker, the viewer and the HTTP API on one machine."""
