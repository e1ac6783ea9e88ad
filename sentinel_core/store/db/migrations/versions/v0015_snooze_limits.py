"""alert_event: the values up to which an event is acknowledged"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("alert_event", sa.Column("acknowledged_above", sa.Float(), nullable=True))
    op.add_column("alert_event", sa.Column("acknowledged_below", sa.Float(), nullable=True))
