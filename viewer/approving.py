"""The reactions of an event's page, and the dialog that approves those that wait for it."""

import streamlit as st

from sentinel_core.base.errors import SentinelError
from sentinel_core.store.read.event_detail import EventDetail
from sentinel_core.store.record.change import COMMENT_LIMIT
from sentinel_core.wording.reaction_timeline import (
    Entry,
    State,
    parameters_of,
    timeline,
    waiting,
    what_it_does,
)
from sentinel_core.wording.text import counted
from viewer import access, acknowledging, data, writing
from viewer.escape import plain, short_time
from viewer.roles import Action

_COLOUR = {
    State.WAITING: "violet",
    State.DUE: "blue",
    State.RETRYING: "orange",
    State.RUNNING: "blue",
    State.DONE: "green",
    State.RUN_FAILED: "red",
    State.NOT_STARTED: "gray",
    State.FAILED: "red",
}


def draw(detail: EventDetail) -> None:
    """Draw what was started about the event, and what was not; nothing without reactions."""
    if not detail.reactions:
        return
    st.markdown("##### Reactions")
    lines = [_line(entry) for entry in timeline(detail.reactions, data.now(), data.local_zone())]
    st.markdown("\n".join(["| Time | Reaction |", "|:--|:--|", *lines]))


def _line(entry: Entry) -> str:
    badge = f":{_COLOUR[entry.state]}-badge[{entry.state.value}]"
    words = f": {plain(entry.words, 600)}" if entry.words else ""
    run = f" · [run]({data.settings().flow_run_url(entry.run)})" if entry.run else ""
    what = f"{badge} **{plain(entry.what)}** {entry.why}{words}{run}"
    return f"| {short_time(entry.at, data.local_zone())} | {what} |"


def button(detail: EventDetail) -> None:
    """Draw the button that opens the dialog, if something waits for an approval."""
    if not access.allowed(Action.EVENTS):
        return
    if waiting(detail.reactions) and st.button(
        "Approve", type="primary", key="approve", icon=":material/task_alt:"
    ):
        ask(detail)


@st.dialog("Approve", width="large")
def ask(detail: EventDetail) -> None:
    """Show what would be started, and ask who approves it."""
    rows = waiting(detail.reactions)
    event = detail.event
    subject = " · ".join(plain(part) for part in (event["rule_name"], event["ticker"]) if part)
    st.markdown(f"Event {event['id']}: {subject}")
    st.markdown("\n".join(_would_do(row) for row in rows))
    comment = st.text_input("Comment (optional)", max_chars=COMMENT_LIMIT, key="approve-comment")
    by = acknowledging.signed_in()
    if by:
        st.caption(f"Approved by {plain(by)}; this acknowledges the event as well.")
    else:
        default = st.session_state.get("who", data.settings().user)
        by = st.text_input("Your name", default, max_chars=100, key="approve-by")
        st.caption("Approving acknowledges the event as well.")
    label = f"Approve {counted(len(rows), 'reaction')}"
    if st.button(label, type="primary", key="approve-confirm"):
        _approve(event["id"], by, comment)


def _would_do(row: object) -> str:
    assert isinstance(row, dict)
    given = parameters_of(row)
    return f"- **{plain(what_it_does(row))}**" + (f" with {plain(given, 600)}" if given else "")


def _approve(event_id: int, by: str, comment: str) -> None:
    if not by.strip():
        st.error("Say who approves: the name is part of the record.")
        return
    try:
        result = writing.approve(event_id, by, comment)
    except SentinelError as error:
        st.error(f"Nothing was approved: {plain(error)}.")
        return
    st.session_state["who"] = by
    done = counted(len(result.reactions), "reaction")
    acknowledging.keep_result(f"{done} approved, to be started within a minute")
    st.rerun()
