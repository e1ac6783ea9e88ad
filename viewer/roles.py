"""Who may do what: a person's role by the claims of their login. Pure.

Claims come from the login's provider, and people choose some of them themselves. So a name decides
nothing, and an e-mail address counts only when the provider says that it checked it.
"""

from collections.abc import Iterator, Mapping
from enum import Enum, IntEnum
from typing import Any

from sentinel_core.base.settings import EVERYBODY, Settings
from sentinel_core.wording.text import flat

NAME_LIMIT = 100  # as of the names that people type


class Role(IntEnum):
    """What somebody is; each may do what those before it may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


class Action(Enum):
    """What the pages let people do besides reading."""

    EVENTS = "change events"
    RULES = "run, pause or resume rules"
    SILENCES = "change silences"
    VIEWS = "save or delete views"
    RECONCILE = "reconcile"
    CONFIGURATION = "see the configuration"


_NEEDS = {
    Action.EVENTS: Role.OPERATOR,
    Action.RULES: Role.OPERATOR,
    Action.SILENCES: Role.OPERATOR,
    Action.VIEWS: Role.OPERATOR,
    Action.RECONCILE: Role.OPERATOR,
    Action.CONFIGURATION: Role.ADMIN,
}


def may(role: Role | None, action: Action) -> bool:
    """True if somebody with this role may do it; nobody may without one."""
    return role is not None and role >= _NEEDS[action]


def needed(action: Action) -> Role:
    """The least role that may do it."""
    return _NEEDS[action]


def role_of(claims: Mapping[str, Any], settings: Settings) -> Role | None:
    """The highest role that the settings give to somebody with these claims; None for a stranger.

    Somebody without an identity is a stranger whatever else is claimed.
    """
    if name_of(claims) is None:
        return None
    held = {EVERYBODY, *_groups(claims, settings.role_claim)}
    if email := email_of(claims):
        held.add(email)
    listed = (
        (Role.ADMIN, settings.admins),
        (Role.OPERATOR, settings.operators),
        (Role.VIEWER, settings.viewers),
    )
    return next((role for role, names in listed if not held.isdisjoint(names)), None)


def name_of(claims: Mapping[str, Any]) -> str | None:
    """The name under which somebody acts; None without an identity.

    The address that was checked; else the name with the provider's id of the person, because
    several people can have one name.
    """
    if email := email_of(claims):
        return email
    subject = _text(claims.get("sub"))
    if not subject:
        return None
    name = _text(claims.get("name"))
    return flat(f"{name} ({subject})" if name else subject, NAME_LIMIT)


def email_of(claims: Mapping[str, Any]) -> str | None:
    """The e-mail address in small letters; None for one that the provider has not checked.

    Only ASCII: in other alphabets there are letters that look alike, or become alike when their
    case is changed.
    """
    email = _text(claims.get("email"))
    if claims.get("email_verified") not in (True, "true") or not email.isascii():
        return None
    return email.lower() if "@" in email and len(email) <= NAME_LIMIT else None


def _groups(claims: Mapping[str, Any], claim: str | None) -> Iterator[str]:
    """The values of the claim that says roles. One with an @ would pass for an address."""
    found = _at(claims, claim) if claim else None
    for value in found if isinstance(found, (list, tuple)) else [found]:
        if isinstance(value, str) and value != EVERYBODY and "@" not in value:
            yield value


def _at(claims: Mapping[str, Any], claim: str) -> object:
    """The claim of this name, or the one that `realm_access.roles` leads to."""
    if claim in claims:
        return claims[claim]
    found: object = claims
    for part in claim.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
