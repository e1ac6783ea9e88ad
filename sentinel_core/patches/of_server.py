"""The patches of Prefect's server; those of SQLite change nothing on PostgreSQL."""

from sentinel_core.patches import sqlite_cursors, sqlite_turns, timezones

PATCHES = (sqlite_turns.PATCH, sqlite_cursors.PATCH, timezones.PATCH)
