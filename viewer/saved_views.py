"""The control that saves the filters of the blotter under a name, opens and deletes them."""

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from sentinel_core.base.errors import SentinelError
from sentinel_core.store.read.views import View
from sentinel_core.store.record.views import NAME_LIMIT
from viewer import access, acknowledging, addresses, data, writing
from viewer.escape import plain
from viewer.filters import Choice
from viewer.roles import Action

_SAID = "said of views"
_SCROLLS_FROM = 8  # views


def draw(known: Sequence[View], choice: Choice, columns: tuple[str, ...]) -> None:
    """Draw the control, inside of the filter row."""
    may_change = access.allowed(Action.VIEWS)
    with st.popover("Views", icon=":material/bookmark:", key="views"):
        if not known:
            st.caption("Filters, order and columns under a name, for everybody who looks here.")
        height: Literal["content", 260] = 260 if len(known) > _SCROLLS_FROM else "content"
        with st.container(height=height, border=False, gap="xsmall", key="view-list"):
            for view in known:
                _view(view, may_change)
        if may_change:
            _form(addresses.query_of(choice, columns))
        if said := st.session_state.pop(_SAID, ""):
            st.caption(said)


def _form(query: str) -> None:
    st.text_input("Name of the view", max_chars=NAME_LIMIT, key="view-name")
    acknowledging.asked_name("view")
    st.button("Save what you see", on_click=_save, args=(query,), key="view-save")


def _view(view: View, may_change: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            plain(view.name, NAME_LIMIT),
            type="tertiary",
            width="stretch",
            on_click=_open,
            args=(view.query,),
            help=f"saved by {plain(view.created_by, 60)}",
            key=f"view-{view.id}",
        )
        if may_change:
            st.button(
                "Delete",
                type="tertiary",
                icon=":material/delete:",
                on_click=_delete,
                args=(view.id, view.name),
                key=f"view-delete-{view.id}",
            )


def _by() -> str:
    return acknowledging.signed_in() or str(st.session_state.get("view-by") or "")


def _open(query: str) -> None:
    for name, value in addresses.values_of(query, data.facets(), data.local_zone()).items():
        st.session_state[name] = value


def _save(query: str) -> None:
    name = str(st.session_state.get("view-name") or "")  # as typed, also just before the click
    try:
        writing.save_view(name, query, _by())
        st.session_state[_SAID] = f"Saved as “{plain(name, NAME_LIMIT)}”."
        acknowledging.remember_name(_by())
    except (SentinelError, ValueError) as error:
        st.session_state[_SAID] = f"Not saved: {plain(error)}."


def _delete(view_id: int, name: str) -> None:
    try:
        done = writing.delete_view(view_id, _by())
        gone = "Deleted" if done else "Somebody has already deleted"
        st.session_state[_SAID] = f"{gone} “{plain(name, NAME_LIMIT)}”."
    except (SentinelError, ValueError) as error:
        st.session_state[_SAID] = f"Not deleted: {plain(error)}."
