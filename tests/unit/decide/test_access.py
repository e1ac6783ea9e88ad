"""Which requests to the HTTP API are answered."""

from datetime import UTC, datetime, timedelta

import pytest

from sentinel_core.decide.access import Refusal, refusal_of
from sentinel_core.model.token import Role, Token

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
READER = Token(name="a", role=Role.READ, created_at=NOW, created_by="ana")
OPERATOR = READER.model_copy(update={"role": Role.OPERATE})
EXPIRED = OPERATOR.model_copy(update={"expires_at": NOW})
LASTS = OPERATOR.model_copy(update={"expires_at": NOW + timedelta(seconds=1)})
REVOKED = EXPIRED.model_copy(update={"revoked_at": NOW})


@pytest.mark.parametrize(
    ("needed", "token", "given", "is_open", "expected"),
    [
        (Role.READ, None, False, True, None),
        (Role.READ, None, False, False, Refusal.MISSING),
        (Role.OPERATE, None, False, True, Refusal.MISSING),
        (Role.OPERATE, None, False, False, Refusal.MISSING),
        (Role.READ, None, True, True, Refusal.UNKNOWN),
        (Role.OPERATE, None, True, False, Refusal.UNKNOWN),
        (Role.READ, READER, True, False, None),
        (Role.READ, OPERATOR, True, False, None),
        (Role.OPERATE, READER, True, True, Refusal.ROLE),
        (Role.OPERATE, OPERATOR, True, False, None),
        (Role.OPERATE, LASTS, True, False, None),
        (Role.READ, EXPIRED, True, True, Refusal.EXPIRED),
        (Role.READ, REVOKED, True, True, Refusal.REVOKED),
    ],
)
def test_a_request(
    needed: Role, token: Token | None, given: bool, is_open: bool, expected: Refusal | None
) -> None:
    assert refusal_of(needed, token, given=given, is_open=is_open, now=NOW) is expected
