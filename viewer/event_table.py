"""The blotter's table of events, the line above it, and what people do with the keyboard.

A fragment of its own inside the blotter's, so that news and keys draw this much and no more. It
draws no filter and writes nothing. Streamlit reports selected positions, which are only valid for
the rows on the screen: a table's key depends on its rows, and while rows are selected the table
does not change.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, cast

import streamlit as st

from sentinel_core.base.errors import SentinelError
from sentinel_core.store.read.event_list import Cursor, Page
from sentinel_core.store.read.filters import COUNT_CAP
from viewer import (
    acknowledging,
    bound,
    changing,
    columns,
    data,
    filters,
    live,
    news,
    rows,
    selection,
    shading,
    triage,
    window,
)
from viewer.data import Listed
from viewer.escape import number, plain, sentence
from viewer.filters import Choice

_SHOWN, _CURSORS, _CHOICE, _DRAWN = "shown", "cursors", "choice", "drawn with"
_PAGED = "has older"  # whether another page follows, as the buttons below the table say it


@dataclass(frozen=True, slots=True)
class Shown:
    """The table on the screen: its rows, and the key of its selection."""

    key: str
    listed: Listed
    choice: Choice
    after: Cursor | None
    turn: int

    @property
    def page(self) -> Page:
        """Its rows, and what is around them."""
        return self.listed.page

    def selected(self) -> list[dict[str, Any]]:
        """The rows selected in this table."""
        rows = self.page.rows
        return [rows[position] for position in selection.selected(self.key, len(rows))]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the blotter asks this fragment for."""

    choice: Choice
    columns: tuple[str, ...]
    armed: bool
    """True where news are to be drawn as they come."""
    any_event: bool
    """False while the blotter shows a newcomer's first steps instead of a table."""


def last() -> Shown | None:
    """The table drawn last."""
    return cast("Shown | None", st.session_state.get(_SHOWN))


def cursors() -> list[Cursor]:
    """Where the pages before the one that is shown began; empty on the first page."""
    return cast("list[Cursor]", st.session_state.setdefault(_CURSORS, []))


def following() -> Cursor | None:
    """Where the page after the one that is shown begins; None on the last one."""
    shown = last()
    return shown.page.following if shown else None


def draw(asked: Asked | None) -> None:
    """Draw the fragment; None where the blotter could not read what it needs to ask."""
    st.session_state.pop(_PAGED, None)
    st.fragment(_draw)(asked)
    st.session_state[_PAGED] = following() is not None


def _draw(asked: Asked | None) -> None:
    told = window.listen()
    triage.begin(told)
    live.hidden_button()
    if asked is None:
        _table(last())
        return
    try:
        _draw_events(asked, told)
    except SentinelError as error:
        st.error(f"Events can't be shown: {sentence(error)}.", icon=":material/database_off:")
        _table(last())  # what is known stays, and so does a selection


def _draw_events(asked: Asked, told: window.Told) -> None:
    drawn = news.word(data.stamp())  # before anything is read: what comes meanwhile is new
    if not asked.any_event:
        if data.overview().any_event:
            st.rerun()
        window.tell(told, None, None, drawn if asked.armed else None, None, ())
        return
    shown = _current(asked.choice)
    if st.session_state.get(_PAGED, following() is not None) != (following() is not None):
        st.rerun()
    walk = triage.follow(told, shown.page.rows, shown.key)
    _head(shown, walk.at)
    _table(shown, asked.columns, told.width, walk.at)
    window.tell(told, walk.at, triage.opened(), drawn if asked.armed else None, *_alerts())
    triage.act(walk, shown.page.rows)


# -- which rows ----------------------------------------------------------------------------


