"""Makes and revokes tokens of the HTTP API. Each change has an audit entry."""

import hashlib
import secrets
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy import Engine, update

from sentinel_core.model.token import Role, Token
from sentinel_core.store.db.bulk import insert_into
from sentinel_core.store.db.engine import writing
from sentinel_core.store.db.failure import answering
from sentinel_core.store.db.tables import API_TOKEN
from sentinel_core.store.record.change import require_name
from sentinel_core.store.state.audit import add_audit

PREFIX = "sentinel_"  # so that programs that look for leaked secrets find it
_BYTES = 32  # 256 bits: nobody guesses it, and a hash without a salt keeps it safe

_T = API_TOKEN.c


def digest_of(secret: str) -> str:
    """The hash by which a secret is found. Looking it up tells nothing by the time it takes."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def create(
    engine: Engine, name: str, role: Role, *, expires_at: datetime | None, by: str, now: datetime
) -> tuple[Token, str]:
    """A new token and its secret, which is not kept.

    Raises ValueError for a name that can't be or is in use and for an end in the past,
    StoreUnavailableError if nothing was written.
    """
    who = require_name(by, "makes the token")
    if expires_at is not None and expires_at <= now:
        raise ValueError("the token would have expired already")
    given = {"name": name, "role": role, "expires_at": expires_at}
    try:
        token = Token(**given, created_at=now, created_by=who)
    except ValidationError:
        raise ValueError(
            "a token's name has 1 to 64 letters, digits, dots, hyphens and underscores, and begins "
            "with a letter or digit"
        ) from None
    secret = PREFIX + secrets.token_urlsafe(_BYTES)
    row = {**given, "role": role.value, "created_at": now, "created_by": who}
    with answering(engine), writing(engine) as connection:
        new = insert_into(connection, API_TOKEN).values(**row, hash=digest_of(secret))
        done = connection.execute(new.on_conflict_do_nothing().returning(_T.id)).first()
        if done is None:
            raise ValueError(f"there is a token {name} already: choose another name, or revoke it")
        detail = {"token": name, "role": role.value}
        if expires_at is not None:
            detail["until"] = expires_at.isoformat()
        add_audit(connection, who, "token-created", now, detail)
    return token, secret


def revoke(engine: Engine, name: str, *, by: str, now: datetime) -> bool:
    """Revoke the token of this name for good; False if none is in use.

    Raises ValueError without a person's name, StoreUnavailableError if nothing was written.
    """
    who = require_name(by, "revokes the token")
    with answering(engine), writing(engine) as connection:
        kept = update(API_TOKEN).where(_T.name == name, _T.revoked_at.is_(None))
        done = connection.execute(kept.values(revoked_at=now, revoked_by=who)).rowcount > 0
        if done:
            add_audit(connection, who, "token-revoked", now, {"token": name})
    return done
