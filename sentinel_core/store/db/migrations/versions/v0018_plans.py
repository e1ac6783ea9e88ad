"""alert_event: both databases choose the index that finds the fewest events

PostgreSQL does not know how few of the critical events wait. Of two indexes it took the one over
the times of all events, as that one alone held every column; ix_event_live now holds them, too.

SQLite knows nothing of a table until somebody has it analysed, which takes the write lock for a
second for each million events. Until then it takes equal values to be ten of each, and read all
events of an importance to find those of one rule. It is given the numbers of a large store, so its
plans are the same everywhere; whoever runs ANALYZE replaces them by those of his own store.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

# Rows of the index, then how many of them are alike in its first columns. One that begins with a
# name (noskipscan) is not walked for all names there may be: there may be many.
_TYPICAL = {
    "ix_event_time": "1000000 1 1 1 1",
    "ix_event_importance": "1000000 250000 1 1",
    "ix_event_live": "300000 100000 1 1 1 1",
    "ix_event_state": "1000000 500000 1 1 1",
    "ix_event_not_alert": "20000 20000 1 1 1 1 1 1 1 1 1",
    "ix_event_assigned": "30000 15000 1 1 1 1 1 noskipscan",
    "ix_event_acknowledged_by": "700000 35000 1 1 1 1 1 1 noskipscan",
    "ix_event_ticker": "1000000 2000 1 noskipscan",
    "ix_event_rule": "1000000 1400 1 noskipscan",
    "ux_event_unresolved": "300 1 1 1",
}


def upgrade() -> None:
    op.drop_index("ix_event_live", "alert_event")
    where = sa.text("NOT is_acknowledged")
    columns = ["importance", "resolved_at", "display_until", "timestamp", "id"]
    op.create_index(
        "ix_event_live", "alert_event", columns, sqlite_where=where, postgresql_where=where
    )
    if op.get_bind().dialect.name == "sqlite":
        _tell_sqlite()
    else:
        # By default a fifth of all events is new before PostgreSQL notes which pages everybody
        # sees, and until then its indexes alone answer no question about the newest.
        op.execute("ALTER TABLE alert_event SET (autovacuum_vacuum_insert_scale_factor = 0.02)")


def _tell_sqlite() -> None:
    connection = op.get_bind()
    op.execute("ANALYZE sqlite_master")  # makes the table of statistics, if there is none
    connection.execute(sa.text("DELETE FROM sqlite_stat1 WHERE tbl = 'alert_event'"))
    connection.execute(
        sa.text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('alert_event', :idx, :stat)"),
        [{"idx": index, "stat": numbers} for index, numbers in _TYPICAL.items()],
    )
    op.execute("ANALYZE sqlite_master")  # this connection reads them