def _current(choice: Choice) -> Shown:
    """The table to show: the last one for as long as rows of it are selected."""
    if st.session_state.get(_CHOICE) != choice:
        st.session_state[_CHOICE] = choice
        st.session_state[_CURSORS] = []
    before = cursors()
    after = before[-1] if before else None
    known = last()
    turn = st.session_state.get(acknowledging.ROUND, 0)
    if (
        known
        and (known.choice, known.after, known.turn) == (choice, after, turn)
        and known.selected()
    ):
        return known
    listed = data.page(choice, after)
    shown = Shown(_key(listed.page, choice, turn), listed, choice, after, turn)
    st.session_state[_SHOWN] = shown
    return shown


def _key(page: Page, choice: Choice, turn: int) -> str:
    """The table's key: other rows or an acknowledgement make a new table without a selection."""
    ids = ",".join(str(row["id"]) for row in page.rows)
    digest = hashlib.blake2b(f"{turn}|{choice}|{ids}".encode(), digest_size=8)
    return f"events-{digest.hexdigest()}"


# -- drawing -------------------------------------------------------------------------------


def _head(shown: Shown, cursor: int | None) -> None:
    """Draw the line above the table: what it shows, or the selection and its actions."""
    selected = shown.selected()
    frozen = bool(selected)
    at = "" if cursor is None else f" :gray[· row {cursor + 1} of {len(shown.page.rows)}]"
    # Always the same buttons: a bar that grew with a selection would move the rows under the mouse
    with st.container(horizontal=True, vertical_alignment="center", key="bar", gap="small"):
        changing.buttons(selected, disabled=not frozen, shortcuts=False)
        changing.all_matching(shown.choice, disabled=frozen or not shown.page.rows)
        st.button(
            "Clear selection",
            key="clear",
            disabled=not frozen,
            on_click=acknowledging.clear_selections,
        )
        if frozen:
            newer = data.count(shown.choice, shown.page.newest_id)
            st.markdown(
                f"**{len(selected)} selected** · paused, "
                f"{number(newer, COUNT_CAP)} newer {'event' if newer == 1 else 'events'}{at}",
                width="content",
            )
        else:
            st.markdown(_what(shown) + at, width="content")
        acknowledging.show_result()


def _what(shown: Shown) -> str:
    total = data.count(shown.choice)
    words = filters.shown_window(shown.choice, data.now(), data.local_zone())
    noun = "" if shown.choice.live else "event " if total == 1 else "events "
    zone = plain(st.context.timezone or "UTC")
    return f":gray[{number(total, COUNT_CAP)} {noun}{words}, times in {zone}]"


def _table(
    shown: Shown | None,
    named: tuple[str, ...] | None = None,
    width: int | None = None,
    cursor: int | None = None,
) -> None:
    """Draw the rows; `named`: the columns, those of the time before if None."""
    if shown is None:
        return
    if not shown.page.rows:
        _nothing(shown.choice)
        return
    named = named or st.session_state.get(_DRAWN, rows.COLUMNS)
    st.session_state[_DRAWN] = named
    st.dataframe(
        shading.shaded(shown.listed, named, bound.is_dark(), cursor),
        key=shown.key,
        on_select="rerun",
        selection_mode="multi-row",
        hide_index=True,
        row_height=bound.ROW_HEIGHT,
        height=bound.height(len(shown.page.rows)),
        placeholder="",
        column_config=columns.config(shown.page.rows, columns.message_width(width, named)),
    )


def _nothing(choice: Choice) -> None:
    """Say that there are no rows; an empty search result is not good news."""
    if choice == Choice(sort=choice.sort, size=choice.size):
        st.success(
            "Nothing asks for attention. “all” shows what happened before.",
            icon=":material/check_circle:",
        )
    else:
        st.info("No event matches these filters.", icon=":material/search_off:")


def _alerts() -> tuple[list[int] | None, tuple[str, ...]]:
    """The ids of the newest critical events if somebody asked for alerts, and for which."""
    known = "alert" in st.session_state  # not before the control below has been drawn once
    given = st.session_state["alert"] if known else st.query_params.get_all("alert")
    asked = tuple(name for name in filters.ALERTS if name in (given or ()))
    return (data.critical_ids() if asked else None), asked
