"""evaluation: when its worker meant to start the run"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.add_column("evaluation", sa.Column("planned_at", sa.DateTime(timezone=True), nullable=True))
