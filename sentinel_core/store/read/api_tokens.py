"""The tokens of the HTTP API, without their secrets."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, RowMapping, select

from sentinel_core.model.token import Token
from sentinel_core.store.db.engine import reading, rows
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import API_TOKEN

_T = API_TOKEN.c


@dataclass(frozen=True, slots=True)
class Found:
    """The token of a hash, and whether the store has any token, used up or not."""

    token: Token | None
    any: bool


def api_tokens(engine: Engine) -> list[Token]:
    """All tokens, by name, the newest of each name first. Raises StoreUnavailableError."""
    with answering(engine), reading(engine) as connection:
        found = rows(connection, select(API_TOKEN).order_by(_T.name, _T.id.desc()))
    return [_token(row) for row in found]


def find_token(engine: Engine, digest: str | None) -> Found:
    """The token of this hash. Raises StoreUnavailableError."""
    with answering(engine), reading(engine) as connection:
        found = None
        if digest is not None:
            statement = select(API_TOKEN).where(_T.hash == digest)
            found = connection.execute(statement).mappings().first()
        any_ = connection.execute(select(_T.id).limit(1)).first() is not None
    return Found(_token(found) if found else None, any_)


def _token(row: RowMapping | dict[str, Any]) -> Token:
    return Token.model_validate({name: row[name] for name in Token.model_fields})
