"""The blotter: cards, status line, filters and histogram around the table of events.

All in one fragment, so that a refresh or a filter reruns nothing else; the table is a fragment
inside of it.
"""

import streamlit as st

from sentinel_core.base.errors import SentinelError
from sentinel_core.store.read.overview import Overview
from sentinel_core.wording.times import clock
from viewer import (
    cards,
    controls,
    data,
    event_table,
    exporting,
    figures,
    filters,
    prefect_now,
    status,
    triage,
)
from viewer.bound import bound, is_dark, not_understood
from viewer.escape import plain, sentence
from viewer.event_table import Asked
from viewer.filters import Choice

REFRESH_SECONDS = 15
CARD_WIDTH = 178  # two beside each other on a phone
_AUTO, _UPDATED = "auto", "updated"


def draw() -> None:
    """Draw the blotter, which refreshes itself unless that is switched off."""
    auto = bool(st.session_state.get(_AUTO, True))
    st.fragment(run_every=REFRESH_SECONDS if auto else None)(_draw)(auto)


def _draw(armed: bool) -> None:
    if bool(st.session_state.get(_AUTO, True)) != armed:
        st.rerun()  # a fragment's interval is set where it is started
    try:
        overview = data.overview()
        choice, shown = _above(overview)
    except SentinelError as error:
        st.error(_unreadable(error), icon=":material/database_off:")
        event_table.draw(None)
        return
    event_table.draw(Asked(choice, shown, armed, overview.any_event))
    if overview.any_event:
        _foot(choice)
        if not overview.any_notification:
            st.caption(
                "No rule has a notification channel yet: docs/notifications.md says how to add one."
            )
    st.session_state[_UPDATED] = data.now()


def _above(overview: Overview) -> tuple[Choice, tuple[str, ...]]:
    """Draw what is above the table; the filters chosen in it, and the columns to show."""
    _cards(overview)
    # Written at once: a placeholder filled later would blink with every refresh.
    st.markdown(
        status.line(overview.unacknowledged, data.coverage(), data.now(), data.local_zone())
    )
    if lines := status.deliveries(data.deliveries(), data.now(), data.local_zone()):
        st.markdown("  \n".join(lines))
    known = data.facets()
    not_understood("blotter", lambda given: filters.problems(given, known))
    choice, shown = controls.draw(known, data.local_zone(), data.views())
    if overview.any_event:
        _histogram(choice)
    else:
        _first_steps()
    return choice, shown


def _cards(overview: Overview) -> None:
    """Draw the figures of the whole system, in cards that wrap on a narrow screen."""
    waiting = sum(overview.unacknowledged.values())
    shown = cards.cards(data.coverage(), waiting, data.periods(), prefect_now.latest())
    drawn = cards.lines(data.trends(), figures.LINE[is_dark()])
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


def _histogram(choice: Choice) -> None:
    buckets, step = data.histogram(choice)
    spec = figures.histogram(buckets, step, dark=is_dark())
    st.vega_lite_chart(spec, key="histogram", theme="streamlit")


def _foot(choice: Choice) -> None:
    """Draw paging, refreshing and the CSV export."""
    with st.container(horizontal=True, vertical_alignment="center", key="foot", gap="small"):
        exporting.paging(event_table.cursors(), event_table.following)
        exporting.buttons(choice)
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
