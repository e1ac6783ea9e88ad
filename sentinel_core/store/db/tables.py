"""The tables. No queries, no decisions; the only file with `table=True`.

SQLModel tables do not validate: the pydantic models of `sentinel_core.model` did, before anything
is stored. `migrations/` brings a database to this shape, and a test compares both.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Dialect,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

BigId = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers only INTEGER keys itself
Json = JSON().with_variant(JSONB(), "postgresql")
JsonOrNull = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
_TIMES_KEPT = 1_000


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python, whatever the database does with time zones (SQLite drops them)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    # Rows that are written or read together share most of their times: each is converted once.
    # UTC times only: equal local times are not always the same moment (once a year they repeat).

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        convert = super().bind_processor(dialect)
        if convert is None:
            return None
        remembered = lru_cache(maxsize=_TIMES_KEPT)(convert)

        def converted(value: datetime | None) -> Any:
            utc = value is not None and value.tzinfo is UTC
            return remembered(value) if utc else convert(value)

        return converted

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        convert = super().result_processor(dialect, coltype)
        if convert is None or dialect.name != "sqlite":
            return convert
        return lru_cache(maxsize=_TIMES_KEPT)(convert)  # SQLite returns text

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive time reached the store: {value!r}; times are aware UTC")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _column(kind: Any, *, nullable: bool = False, default: Any = ...) -> Any:
    """A field with a column of this type; one that may be null is None by default."""
    default = None if nullable else default
    return Field(default=default, sa_column=Column(kind, nullable=nullable))


_time, _ref = partial(_column, UtcDateTime()), partial(_column, BigId)
_text = partial(_column, Text())


def _key() -> Any:
    return Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))


def _json(empty: type[Any], name: str | None = None) -> Any:
    column = Column(name, Json, nullable=False) if name else Column(Json, nullable=False)
    return Field(default_factory=empty, sa_column=column)


def _partial(name: str, condition: str, *columns: str, unique: bool = False) -> Index:
    """A partial index."""
    where = text(condition)
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


class AlertRule(SQLModel, table=True):
    """A rule deployment as Prefect last described it, and its latest run."""

    __tablename__ = "alert_rule"
    __table_args__ = (
        UniqueConstraint("flow_name", "name"),
        Index("ix_alert_rule_deployment", "deployment_id"),
    )

    id: int | None = _key()
    name: str
    flow_name: str
    deployment_id: UUID
    trigger: str = ""
    description: str = _text(default="")
    parameters: dict[str, Any] = _json(dict)
    tags: list[str] = _json(list)
    importance: str = "medium"
    category: str = "General"
    display_duration_minutes: int = 1440
    runbook: str | None = None
    cron: str | None = None
    interval_seconds: float | None = None
    timezone: str = "UTC"
    schedules: list[Any] = _json(list)
    is_active: bool = True
    first_seen_at: datetime = _time()
    changed_at: datetime = _time()
    last_evaluated_at: datetime | None = _time(nullable=True)
    last_output: list[Any] = _json(list)
    inhibits: list[Any] = _json(list)
    told: list[str] = _json(list)  # when people were notified lately; the rate limit counts these
    last_prefect_state: str | None = None
    last_prefect_state_name: str | None = None
    last_prefect_sync: datetime | None = _time(nullable=True)


class Evaluation(SQLModel, table=True):
    """One flow run's measurement of one series, with its decision."""

    __tablename__ = "evaluation"
    __table_args__ = (
        UniqueConstraint("prefect_flow_run_id", "kind", "ticker"),
        Index("ix_evaluation_series", "rule_id", "kind", "ticker", "at"),
        Index("ix_evaluation_rule_at", "rule_id", "at"),
    )

    id: int | None = _key()
    rule_id: int = _ref()
    prefect_flow_run_id: UUID
    kind: str
    ticker: str
    at: datetime = _time()
    planned_at: datetime | None = _time(nullable=True)
    started_at: datetime | None = _time(nullable=True)
    completed_at: datetime = _time()
    measured_at: datetime | None = _time(nullable=True)
    retry_count: int = 0
    prefect_state: str
    prefect_state_name: str
    prefect_state_message: str = _text(default="")
    triggered: bool
    reported: bool | None = None
    said: str | None = _text(nullable=True)
    importance: str
    message: str = _text(default="")
    metrics: dict[str, float] = _json(dict)
    meta: dict[str, Any] = _json(dict, "metadata")
    decision: str
    decision_code: str
    decision_reason: str = _text(default="")
    recorded_at: datetime | None = _time(nullable=True)
    event_id: int | None = _ref(nullable=True)


