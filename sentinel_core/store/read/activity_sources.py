"""The tables that activity is read from: their columns by common names, and the filters as SQL."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    not_,
    or_,
    select,
)

from sentinel_core.decide.observe import Kind
from sentinel_core.decide.state import Action
from sentinel_core.decide.transition import REMOVED
from sentinel_core.model.system_actions import SystemAction
from sentinel_core.store.db.tables import AUDIT, EVALUATION, EVENT, NOTIFICATION, RULE
from sentinel_core.store.outbox.enqueue import FAILED, SENT

MESSAGE_SHOWN = 400


class Source(StrEnum):
    """Where an entry comes from."""

    CHECK = "check"  # an evaluation that opened, raised or resolved an event
    PERSON = "person"  # the audit of what people did
    DELIVERY = "delivery"  # a notification that was sent, or failed for good
    SYSTEM = "system"  # the audit of what Sentinel did by itself


class Level(StrEnum):
    """How much attention an entry asks for."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class ActivityFilter:
    """Conditions on entries, which must all hold. An empty set, text or None means any."""

    sources: frozenset[Source] = frozenset()
    levels: frozenset[Level] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    """Part of the message, the type, the user, the ticker or the rule's name."""


@dataclass(frozen=True, slots=True)
class _Read:
    """One table, the columns of an entry in it, and what joins it to events or rules."""

    table: Table
    at: ColumnElement[Any]
    columns: Mapping[str, ColumnElement[Any]]
    joined: Table
    on: ColumnElement[bool]
    only: ColumnElement[bool]


_V, _A, _N, _E = EVALUATION.c, AUDIT.c, NOTIFICATION.c, EVENT.c
_NOT_CHECKED = [Kind.FAILURE.value, Kind.SILENT.value, Kind.ERROR.value]
_WARNINGS = [SystemAction.REACTION_FAILED.value, SystemAction.REACTION_NOT_STARTED.value]
_NOTHING = literal("", Text)
_BY_ITSELF = or_(
    _A.action.in_([action.value for action in SystemAction]),
    # People resolve events too.
    and_(_A.action == "resolved", func.coalesce(_A.detail["reason"].as_string(), "") == REMOVED),
)


def _level(*whens: tuple[ColumnElement[bool], Level], otherwise: Level) -> ColumnElement[Any]:
    return case(*((when, level.value) for when, level in whens), else_=otherwise.value)


def _audit(only: ColumnElement[bool]) -> _Read:
    return _Read(
        AUDIT,
        _A.at,
        {
            "type": _A.action,
            "level": _level((_A.action.in_(_WARNINGS), Level.WARNING), otherwise=Level.INFO),
            "message": cast(_A.detail, Text),
            "reason": _NOTHING,
            "user": _A.actor,
            "rule_name": _E.rule_name,
            "ticker": _E.ticker,
            "importance": _E.importance,
            "event_id": _A.event_id,
        },
        EVENT,
        _E.id == _A.event_id,
        only,
    )


SOURCES: Mapping[Source, _Read] = {
    Source.CHECK: _Read(
        EVALUATION,
        _V.at,
        {
            "type": _V.decision,
            "level": _level(
                (_V.decision == Action.RESOLVE.value, Level.INFO),
                (_V.kind.in_(_NOT_CHECKED), Level.ERROR),
                otherwise=Level.WARNING,
            ),
            "message": func.substr(_V.message, 1, MESSAGE_SHOWN),
            "reason": _V.decision_reason,
            "user": literal("", Text),
            "rule_name": RULE.c.name,
            "ticker": _V.ticker,
            "importance": _V.importance,
            "event_id": _V.event_id,
        },
        RULE,
        RULE.c.id == _V.rule_id,
        _V.decision.in_([Action.OPEN.value, Action.ESCALATE.value, Action.RESOLVE.value]),
    ),
    Source.PERSON: _audit(not_(_BY_ITSELF)),
    Source.SYSTEM: _audit(_BY_ITSELF),
    Source.DELIVERY: _Read(
        NOTIFICATION,
        func.coalesce(_N.sent_at, _N.settled_at, _N.created_at, type_=_N.created_at.type),
        {
            "type": _N.status,
            "level": _level(
                (_N.status == FAILED, Level.ERROR),
                (_N.unknown > 0, Level.WARNING),
                otherwise=Level.INFO,
            ),
            "message": _N.channel,
            "reason": case((_N.status == FAILED, _N.last_error), else_=_N.reason),
            "user": literal("", Text),
            "rule_name": _E.rule_name,
            "ticker": _E.ticker,
            "importance": _E.importance,
            "event_id": _N.event_id,
        },
        EVENT,
        _E.id == _N.event_id,
        _N.status.in_([SENT, FAILED]),
    ),
}


def statement(source: Source, wanted: ActivityFilter, lower: int, upper: int) -> Select[Any]:
    """The entries of one table with ids from `lower` up to but not including `upper`."""
    read = SOURCES[source]
    key = read.table.c.id
    columns = [column.label(name) for name, column in read.columns.items()]
    found = (
        select(key, read.at.label("at"), *columns)
        .select_from(read.table)
        .outerjoin(read.joined, read.on)
        .where(key >= lower, key < upper, read.only)
    )
    if read.table is AUDIT:
        found = found.add_columns(_A.detail)
    if wanted.levels:
        found = found.where(read.columns["level"].in_(sorted(wanted.levels)))
    if wanted.since is not None:
        found = found.where(read.at >= wanted.since)
    if wanted.until is not None:
        found = found.where(read.at < wanted.until)
    if wanted.text:
        names = ("message", "reason", "type", "user", "ticker", "rule_name")
        places = (read.columns[name] for name in names)
        text = [place.icontains(wanted.text, autoescape=True) for place in places]
        found = found.where(or_(*text))
    return found.order_by(key.desc())
