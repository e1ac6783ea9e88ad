"""notifications: recipients, groups, threads, storms; suggested actions"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time = sa.DateTime(timezone=True)
Json = sa.JSON().with_variant(JSONB(), "postgresql")

revision = "0003"
down_revision = "0002"

EMPTY, ZERO, NOTHING = sa.text("'{}'"), sa.text("0"), sa.text("''")
_NAMING = {"uq": "uq_%(table_name)s_%(column_0_name)s"}


def upgrade() -> None:
    op.add_column("alert_event", sa.Column("suggested_action", sa.Text(), nullable=True))
    _drop_old_key()
    with op.batch_alter_table("notification") as table:
        table.alter_column("event_id", existing_type=Id, nullable=True)
        for name in ("about", "recipient", "group_key"):
            table.add_column(sa.Column(name, sa.String(), nullable=False, server_default=NOTHING))
        for name in ("route", "content"):
            table.add_column(sa.Column(name, Json, nullable=False, server_default=EMPTY))
        for name in ("storm_id", "message_id"):
            table.add_column(sa.Column(name, Id, nullable=True))
        table.add_column(sa.Column("reference", sa.Text(), nullable=True))
        table.add_column(sa.Column("unknown", sa.Integer(), nullable=False, server_default=ZERO))
        for name in ("claimed_at", "settled_at"):
            table.add_column(sa.Column(name, Time, nullable=True))
    once = ["channel", "recipient", "reason"]
    columns = ["event_id", *once, "sequence"]
    op.create_index("ux_notification_event", "notification", columns, unique=True)
    _partial("ux_notification_about", "about <> ''", ["about", *once], unique=True)
    columns = ["channel", "recipient", "created_at"]
    op.create_index("ix_notification_channel", "notification", columns)
    columns = ["channel", "recipient", "group_key", "reason"]
    _partial("ix_notification_pending", "status = 'pending'", columns)
    _partial("ix_notification_failed", "status = 'failed'", ["channel", "settled_at"])
    _partial("ix_notification_sent", "sent_at IS NOT NULL", ["channel", "sent_at"])
    _partial("ix_notification_storm", "storm_id IS NOT NULL", ["storm_id"])
    op.execute("UPDATE notification SET settled_at = sent_at WHERE sent_at IS NOT NULL")
    op.create_table(
        "storm",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("threshold", sa.Integer(), nullable=False),
        sa.Column("window_seconds", sa.Float(), nullable=False),
        sa.Column("started_at", Time, nullable=False),
        sa.Column("ended_at", Time, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    _partial("ux_storm_open", "ended_at IS NULL", ["channel", "recipient"], "storm", unique=True)


def _partial(
    name: str, condition: str, columns: list[str], table: str = "notification", unique: bool = False
) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _drop_old_key() -> None:
    """The unique key of the first schema has no recipient. SQLite gave it no name."""
    connection = op.get_bind()
    name = next(
        key["name"] for key in sa.inspect(connection).get_unique_constraints("notification")
    )
    with op.batch_alter_table("notification", naming_convention=_NAMING) as table:
        table.drop_constraint(name or "uq_notification_event_id", type_="unique")
