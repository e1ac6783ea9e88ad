"""What people see who may not see the pages: a button to log in, or that they have no role.

And the line below every page that says who looks.
"""

import logging

import streamlit as st
from streamlit.errors import StreamlitAPIException

from sentinel_core.base.settings import get_settings
from viewer import access
from viewer.escape import plain
from viewer.places import PRODUCT

logger = logging.getLogger(__name__)


def open_to() -> bool:
    """True if whoever looks may see the pages."""
    return access.person().role is not None


def draw() -> None:
    """Draw what stands in place of every page."""
    st.markdown(f"#### {PRODUCT}", anchors=False)
    if not access.logged_in():
        st.markdown("Log in to see what needs attention.")
        for provider in access.providers():
            label = f"Log in with {plain(provider)}" if provider else "Log in"
            key = f"log-in-{provider}" if provider else "log-in"
            if st.button(label, type="primary", key=key, icon=":material/login:"):
                _log_in(provider)
        return
    name = access.person().name
    known = f"logged in as **{plain(name)}**" if name else "logged in, but your login names nobody"
    st.warning(f"You are {known}, and have no access here.", icon=":material/block:")
    st.markdown(
        "Whoever runs Sentinel gives a role to your e-mail address, or to a group of yours, in "
        "`SENTINEL_VIEWERS`, `SENTINEL_OPERATORS` or `SENTINEL_ADMINS`. An address counts only "
        "when the login's provider says that it has been verified."
    )
    st.button("Log out", key="log-out", on_click=st.logout)


def _log_in(provider: str | None) -> None:
    try:
        st.login(provider)
    except StreamlitAPIException:
        logger.exception("The login can't be used")
        st.error(
            "The login can't be used: its configuration is missing or not complete. "
            "The viewer's log says what is wrong.",
            icon=":material/key_off:",
        )


def foot() -> None:
    """Draw who looks, and what they may not do."""
    who = access.person()
    words = []
    if get_settings().viewer_read_only:
        words.append("read-only")
    elif who.name and who.role:
        words.append(f"{plain(who.name)}, {who.role.name.lower()}")
    elif not who.name:
        words.append("no login: names are not verified")
    with st.container(horizontal=True, vertical_alignment="center", key="who", gap="small"):
        st.markdown(f":gray[{' · '.join(words)}]", width="content")
        if who.name:
            st.button("Log out", key="log-out", on_click=st.logout, type="tertiary")
