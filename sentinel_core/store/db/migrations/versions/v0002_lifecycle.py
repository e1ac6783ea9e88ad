"""the lifecycle: what a series remembers, silences, what people do with an event"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time = sa.DateTime(timezone=True)
Json = sa.JSON().with_variant(JSONB(), "postgresql")

revision = "0002"
down_revision = "0001"

EMPTY_LIST = sa.text("'[]'")
ZERO, FALSE, NOTHING = sa.text("0"), sa.false(), sa.text("''")


def upgrade() -> None:
    add = op.add_column
    add("alert_rule", sa.Column("inhibits", Json, nullable=False, server_default=EMPTY_LIST))
    add("alert_rule", sa.Column("told", Json, nullable=False, server_default=EMPTY_LIST))
    add("evaluation", sa.Column("reported", sa.Boolean(), nullable=True))
    add("evaluation", sa.Column("said", sa.Text(), nullable=True))
    add("evaluation", sa.Column("recorded_at", Time, nullable=True))
    for name in ("breaches", "oks", "tells"):
        add("alert_series", sa.Column(name, sa.Integer(), nullable=False, server_default=ZERO))
    add("alert_series", sa.Column("recent", sa.Text(), nullable=False, server_default=NOTHING))
    add("alert_series", sa.Column("flapping", sa.Boolean(), nullable=False, server_default=FALSE))
    for name in ("breached_at", "ended_at", "told_at"):
        add("alert_series", sa.Column(name, Time, nullable=True))
    for name in ("ended_importance", "untold"):
        add("alert_series", sa.Column(name, sa.String(), nullable=True))
    add("alert_event", sa.Column("acknowledged_until", Time, nullable=True))
    for name in ("assigned_to", "disposition", "resolution"):
        add("alert_event", sa.Column(name, sa.String(), nullable=True))
    add("alert_event", sa.Column("suppressed", sa.Text(), nullable=True))
    op.create_table(
        "silence",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("matchers", Json, nullable=False),
        sa.Column("recurrence", Json, nullable=True),
        sa.Column("starts_at", Time, nullable=False),
        sa.Column("ends_at", Time, nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_silence_ends", "silence", ["ends_at"])
    # An event that was open before: it has been told, and its cooldown counts from its end.
    op.execute(
        "UPDATE alert_series SET tells = 1, breaches = 1, breached_at = last_at, told_at = last_at"
        " WHERE status = 'firing'"
    )
    # Before there were conditions, what a trigger said was what counted: a rule that is given one
    # now looks back on these. A check that found no series at all had nothing to say of one.
    op.execute(
        "UPDATE evaluation SET reported = triggered WHERE kind = 'alert'"
        " AND NOT (ticker = '' AND message = 'Checked; nothing was found.')"
    )
