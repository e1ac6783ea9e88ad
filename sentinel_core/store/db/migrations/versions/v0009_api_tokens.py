"""api_token: tokens of the HTTP API, of which only hashes are kept"""

import sqlalchemy as sa
from alembic import op

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time = sa.DateTime(timezone=True)

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", Id, primary_key=True, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("expires_at", Time, nullable=True),
        sa.Column("revoked_at", Time, nullable=True),
        sa.Column("revoked_by", sa.String(), nullable=True),
    )
    op.create_index("ux_api_token_hash", "api_token", ["hash"], unique=True)
    where = sa.text("revoked_at IS NULL")
    op.create_index(
        "ux_api_token_name",
        "api_token",
        ["name"],
        unique=True,
        sqlite_where=where,
        postgresql_where=where,
    )
