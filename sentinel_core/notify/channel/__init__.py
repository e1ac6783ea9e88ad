"""Sends rendered messages through Prefect's blocks; each send returns its outcome."""
