"""The blotter: status line, filters, histogram, table, and actions on a selection.

All in one fragment, so that a refresh or a filter reruns nothing else. Streamlit reports selected
positions, which are only valid for the rows on the screen: a table's key depends on its rows, and
while rows are selected the table does not change.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import streamlit as st

from sentinel_core.base.errors import SentinelError
from sentinel_core.store.read.event_list import Cursor, Page
from sentinel_core.store.read.filters import COUNT_CAP
from sentinel_core.store.read.overview import Overview
from sentinel_core.wording.times import clock
from viewer import (
    acknowledging,
    cards,
    changing,
    columns,
    controls,
    data,
    exporting,
    figures,
    filters,
    live,
    news,
    prefect_now,
    rows,
    selection,
    shading,
    status,
    triage,
    window,
)
from viewer.bound import ROW_HEIGHT, bound
from viewer.escape import number, plain, sentence
from viewer.filters import Choice

REFRESH_SECONDS = 15
TABLE_HEIGHT = 628
CARD_WIDTH = 178  # two beside each other on a phone
_AUTO, _SHOWN, _CURSORS, _CHOICE, _UPDATED = "auto", "shown", "cursors", "choice", "updated"
_COLUMNS = "shown columns"


@dataclass(frozen=True, slots=True)
class Shown:
    """The table on the screen: its rows, and the key of its selection."""

    key: str
    page: Page
    choice: Choice
    after: Cursor | None
    turn: int

    def selected(self) -> list[dict[str, Any]]:
        """The rows selected in this table."""
        rows = self.page.rows
        return [rows[position] for position in selection.selected(self.key, len(rows))]


def draw() -> None:
    """Draw the blotter, which refreshes itself unless that is switched off."""
    auto = bool(st.session_state.get(_AUTO, True))
    st.fragment(run_every=REFRESH_SECONDS if auto else None)(_draw)(auto)


def _draw(armed: bool) -> None:
    if bool(st.session_state.get(_AUTO, True)) != armed:
        st.rerun()  # a fragment's interval is set where it is started
    live.hidden_button()
    told = window.listen()
    triage.begin(told)
    try:
        drawn = news.word(data.stamp())  # before anything is read: what comes meanwhile is new
        overview = data.overview()
        _cards(overview)
        # Written at once: a placeholder filled later would blink with every refresh.
        st.markdown(
            status.line(overview.unacknowledged, data.coverage(), data.now(), data.local_zone())
        )
        if lines := status.deliveries(data.deliveries(), data.now(), data.local_zone()):
            st.markdown("  \n".join(lines))
        known = data.facets()
        problems = controls.not_understood(known)
        choice, st.session_state[_COLUMNS] = controls.draw(known, data.local_zone(), data.views())
        if problems:
            st.warning("  \n".join(problems), icon=":material/filter_list_off:")
        if not overview.any_event:
            _first_steps()
            return
        shown = _current(choice)
        walk = triage.follow(told, shown.page.rows, shown.key)
        _histogram(choice)
        _head(shown, walk.at)
        _table(shown, told.width, walk.at)
        _foot(shown)
        window.tell(told, walk.at, triage.opened(), drawn if armed else None, *_alerts())
        triage.act(walk, shown.page.rows)
        if not overview.any_notification:
            st.caption(
                "No rule has a notification channel yet: docs/notifications.md says how to add one."
            )
        st.session_state[_UPDATED] = data.now()
    except SentinelError as error:
        st.error(_unreadable(error), icon=":material/database_off:")
        if isinstance(last := st.session_state.get(_SHOWN), Shown) and last.page.rows:
            _table(last)  # what is known stays, and so does a selection


def _cards(overview: Overview) -> None:
    """Draw the figures of the whole system, in cards that wrap on a narrow screen."""
    waiting = sum(overview.unacknowledged.values())
    shown = cards.cards(data.coverage(), waiting, data.periods(), prefect_now.latest())
    drawn = cards.lines(data.trends(), figures.LINE[_dark()])
    with st.container(horizontal=True, gap="small", key="cards"):
        for place, (text, line) in enumerate(zip(shown, drawn, strict=True)):
            with st.container(width=CARD_WIDTH, key=f"card-{place}", gap=None):
                st.markdown(text)
                if line:
                    st.html(line)


def _unreadable(error: SentinelError) -> str:
    last = st.session_state.get(_UPDATED)
    since = f" The table is of {clock(last, data.local_zone())}." if last else ""
    return (
        f"Events can't be shown: {sentence(error)}. "
        f"This page tries again every {REFRESH_SECONDS} seconds.{since}"
    )


def _first_steps() -> None:
    where = plain(data.settings().database_url.rpartition("@")[2])
    st.info(
        "**No events yet.** Events appear here as soon as a rule fires or fails: `sentinel up` "
        "starts everything, `sentinel rules deploy` deploys the rules of prefect.yaml, and "
        "`sentinel rules test NAME` runs one check now without recording it.  \n"
        f"Event store: {where}",
        icon=":material/waving_hand:",
    )


# -- which rows ----------------------------------------------------------------------------


def _current(choice: Choice) -> Shown:
    """The table to show: the last one for as long as rows of it are selected."""
    if st.session_state.get(_CHOICE) != choice:
        st.session_state[_CHOICE] = choice
        st.session_state[_CURSORS] = []
    cursors: list[Cursor] = st.session_state[_CURSORS]
    after = cursors[-1] if cursors else None
    last = st.session_state.get(_SHOWN)
    turn = st.session_state.get(acknowledging.ROUND, 0)
    if (
        isinstance(last, Shown)
        and (last.choice, last.after, last.turn) == (choice, after, turn)
        and last.selected()
    ):
        return last
    page = data.page(choice, after)
    shown = Shown(_key(page, choice, turn), page, choice, after, turn)
    st.session_state[_SHOWN] = shown
    return shown


def _key(page: Page, choice: Choice, turn: int) -> str:
    """The table's key: other rows or an acknowledgement make a new table without a selection."""
    ids = ",".join(str(row["id"]) for row in page.rows)
    digest = hashlib.blake2b(f"{turn}|{choice}|{ids}".encode(), digest_size=8)
    return f"events-{digest.hexdigest()}"


# -- drawing -------------------------------------------------------------------------------


def _dark() -> bool:
    return bool(st.context.theme.type == "dark")


def _histogram(choice: Choice) -> None:
    buckets, step = data.histogram(choice)
    spec = figures.histogram(buckets, step, dark=_dark())
    st.vega_lite_chart(spec, key="histogram", theme="streamlit")


def _head(shown: Shown, cursor: int | None) -> None:
    """Draw the line above the table: what it shows, or the selection and its actions."""
    selected = shown.selected()
    frozen = bool(selected)
    at = "" if cursor is None else f" :gray[· row {cursor + 1} of {len(shown.page.rows)}]"
    # Always the same buttons: a bar that grew with a selection would move the rows under the mouse
    with st.container(horizontal=True, vertical_alignment="center", key="bar", gap="small"):
        changing.buttons(selected, disabled=not frozen, shortcuts=False)
        changing.all_matching(shown.choice, disabled=frozen or not shown.page.rows)
        st.button("Clear selection", key="clear", disabled=not frozen, on_click=_clear_selection)
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


def _clear_selection() -> None:
    st.session_state[acknowledging.ROUND] = st.session_state.get(acknowledging.ROUND, 0) + 1


def _what(shown: Shown) -> str:
    total = data.count(shown.choice)
    words = filters.shown_window(shown.choice, data.now(), data.local_zone())
    noun = "" if shown.choice.live else "event " if total == 1 else "events "
    zone = plain(st.context.timezone or "UTC")
    return f":gray[{number(total, COUNT_CAP)} {noun}{words}, times in {zone}]"


def _table(shown: Shown, width: int | None = None, cursor: int | None = None) -> None:
    if not shown.page.rows:
        quiet = shown.choice == Choice(sort=shown.choice.sort, size=shown.choice.size)
        say = st.success if quiet else st.info  # an empty search result is not good news
        say(
            "Nothing asks for attention. “all” shows what happened before."
            if quiet
            else "No event matches these filters.",
            icon=":material/check_circle:" if quiet else ":material/search_off:",
        )
        return
    named = st.session_state.get(_COLUMNS, rows.COLUMNS)
    frame = rows.table(shown.page.rows, data.settings(), named)
    shades = rows.shades(shown.page.rows, _dark(), cursor)
    st.dataframe(
        shading.shaded(frame, shades),
        key=shown.key,
        on_select="rerun",
        selection_mode="multi-row",
        hide_index=True,
        row_height=ROW_HEIGHT,
        height=min(ROW_HEIGHT * len(frame) + 40, TABLE_HEIGHT),
        placeholder="",
        column_config=columns.config(shown.page.rows, columns.message_width(width, named)),
    )


def _foot(shown: Shown) -> None:
    """Draw paging, refreshing and the CSV export."""
    cursors: list[Cursor] = st.session_state[_CURSORS]
    with st.container(horizontal=True, vertical_alignment="center", key="foot", gap="small"):
        exporting.paging(cursors, shown.page.following)
        exporting.buttons(shown.choice)
        st.toggle("Refresh", value=True, key=_AUTO, help=f"every {REFRESH_SECONDS} seconds")
        st.markdown(":gray[new critical:]", width="content")
        st.pills(
            "On a new critical event",
            filters.ALERTS,
            selection_mode="multi",
            label_visibility="collapsed",
            help="sound: two tones; title: how many came while you looked elsewhere, as in "
            "“(3) Sentinel”",
            **bound("alert"),
        )
        if st.button("Keys", key="keys", icon=":material/keyboard:", help="or press ?"):
            triage.show()


def _alerts() -> tuple[list[int] | None, tuple[str, ...]]:
    """The ids of the newest critical events if somebody asked for alerts, and for which."""
    asked = tuple(st.session_state.get("alert") or ())
    return (data.critical_ids() if asked else None), asked