class EvaluationHour(SQLModel, table=True):
    """The deleted evaluations of one series in one hour.

    The row of the metric "" counts the evaluations: those that were triggered, ok and in error; the
    rest judged nothing. Each other row summarises the values of one metric.
    """

    __tablename__ = "evaluation_hour"
    __table_args__ = (
        Index("ix_evaluation_hour_series", "rule_id", "kind", "ticker", "hour"),
        {"sqlite_with_rowid": False},
    )

    rule_id: int = Field(sa_column=Column(BigId, primary_key=True, autoincrement=False))
    hour: datetime = Field(sa_column=Column(UtcDateTime(), primary_key=True))
    kind: str = Field(primary_key=True)
    ticker: str = Field(primary_key=True)
    metric: str = Field(primary_key=True)
    count: int
    triggered: int = 0
    ok: int = 0
    errors: int = 0
    minimum: float | None = None
    maximum: float | None = None
    average: float | None = None
    last: float | None = None
    last_at: datetime = _time()


class AlertSeries(SQLModel, table=True):
    """The current state of a series: alerts of the same rule, kind and ticker."""

    __tablename__ = "alert_series"
    __table_args__ = (UniqueConstraint("rule_id", "kind", "ticker"),)

    id: int | None = _key()
    rule_id: int = _ref()
    kind: str
    ticker: str
    status: str
    last_at: datetime = _time()
    changed_at: datetime = _time()
    event_id: int | None = _ref(nullable=True)
    event_importance: str | None = None
    breaches: int = 0
    oks: int = 0
    recent: str = _text(default="")
    flapping: bool = False
    breached_at: datetime | None = _time(nullable=True)
    ended_at: datetime | None = _time(nullable=True)
    ended_importance: str | None = None
    told_at: datetime | None = _time(nullable=True)  # Series.notified_at
    tells: int = 0  # Series.notify_count
    untold: str | None = None  # Series.withheld


class AlertEvent(SQLModel, table=True):
    """Something people should know: a breach or a failed check, from its start to its end."""

    __tablename__ = "alert_event"
    __table_args__ = (
        # Each filter of the lists has an index in the order of time; what is combined with it
        # most is in there too, so that where few or none match both, the rows are not read.
        Index("ix_event_time", "timestamp", "importance", "is_acknowledged", "category"),
        Index("ix_event_importance", "importance", "timestamp", "category"),
        _partial(
            "ix_event_live",
            "NOT is_acknowledged",
            *("importance", "resolved_at", "display_until", "timestamp", "id"),
        ),
        Index("ix_event_state", "prefect_state", "timestamp", "importance", "category"),
        _partial(
            "ix_event_not_alert",
            "kind <> 'alert'",
            *("kind", "timestamp", "importance", "category"),
            *(
                "rule_id",
                "ticker",
                "prefect_state",
                "resolved_at",
                "assigned_to",
                "acknowledged_by",
            ),
        ),
        _partial(
            "ix_event_assigned",
            "assigned_to IS NOT NULL",
            *("assigned_to", "timestamp", "importance", "category", "kind", "prefect_state"),
        ),
        _partial(
            "ix_event_acknowledged_by",
            "acknowledged_by IS NOT NULL",
            *("acknowledged_by", "timestamp", "importance", "category", "kind", "prefect_state"),
            "assigned_to",
        ),
        Index("ix_event_ticker", "ticker", "timestamp"),
        Index("ix_event_rule", "rule_id", "timestamp"),
        # The database itself keeps a series from having two unresolved events.
        _partial(
            "ux_event_unresolved", "resolved_at IS NULL", "rule_id", "kind", "ticker", unique=True
        ),
    )

    id: int | None = _key()
    rule_id: int = _ref()
    rule_name: str
    kind: str
    ticker: str
    category: str
    importance: str
    message: str = _text()
    timestamp: datetime = _time()
    first_seen: datetime = _time()
    last_seen: datetime = _time()
    occurrences: int = 1
    display_until: datetime = _time()
    is_acknowledged: bool = False
    acknowledged_at: datetime | None = _time(nullable=True)
    acknowledged_by: str | None = None
    comment: str | None = _text(nullable=True)
    action_taken: str | None = _text(nullable=True)
    acknowledged_until: datetime | None = _time(nullable=True)
    acknowledged_above: float | None = None
    acknowledged_below: float | None = None
    assigned_to: str | None = None
    disposition: str | None = None
    suppressed: str | None = _text(nullable=True)
    suppressed_code: str | None = None
    suggested_action: str | None = _text(nullable=True)
    resolved_at: datetime | None = _time(nullable=True)
    resolution: str | None = None
    prefect_flow_run_id: UUID | None = None
    prefect_state: str | None = None
    prefect_state_name: str | None = None
    started_at: datetime | None = _time(nullable=True)
    completed_at: datetime | None = _time(nullable=True)
    retry_count: int = 0
    runbook: str | None = None
    environment: str | None = None
    metrics: dict[str, float] = _json(dict)
    meta: dict[str, Any] = _json(dict, "metadata")


