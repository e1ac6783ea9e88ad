"""Who was told of an event, who will be, and what became of it: the part of an event's page."""

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
_MOST_TOLD = 100  # messages about one event; the newest ones
_MANY_TOLD = 8  # from here on they scroll in a box of their own


def draw(found: EventDetail) -> None:
    """The timeline of messages; where none was owed, why."""
    st.markdown("##### Who was told")
    if not found.notifications:
        why = plain(found.event["suppressed"] or "", 2_000)
        no_channel = "this rule has no channel for this importance (docs/notifications.md)"
        st.caption(f"Nobody: {why or no_channel}.")
        return
    where = data.local_zone()
    entries = timeline(found.event, found.notifications, data.now(), where)
    many = len(entries) > _MANY_TOLD
    with st.container(height=320 if many else "content", border=False):
        st.markdown(_told_table(entries[-_MOST_TOLD:], where))
    if hidden := entries[:-_MOST_TOLD]:
        st.caption(f"And {len(hidden)} before: `sentinel events show` lists them all.")
    storms = sorted({row["storm_id"] for row in found.notifications if row["storm_id"] is not None})
    if storms:
        links = ", ".join(f"[storm {key}]({storm_address(key)})" for key in storms[-3:])
        st.markdown(f"Events of {links}")


def _told_table(entries: Sequence[Entry], where: tzinfo) -> str:
    """A line each: two columns, so that it can be read on a phone as well."""
    lines = [f"| {short_time(one.at, where)} | {_told_line(one)} |" for one in entries]
    return "\n".join(["| | |", "|:--|:--|", *lines])


def _told_line(one: Entry) -> str:
    badge = f":{_COLOUR[one.state]}-badge[{one.state.value}]"
    words = f": {plain(one.words, 600)}" if one.words else ""
    return f"{badge} **{plain(one.why)}** · {plain(one.to)}{words}"


def next_step_words(found: EventDetail) -> str:
    """When the next step of the escalation goes to whom (markdown, escaped), if there is one."""
    steps = next_step(found.event, found.notifications, data.now())
    return plain(escalation_words(steps, data.now(), data.local_zone()), 1_000)
