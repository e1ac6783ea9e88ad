"""alert_event: each filter of the lists finds its events, also where two match few or none together

Who an event is assigned to, who acknowledged it and its kind get an index; the indexes of the other
filters also hold what is combined with them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_WIDER = {
    "ix_event_time": ["timestamp", "importance", "is_acknowledged", "category"],
    "ix_event_importance": ["importance", "timestamp", "category"],
    "ix_event_state": ["prefect_state", "timestamp", "importance", "category"],
}
_FIRST = ["timestamp", "importance", "category"]
_PARTIAL = {
    "ix_event_not_alert": (
        "kind <> 'alert'",
        [
            *("kind", *_FIRST, "rule_id", "ticker", "prefect_state", "resolved_at"),
            *("assigned_to", "acknowledged_by"),
        ],
    ),
    "ix_event_assigned": (
        "assigned_to IS NOT NULL",
        ["assigned_to", *_FIRST, "kind", "prefect_state"],
    ),
    "ix_event_acknowledged_by": (
        "acknowledged_by IS NOT NULL",
        ["acknowledged_by", *_FIRST, "kind", "prefect_state", "assigned_to"],
    ),
    # Made anew: without statistics, SQLite takes the newer one of two indexes that seem alike, and
    # would look for live events among all of their importance.
    "ix_event_live": ("NOT is_acknowledged", ["importance", "resolved_at", "display_until"]),
}


def upgrade() -> None:
    for name, columns in _WIDER.items():
        op.drop_index(name, "alert_event")
        op.create_index(name, "alert_event", columns)
    op.drop_index("ix_event_live", "alert_event")
    for name, (condition, columns) in _PARTIAL.items():
        where = sa.text(condition)
        op.create_index(name, "alert_event", columns, sqlite_where=where, postgresql_where=where)
