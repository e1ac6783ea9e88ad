"""Controls bound to query parameters of their own names, and what pages share around them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import streamlit as st

from sentinel_core.base.errors import SentinelError
from viewer.escape import sentence

ROW_HEIGHT = 28
_PROBLEMS = "not understood"


def bound(name: str) -> dict[str, Any]:
    """The arguments that bind a control to the query parameter of its name."""
    return {"key": name, "bind": "query-params", "on_change": understood}


def not_understood(page: str, problems: Callable[[Mapping[str, list[str]]], list[str]]) -> None:
    """Warn of what this page's address holds and its controls drop, until one of them is used.

    To be called before the first control is drawn. `problems` makes sentences of the parameters.
    """
    if st.session_state.get(_PROBLEMS, ("", []))[0] != page:
        given = {name: st.query_params.get_all(name) for name in st.query_params}
        st.session_state[_PROBLEMS] = (page, problems(given))
    if sentences := st.session_state[_PROBLEMS][1]:
        st.warning("  \n".join(sentences), icon=":material/filter_list_off:")


def understood() -> None:
    """Take the warning back: somebody has used a control."""
    if _PROBLEMS in st.session_state:
        st.session_state[_PROBLEMS] = (st.session_state[_PROBLEMS][0], [])


def search(placeholder: str) -> str:
    """A search field; the text typed in it."""
    return (
        st.text_input(
            "Search",
            placeholder=placeholder,
            type="search",
            max_chars=200,
            label_visibility="collapsed",
            width=230,
            **bound("q"),
        )
        or ""
    )[:200]


def choice(label: str, options: tuple[str, ...], default: int = 0, width: int = 140) -> str:
    """One of some options, in the query parameter of the label's name."""
    chosen = st.selectbox(
        label,
        options,
        index=default,
        label_visibility="collapsed",
        width=width,
        help=label,
        **bound(label.lower()),
    )
    return chosen or options[default]


def several(label: str, options: tuple[str, ...]) -> tuple[str, ...]:
    """Some of these options, as pills, in the query parameter of the label's name."""
    pills = st.pills(label, options, selection_mode="multi", **bound(label.lower()))
    return tuple(pills or ())


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Replaces what can't be read by a sentence that says so."""
    try:
        yield
    except SentinelError as error:
        st.error(f"{what} can't be shown: {sentence(error)}.", icon=":material/database_off:")


def is_dark() -> bool:
    """True where the page has the dark theme."""
    return bool(st.context.theme.type == "dark")


def time_column(label: str | None = None, width: int = 112, **more: Any) -> Any:
    """A column of times in the viewer's zone."""
    zone = st.context.timezone or "UTC"
    return st.column_config.DatetimeColumn(
        label, format="MM-DD HH:mm:ss", timezone=zone, width=width, **more
    )


def height(rows: int, most: int = 628) -> int:
    """The height of a table of so many rows."""
    return min(ROW_HEIGHT * rows + 40, most)