_SENT_ONCE = ("channel", "recipient", "reason")


class Notification(SQLModel, table=True):
    """A message about one event (or storm, or report) for one channel. Several may leave as one.

    `recipient` is who gets it in that channel (email addresses, a Slack channel), `route` the
    rule's settings for it when it was enqueued. `reference` is the provider's name of the message,
    `message_id` the notification that led it. `unknown` counts attempts without a known outcome.
    """

    __tablename__ = "notification"
    __table_args__ = (
        Index("ux_notification_event", "event_id", *_SENT_ONCE, "sequence", unique=True),
        _partial("ux_notification_about", "about <> ''", "about", *_SENT_ONCE, unique=True),
        Index("ix_notification_due", "status", "next_attempt_at"),
        Index("ix_notification_channel", "channel", "recipient", "created_at"),
        # The queries of each delivery stay quick however much was sent before.
        _partial(
            "ix_notification_pending",
            "status = 'pending'",
            *("channel", "recipient", "group_key", "reason"),
        ),
        _partial("ix_notification_failed", "status = 'failed'", "channel", "settled_at"),
        _partial("ix_notification_sent", "sent_at IS NOT NULL", "channel", "sent_at"),
        _partial("ix_notification_storm", "storm_id IS NOT NULL", "storm_id"),
    )

    id: int | None = _key()
    event_id: int | None = _ref(nullable=True)
    about: str = ""
    channel: str
    recipient: str = ""
    reason: str
    sequence: int = 0
    route: dict[str, Any] = _json(dict)
    group_key: str = ""
    content: dict[str, Any] = _json(dict)
    storm_id: int | None = _ref(nullable=True)
    message_id: int | None = _ref(nullable=True)
    reference: str | None = _text(nullable=True)
    status: str = "pending"
    attempts: int = 0
    unknown: int = 0
    claimed_at: datetime | None = _time(nullable=True)
    settled_at: datetime | None = _time(nullable=True)
    created_at: datetime = _time()
    next_attempt_at: datetime = _time()
    last_error: str | None = _text(nullable=True)
    dropped_code: str | None = None
    sent_at: datetime | None = _time(nullable=True)


class Reaction(SQLModel, table=True):
    """Something to do about a change of an event: a run to start or retry, a schedule to resume.

    `identity` names the reaction of the rule, `chain` the reactions that led to its event, its own
    last. `failed_state_id` is the state that a retried run had, so that it is retried once.
    """

    __tablename__ = "reaction"
    __table_args__ = (
        Index("ux_reaction_event", "event_id", "occasion", "number", "sequence", unique=True),
        Index("ix_reaction_identity", "identity", "created_at"),
        _partial("ix_reaction_run", "flow_run_id IS NOT NULL", "flow_run_id"),
        _partial("ix_reaction_open", "status IN ('waiting', 'pending', 'started')", "status"),
    )

    id: int | None = _key()
    event_id: int = _ref()
    rule_id: int = _ref()
    occasion: str
    number: int
    sequence: int = 0
    identity: str = _text()
    action: str
    target: str = _text()
    parameters: dict[str, Any] = _json(dict)
    status: str
    code: str | None = None
    sentence: str = _text(default="")
    chain: list[str] = _json(list)
    approval: bool = False
    approved_by: str | None = None
    approved_at: datetime | None = _time(nullable=True)
    attempts: int = 0
    claimed_at: datetime | None = _time(nullable=True)
    created_at: datetime = _time()
    next_attempt_at: datetime = _time()
    failed_state_id: UUID | None = None
    flow_run_id: UUID | None = None
    flow_run_name: str | None = None
    started_at: datetime | None = _time(nullable=True)
    run_state: str | None = None
    run_state_name: str | None = None
    ended_at: datetime | None = _time(nullable=True)


