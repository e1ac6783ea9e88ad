"""environment: where the subject of an event's rule runs; events before this have none

Unacknowledged events are indexed by the time until which they are shown: most of a store's events
may never be acknowledged, and the blotter looks for the few that are still due.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("alert_event", sa.Column("environment", sa.String(), nullable=True))
    waiting = sa.text("NOT is_acknowledged")
    op.create_index(
        "ix_event_due",
        "alert_event",
        ["importance", "display_until"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.drop_index("ix_event_unacknowledged", "alert_event")
