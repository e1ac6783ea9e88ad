"""reactions: what is started about an event, recorded with it and started afterwards"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time = sa.DateTime(timezone=True)
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "reaction",
        sa.Column("id", Id, primary_key=True, autoincrement=True, nullable=False),
        sa.Column("event_id", Id, nullable=False),
        sa.Column("rule_id", Id, nullable=False),
        sa.Column("occasion", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("parameters", Json, nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("chain", Json, nullable=False),
        sa.Column("approval", sa.Boolean(), nullable=False),
        sa.Column("approved_by", sa.String(), nullable=True),
        sa.Column("approved_at", Time, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_at", Time, nullable=True),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("next_attempt_at", Time, nullable=False),
        sa.Column("failed_state_id", sa.Uuid(), nullable=True),
        sa.Column("flow_run_id", sa.Uuid(), nullable=True),
        sa.Column("flow_run_name", sa.String(), nullable=True),
        sa.Column("started_at", Time, nullable=True),
        sa.Column("run_state", sa.String(), nullable=True),
        sa.Column("run_state_name", sa.String(), nullable=True),
        sa.Column("ended_at", Time, nullable=True),
    )
    once = ["event_id", "occasion", "number", "sequence"]
    op.create_index("ux_reaction_event", "reaction", once, unique=True)
    op.create_index("ix_reaction_identity", "reaction", ["identity", "created_at"])
    _partial("ix_reaction_run", "flow_run_id", "flow_run_id IS NOT NULL")
    _partial("ix_reaction_open", "status", "status IN ('waiting', 'pending', 'started')")


def _partial(name: str, column: str, condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "reaction", [column], sqlite_where=where, postgresql_where=where)