class Storm(SQLModel, table=True):
    """A period in which a channel gets one message for many events, as there were too many."""

    __tablename__ = "storm"
    __table_args__ = (
        _partial("ux_storm_open", "ended_at IS NULL", "channel", "recipient", unique=True),
    )

    id: int | None = _key()
    channel: str
    recipient: str = ""
    threshold: int
    window_seconds: float
    started_at: datetime = _time()
    ended_at: datetime | None = _time(nullable=True)


class Silence(SQLModel, table=True):
    """A mute; `model/silence.py` validates and reads it."""

    __tablename__ = "silence"
    __table_args__ = (Index("ix_silence_ends", "ends_at"),)

    id: int | None = _key()
    matchers: dict[str, Any] = _column(Json)
    recurrence: dict[str, Any] | None = _column(JsonOrNull, nullable=True)
    starts_at: datetime = _time()
    ends_at: datetime = _time()
    author: str
    comment: str = _text()
    created_at: datetime = _time()


class AuditEntry(SQLModel, table=True):
    """A person's action, with its time. Rows are only ever added."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_event", "event_id", "at"),)

    id: int | None = _key()
    at: datetime = _time()
    actor: str
    action: str
    event_id: int | None = _ref(nullable=True)
    detail: dict[str, Any] = _json(dict)


class ApiToken(SQLModel, table=True):
    """A token of the HTTP API: the SHA-256 hash of a secret that is kept nowhere."""

    __tablename__ = "api_token"
    __table_args__ = (
        Index("ux_api_token_hash", "hash", unique=True),
        _partial("ux_api_token_name", "revoked_at IS NULL", "name", unique=True),
    )

    id: int | None = _key()
    name: str
    role: str
    hash: str
    created_at: datetime = _time()
    created_by: str
    expires_at: datetime | None = _time(nullable=True)
    revoked_at: datetime | None = _time(nullable=True)
    revoked_by: str | None = None


class SavedView(SQLModel, table=True):
    """Filters, order and columns of the blotter under a name, as the query of an address."""

    __tablename__ = "saved_view"
    __table_args__ = (UniqueConstraint("name"),)

    id: int | None = _key()
    name: str
    query: str = _text()
    created_at: datetime = _time()
    created_by: str


class Ping(SQLModel, table=True):
    """The last sign of life of a job outside Prefect, under the key that a rule waits for."""

    __tablename__ = "ping"

    key: str = Field(primary_key=True)
    at: datetime = _time()
    by: str
    count: int = Field(default=1, sa_type=BigInteger)


class HostSample(SQLModel, table=True):
    """How much of a host was in use in a minute, in percent; of the last day."""

    __tablename__ = "host_sample"

    host: str = Field(primary_key=True)
    at: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    cpu: float | None = None
    memory: float
    disk: float


class Checkpoint(SQLModel, table=True):
    """The progress of a repeated job: reconcile has recorded all runs that ended before `at`,
    retention may have deleted the evaluations of those."""

    __tablename__ = "checkpoint"

    name: str = Field(primary_key=True)
    at: datetime = _time()


class StoreIdentity(SQLModel, table=True):
    """The store itself: the only row, written when its tables are made or brought to this form."""

    __tablename__ = "store_identity"

    id: UUID = Field(primary_key=True)
    created_at: datetime = _time()


Row = dict[str, Any]

_TABLES = SQLModel.metadata.tables
RULE = _TABLES["alert_rule"]
EVALUATION = _TABLES["evaluation"]
HOUR = _TABLES["evaluation_hour"]
SERIES = _TABLES["alert_series"]
EVENT = _TABLES["alert_event"]
NOTIFICATION = _TABLES["notification"]
REACTION = _TABLES["reaction"]
STORM = _TABLES["storm"]
SILENCE = _TABLES["silence"]
AUDIT = _TABLES["audit_entry"]
API_TOKEN = _TABLES["api_token"]
VIEW = _TABLES["saved_view"]
PING = _TABLES["ping"]
HOST = _TABLES["host_sample"]
CHECKPOINT = _TABLES["checkpoint"]
IDENTITY = _TABLES["store_identity"]

# Word for word the condition of the partial index; SQLAlchemy's own spelling (`= 0`) misses it.
UNACKNOWLEDGED: ColumnElement[bool] = literal_column("NOT alert_event.is_acknowledged")
NOT_ALERT: ColumnElement[bool] = literal_column("alert_event.kind <> 'alert'")
