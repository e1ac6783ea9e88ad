"""ping: when each job outside Prefect last said that it ran"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "ping",
        sa.Column("key", sa.String(), primary_key=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )
