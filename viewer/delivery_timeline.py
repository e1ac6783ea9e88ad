"""The notifications on an event's page: sent, pending and suppressed."""

from collections.abc import Sequence
from datetime import tzinfo

import streamlit as st

from sentinel_core.store.read.event_detail import EventDetail
from sentinel_core.wording.delivery_timeline import (
    Entry,
    State,
    escalation_words,
    next_step,
    timeline,
)
from viewer import data
from viewer.escape import plain, short_time
from viewer.filters import storm_address

_COLOUR = {
    State.SENT: "green",
    State.SENDING: "blue",
    State.DUE: "blue",
    State.WAITING: "blue",
    State.ESCALATES: "violet",
    State.RETRYING: "orange",
    State.FAILED: "red",
    State.NOT_SENT: "gray",
    State.STOPPED: "gray",
    State.STORM: "gray",
}
_MOST_SHOWN = 100  # the newest notifications of one event
_MOST_UNSCROLLED = 8  # more notifications scroll in a box of their own


def draw(detail: EventDetail) -> None:
    """Draw the timeline of notifications; without any, the reason."""
    st.markdown("##### Notifications")
    if not detail.notifications:
        why = plain(detail.event["suppressed"] or "", 2_000)
        no_channel = "this rule has no channel for this importance (docs/notifications.md)"
        st.caption(f"None: {why or no_channel}.")
        return
    where = data.local_zone()
    entries = timeline(detail.event, detail.notifications, data.now(), where)
    many = len(entries) > _MOST_UNSCROLLED
    with st.container(height=320 if many else "content", border=False):
        st.markdown(_table(entries[-_MOST_SHOWN:], where))
    if hidden := entries[:-_MOST_SHOWN]:
        st.caption(f"And {len(hidden)} before: `sentinel events show` lists them all.")
    storms = sorted(
        {row["storm_id"] for row in detail.notifications if row["storm_id"] is not None}
    )
    if storms:
        links = ", ".join(f"[storm {key}]({storm_address(key)})" for key in storms[-3:])
        st.markdown(f"Events of {links}")


def _table(entries: Sequence[Entry], where: tzinfo) -> str:
    """One line for each entry, in two columns, so that it can be read on a phone."""
    lines = [f"| {short_time(entry.at, where)} | {_line(entry)} |" for entry in entries]
    return "\n".join(["| Time | Message |", "|:--|:--|", *lines])


def _line(entry: Entry) -> str:
    badge = f":{_COLOUR[entry.state]}-badge[{entry.state.value}]"
    words = f": {plain(entry.words, 600)}" if entry.words else ""
    return f"{badge} **{plain(entry.why)}** · {plain(entry.to)}{words}"


def next_step_words(detail: EventDetail) -> str:
    """The next step of the escalation in words (markdown, escaped); empty without one."""
    steps = next_step(detail.event, detail.notifications, data.now())
    return plain(escalation_words(steps, data.now(), data.local_zone()), 1_000)
