"""environment: where the subject of an event's rule runs; events before this have none"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("alert_event", sa.Column("environment", sa.String(), nullable=True))
