"""Prefect's private code that Sentinel replaces in its own processes, one file for each place.

Nothing else changes Prefect. Each patch is checked before it is put in, and can be left out by its
name (`SENTINEL_STOCK_PREFECT`, docs/server.md).
"""
