"""Tokens of the HTTP API in the store: only hashes, each name once, audited."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from sentinel_core.model.token import Role
from sentinel_core.store.db.engine import reading, rows
from sentinel_core.store.db.tables import API_TOKEN, AUDIT
from sentinel_core.store.read.api_tokens import api_tokens, find_token
from sentinel_core.store.record.api_tokens import create, digest_of, revoke

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def make(engine: Engine, name: str = "ci", by: str = "ana") -> str:
    return create(engine, name, Role.OPERATE, expires_at=None, by=by, now=NOW)[1]


def test_a_token_is_found_by_its_hash_alone_and_its_secret_is_not_kept(engine: Engine) -> None:
    assert not find_token(engine, None).any
    secret = make(engine)
    assert len(secret) == len("sentinel_") + 43  # 256 bits, six a character
    found = find_token(engine, digest_of(secret))
    assert (found.token, found.any) == (api_tokens(engine)[0], True)
    assert find_token(engine, digest_of(secret + "x")).token is None
    assert find_token(engine, secret).token is None
    with reading(engine) as connection:
        kept = [*rows(connection, select(API_TOKEN)), *rows(connection, select(AUDIT))]
    assert secret not in repr(kept)
    assert make(engine, "other") != secret


def test_a_name_is_in_use_once_and_free_again_when_it_is_revoked(engine: Engine) -> None:
    first = make(engine)
    with pytest.raises(ValueError, match="there is a token ci already"):
        make(engine)
    later = NOW + timedelta(hours=1)
    assert revoke(engine, "ci", by="bo", now=later)
    assert not revoke(engine, "ci", by="bo", now=later)
    revoked = find_token(engine, digest_of(first)).token
    assert revoked is not None
    assert (revoked.revoked_at, revoked.revoked_by) == (later, "bo")
    make(engine)
    assert [token.revoked_at for token in api_tokens(engine)] == [None, later]
    with reading(engine) as connection:
        signed = connection.execute(select(AUDIT.c.actor, AUDIT.c.action, AUDIT.c.detail)).all()
    made = ("ana", "token-created", {"token": "ci", "role": "operate"})
    assert [tuple(row) for row in signed] == [made, ("bo", "token-revoked", {"token": "ci"}), made]


def test_wrong_values_make_no_token(engine: Engine) -> None:
    for name in ("", "a b", "x" * 65):
        with pytest.raises(ValueError, match="a token's name has"):
            make(engine, name)
    with pytest.raises(ValueError, match="say who"):
        make(engine, by=" ")
    with pytest.raises(ValueError, match="expired already"):
        create(engine, "ci", Role.READ, expires_at=NOW, by="ana", now=NOW)
    assert api_tokens(engine) == []
