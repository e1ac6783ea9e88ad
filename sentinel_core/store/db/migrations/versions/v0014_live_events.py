"""ix_event_live: what the blotter shows as live is found among all that nobody acknowledged

A resolved event leaves the live list, so its end is in the index, which replaces ix_event_due.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    waiting = sa.text("NOT is_acknowledged")
    op.create_index(
        "ix_event_live",
        "alert_event",
        ["importance", "resolved_at", "display_until"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.drop_index("ix_event_due", "alert_event")
