"""the first schema"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time = sa.DateTime(timezone=True)
Json = sa.JSON().with_variant(JSONB(), "postgresql")

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "alert_event",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("rule_id", Id, nullable=False),
        sa.Column("rule_name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("ticker", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("importance", sa.String(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("timestamp", Time, nullable=False),
        sa.Column("first_seen", Time, nullable=False),
        sa.Column("last_seen", Time, nullable=False),
        sa.Column("occurrences", sa.Integer(), nullable=False),
        sa.Column("display_until", Time, nullable=False),
        sa.Column("is_acknowledged", sa.Boolean(), nullable=False),
        sa.Column("acknowledged_at", Time, nullable=True),
        sa.Column("acknowledged_by", sa.String(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("action_taken", sa.Text(), nullable=True),
        sa.Column("resolved_at", Time, nullable=True),
        sa.Column("prefect_flow_run_id", sa.Uuid(), nullable=True),
        sa.Column("prefect_state", sa.String(), nullable=True),
        sa.Column("prefect_state_name", sa.String(), nullable=True),
        sa.Column("started_at", Time, nullable=True),
        sa.Column("completed_at", Time, nullable=True),
        sa.Column("retry_count", sa.Integer(), nullable=False),
        sa.Column("runbook", sa.String(), nullable=True),
        sa.Column("metrics", Json, nullable=False),
        sa.Column("metadata", Json, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_event_importance", "alert_event", ["importance", "timestamp"])
    op.create_index("ix_event_rule", "alert_event", ["rule_id", "timestamp"])
    op.create_index("ix_event_state", "alert_event", ["prefect_state", "timestamp"])
    op.create_index("ix_event_ticker", "alert_event", ["ticker", "timestamp"])
    op.create_index("ix_event_time", "alert_event", ["timestamp", "importance", "is_acknowledged"])
    op.create_index(
        "ix_event_unacknowledged",
        "alert_event",
        ["importance", "timestamp"],
        sqlite_where=sa.text("NOT is_acknowledged"),
        postgresql_where=sa.text("NOT is_acknowledged"),
    )
    op.create_index(
        "ux_event_unresolved",
        "alert_event",
        ["rule_id", "kind", "ticker"],
        unique=True,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )

    op.create_table(
        "alert_rule",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("flow_name", sa.String(), nullable=False),
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("trigger", sa.String(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("parameters", Json, nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("importance", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("display_duration_minutes", sa.Integer(), nullable=False),
        sa.Column("runbook", sa.String(), nullable=True),
        sa.Column("cron", sa.String(), nullable=True),
        sa.Column("interval_seconds", sa.Float(), nullable=True),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("schedules", Json, nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("first_seen_at", Time, nullable=False),
        sa.Column("changed_at", Time, nullable=False),
        sa.Column("last_evaluated_at", Time, nullable=True),
        sa.Column("last_output", Json, nullable=False),
        sa.Column("last_prefect_state", sa.String(), nullable=True),
        sa.Column("last_prefect_state_name", sa.String(), nullable=True),
        sa.Column("last_prefect_sync", Time, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("flow_name", "name"),
    )
    op.create_index("ix_alert_rule_deployment", "alert_rule", ["deployment_id"])

    op.create_table(
        "alert_series",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("rule_id", Id, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("ticker", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("last_at", Time, nullable=False),
        sa.Column("changed_at", Time, nullable=False),
        sa.Column("event_id", Id, nullable=True),
        sa.Column("event_importance", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("rule_id", "kind", "ticker"),
    )
    op.create_table(
        "audit_entry",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("event_id", Id, nullable=True),
        sa.Column("detail", Json, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_audit_event", "audit_entry", ["event_id", "at"])

    op.create_table(
        "checkpoint",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "evaluation",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("rule_id", Id, nullable=False),
        sa.Column("prefect_flow_run_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("ticker", sa.String(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("started_at", Time, nullable=True),
        sa.Column("completed_at", Time, nullable=False),
        sa.Column("measured_at", Time, nullable=True),
        sa.Column("retry_count", sa.Integer(), nullable=False),
        sa.Column("prefect_state", sa.String(), nullable=False),
        sa.Column("prefect_state_name", sa.String(), nullable=False),
        sa.Column("prefect_state_message", sa.Text(), nullable=False),
        sa.Column("triggered", sa.Boolean(), nullable=False),
        sa.Column("importance", sa.String(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("metrics", Json, nullable=False),
        sa.Column("metadata", Json, nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("decision_code", sa.String(), nullable=False),
        sa.Column("decision_reason", sa.Text(), nullable=False),
        sa.Column("event_id", Id, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("prefect_flow_run_id", "kind", "ticker"),
    )
    op.create_index("ix_evaluation_rule_at", "evaluation", ["rule_id", "at"])
    op.create_index("ix_evaluation_series", "evaluation", ["rule_id", "kind", "ticker", "at"])

    op.create_table(
        "notification",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("event_id", Id, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("next_attempt_at", Time, nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("sent_at", Time, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event_id", "channel", "reason", "sequence"),
    )
    op.create_index("ix_notification_due", "notification", ["status", "next_attempt_at"])
