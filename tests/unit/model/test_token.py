"""Tokens of the HTTP API: the names they can have, and when they can be used."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from sentinel_core.model.token import Role, Token

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def a_token(name: str = "ci", **more: object) -> Token:
    return Token.model_validate(
        {"name": name, "role": "read", "created_at": NOW, "created_by": "ana", **more}
    )


@pytest.mark.parametrize("name", ["ci", "Grafana.prod-2", "7", "a" * 64])
def test_a_name(name: str) -> None:
    assert a_token(name).name == name


@pytest.mark.parametrize(
    "name", ["", "a" * 65, "-x", "a b", "a\n", "a\x00", "ü", "../x", "ana (API token)", None]
)
def test_no_name(name: str) -> None:
    with pytest.raises(ValidationError):
        a_token(name)


def test_a_token_is_usable_until_it_expires_or_is_revoked() -> None:
    assert a_token().usable(NOW + timedelta(days=36500))
    until = a_token(expires_at=NOW)
    assert until.usable(NOW - timedelta(microseconds=1))
    assert not until.usable(NOW)
    assert not a_token(revoked_at=NOW).usable(NOW)
    assert Role("operate") is Role.OPERATE
