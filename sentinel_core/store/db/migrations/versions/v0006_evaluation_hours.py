"""evaluation hours: what stays of evaluations that are deleted, one row for each series and hour

By hour first: the evaluations of one run, which are deleted together, change neighbouring rows. The
index is for charts, which read one series; adding to an hour does not touch it.
"""

import sqlalchemy as sa
from alembic import op

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time = sa.DateTime(timezone=True)

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "evaluation_hour",
        sa.Column("rule_id", Id, nullable=False),
        sa.Column("hour", Time, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("ticker", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("triggered", sa.Integer(), nullable=False),
        sa.Column("ok", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("minimum", sa.Float(), nullable=True),
        sa.Column("maximum", sa.Float(), nullable=True),
        sa.Column("average", sa.Float(), nullable=True),
        sa.Column("last", sa.Float(), nullable=True),
        sa.Column("last_at", Time, nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "hour", "kind", "ticker", "metric"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_evaluation_hour_series", "evaluation_hour", ["rule_id", "kind", "ticker", "hour"]
    )
