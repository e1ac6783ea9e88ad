"""The patches of Prefect's server on SQLite; on PostgreSQL they change nothing."""

from sentinel_core.patches import sqlite_cursors, sqlite_turns

PATCHES = (sqlite_turns.PATCH, sqlite_cursors.PATCH)
