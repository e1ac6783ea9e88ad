"""host_sample: how much of each host on which runs execute was in use in the last day"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "host_sample",
        sa.Column("host", sa.String(), primary_key=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), primary_key=True, nullable=False),
        sa.Column("cpu", sa.Float(), nullable=True),
        sa.Column("memory", sa.Float(), nullable=False),
        sa.Column("disk", sa.Float(), nullable=False),
    )
