"""Who looks at the page, and whether they may do what they ask for.

With a login everybody needs a role; without one everybody may do everything, under a name that
nobody has verified. Every write of the pages asks `permit` where it writes: a button that is not
drawn keeps nobody from pressing it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit import config
from streamlit.errors import StreamlitSecretNotFoundError

from sentinel_core.base.errors import NotAllowedError
from sentinel_core.base.settings import Settings, get_settings
from viewer import roles
from viewer.roles import Action, Role


@dataclass(frozen=True, slots=True)
class Person:
    """Who looks. Without a login there is no name: they say it when they act."""

    name: str | None
    role: Role | None


def login_required() -> bool:
    """True if people must log in: a login is configured, or roles are given to somebody."""
    settings = get_settings()
    return bool(settings.admins or settings.operators or settings.viewers) or _login_configured()


def _login_configured() -> bool:
    try:
        return "auth" in st.secrets
    except StreamlitSecretNotFoundError:
        # None, or one that can't be read: that one may hold a login, and must not let anybody in.
        return any(Path(path).exists() for path in config.get_option("secrets.files"))


def providers() -> list[str | None]:
    """The providers to choose from, `[auth.NAME]` each; None for the only one, `[auth]` itself."""
    try:
        section = st.secrets["auth"]
    except (KeyError, StreamlitSecretNotFoundError):
        return [None]
    named = [name for name, value in section.items() if hasattr(value, "items") and "_" not in name]
    return [None] if "client_id" in section or not named else list(named)


def logged_in() -> bool:
    """True if somebody has logged in, whatever their role is."""
    return _claims().get("is_logged_in") is True


def person() -> Person:
    """Who looks at this session's pages."""
    return _person(_claims(), get_settings(), required=login_required())


def _person(claims: dict[str, Any], settings: Settings, *, required: bool) -> Person:
    if not required:
        found = Person(None, Role.ADMIN)
    elif claims.get("is_logged_in") is True:
        found = Person(roles.name_of(claims), roles.role_of(claims, settings))
    else:
        found = Person(None, None)
    if found.role and settings.viewer_read_only:
        return Person(found.name, Role.VIEWER)
    return found


def allowed(action: Action) -> bool:
    """True if this session may do it; for what is drawn."""
    return roles.may(person().role, action)


def permit(action: Action, said: str = "") -> str:
    """The name to record for an action of this session: the verified one, else the one said.

    Raises NotAllowedError.
    """
    who = person()
    if roles.may(who.role, action):
        return who.name or said
    if get_settings().viewer_read_only:
        raise NotAllowedError("this viewer is read-only (SENTINEL_VIEWER_READ_ONLY)")
    if who.role is None:
        raise NotAllowedError("log in as somebody who has a role (docs/people.md)")
    raise NotAllowedError(
        f"to {action.value} takes the role {roles.needed(action).name.lower()}, and "
        f"{who.name or 'you'} has the role {who.role.name.lower()}"
    )


def _claims() -> dict[str, Any]:
    return dict(st.user.to_dict())
