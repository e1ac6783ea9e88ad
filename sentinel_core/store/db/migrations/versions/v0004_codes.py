"""codes: why an event's newest notification was held back, why a notification was not sent

The only place that reads these sentences: rows written before there were codes have nothing else.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_SUPPRESSED = {
    "silenced by %": "silenced",
    "inhibited: %": "inhibited",
    "rate limit: %": "rate-limited",
}
_DROPPED = {
    **_SUPPRESSED,
    "acknowledged by %": "acknowledged",
    "resolved at %": "resolved",
    "resolved by %": "resolved",
    "the event is % by now, which has its own steps": "importance-raised",
    "the escalation began anew": "escalation-restarted",
    "told at % UTC; this channel repeats every %": "repeat-interval",
    "its event is no longer on record": "event-deleted",
}
_GIVEN_UP = {"given up after %": "attempts-exhausted"}


def upgrade() -> None:
    op.add_column("alert_event", sa.Column("suppressed_code", sa.String(), nullable=True))
    op.add_column("notification", sa.Column("dropped_code", sa.String(), nullable=True))
    names = ("status", "last_error", "dropped_code")
    columns = [sa.column(name, sa.String()) for name in names]
    message = sa.table("notification", *columns, sa.column("storm_id", sa.Integer()))
    c = message.c
    event = sa.table("alert_event", sa.column("suppressed"), sa.column("suppressed_code"))
    codes = _code_of(event.c.suppressed, _SUPPRESSED)
    op.execute(event.update().where(event.c.suppressed.is_not(None)).values(suppressed_code=codes))
    for status, known in (("suppressed", _DROPPED), ("failed", _GIVEN_UP)):
        codes = _code_of(c.last_error, known)
        op.execute(message.update().where(c.status == status).values(dropped_code=codes))
    # A storm's message replaced these, whatever their sentence.
    replaced = (c.status == "suppressed", c.storm_id.is_not(None))
    op.execute(message.update().where(*replaced).values(dropped_code="storm"))


def _code_of(sentence: sa.ColumnElement[str], codes: dict[str, str]) -> sa.Case[str]:
    return sa.case(*((sentence.like(pattern), code) for pattern, code in codes.items()))
