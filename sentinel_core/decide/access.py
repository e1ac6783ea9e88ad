"""Whether a request to the HTTP API is answered, by the token that it came with."""

from datetime import datetime
from enum import StrEnum

from sentinel_core.model.token import Role, Token


class Refusal(StrEnum):
    """Why a request is refused."""

    MISSING = "no-token"
    UNKNOWN = "unknown-token"
    EXPIRED = "expired-token"
    REVOKED = "revoked-token"
    ROLE = "wrong-role"


def refusal_of(
    needed: Role, token: Token | None, *, given: bool, is_open: bool, now: datetime
) -> Refusal | None:
    """Why the request is refused; None if it is answered.

    `given` says whether there was a token at all, and `is_open` whether one that reads needs none.
    A token that is given must be right, also where none is needed: its sender relies on it.
    """
    if not given:
        return None if is_open and needed is Role.READ else Refusal.MISSING
    if token is None:
        return Refusal.UNKNOWN
    if token.revoked_at is not None:
        return Refusal.REVOKED
    if not token.usable(now):
        return Refusal.EXPIRED
    if needed is Role.OPERATE and token.role is Role.READ:
        return Refusal.ROLE
    return None
