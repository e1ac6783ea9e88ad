"""The dialogs in which people change events: each lists exactly the events and asks for a name.

What is listed is what is changed, whatever has arrived since; who was first is checked where it is
written.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import streamlit as st

from sentinel_core.base.errors import SentinelError
from sentinel_core.store.record.annotate import Disposition
from sentinel_core.store.record.change import COMMENT_LIMIT
from sentinel_core.wording.text import counted
from viewer import access, acknowledging, outcomes, rows, writing
from viewer.bound import time_column
from viewer.escape import plain
from viewer.outcomes import OnEvents, Outcome
from viewer.roles import Action
from viewer.writing import Given

Events = Sequence[Mapping[str, Any]]

STEP = 500  # events written at once, between which the progress is shown
NONE = "none"  # takes a rating back
_LABELS: dict[OnEvents, str] = {
    "acknowledge": "Acknowledge",
    "unacknowledge": "Unacknowledge",
    "resolve": "Resolve",
    "assign": "Assign",
    "rate": "Rate",
    "comment": "Comment",
}
_MORE = {label: action for action, label in _LABELS.items() if action != "acknowledge"}
_CHANGES: dict[OnEvents, str] = {"assign": "assigned_to", "rate": "disposition"}
"""The columns of which nobody's newer word is overwritten."""
_NOTES: dict[OnEvents, str] = {
    "unacknowledge": "Reminders and escalation go on.",
    "resolve": "Ends the events and acknowledges them. A rule that still fires opens a new one "
    "with its next run, unless its cooldown prevents that.",
}


def buttons(events: Events, *, disabled: bool = False, acknowledge: bool = True) -> None:
    """Draw what can be done with these events, inside of a horizontal container."""
    if not access.allowed(Action.EVENTS):
        return
    if acknowledge and st.button(
        "Acknowledge", type="primary", key="acknowledge", shortcut="a", disabled=disabled
    ):
        ask("acknowledge", events)
    chosen = st.menu_button("More", tuple(_MORE), key="more-actions", disabled=disabled)
    if chosen:
        ask(_MORE[chosen], events)


def ask(action: OnEvents, events: Events) -> None:
    """Open the dialog of an action on exactly these events."""
    acknowledging.forget_result()
    st.dialog(_LABELS[action], width="large")(_ask)(action, tuple(events))


def _ask(action: OnEvents, events: Events) -> None:
    _list(action, events)
    if note := _NOTES.get(action):
        st.caption(note)
    fields = _fields(action)
    label = "Comment" if action == "comment" else "Comment (optional)"
    comment = st.text_input(label, max_chars=COMMENT_LIMIT, key=f"{action}-comment")
    by = acknowledging.asked_name(action)
    on = "Comment on" if action == "comment" else _LABELS[action]
    button = f"{on} {counted(len(events), 'event')}"
    if st.button(button, type="primary", key=f"{action}-confirm"):
        _change(action, events, Given(by, comment, **fields))


def _list(action: str, events: Events) -> None:
    st.dataframe(
        rows.chosen(events),
        hide_index=True,
        height=min(36 * (len(events) + 1), 330),
        column_config={
            "id": st.column_config.NumberColumn(width=60, format="%d"),
            "Time": time_column(width=110),
            "Importance": st.column_config.TextColumn(width=80),
            "Rule": st.column_config.TextColumn(width=140),
            "Ticker": st.column_config.TextColumn(width=90),
            "Message": st.column_config.TextColumn(width="large"),
        },
        key=f"{action}-list",
    )


def _fields(action: OnEvents) -> dict[str, Any]:
    """Draw what this action alone asks for."""
    if action == "assign":
        to = st.text_input(
            "Assign to (nobody if empty)",
            acknowledging.whoever(),
            max_chars=100,
            key="assign-to",
        )
        return {"to": to}
    if action == "rate":
        options = (*(item.value for item in Disposition), NONE)
        chosen = st.segmented_control(
            "What they were worth", options, default=options[0], required=True, key="rate-as"
        )
        return {"disposition": None if chosen == NONE else chosen}
    return {}


def _change(action: OnEvents, events: Events, given: Given) -> None:
    if not given.by.strip():
        st.error(f"Say who {_LABELS[action].lower()}s: the name is part of the record.")
        return
    done = Outcome()
    try:
        for some in _steps(events):
            seen = {event["id"]: _seen(action, event) for event in some}
            done += writing.change_events(action, seen, given)
    except (SentinelError, ValueError) as error:
        so_far = f"{outcomes.sentence(action, done)} Then no more" if done.done else "Nothing"
        st.error(f"{so_far} was changed: {plain(error)}.")
        return
    acknowledging.remember_name(given.by)
    acknowledging.keep_result(outcomes.sentence(action, done))
    st.rerun()


def _steps(events: Events) -> Iterator[Events]:
    """The events in parts; of many, how many are done is shown in between."""
    bar = st.progress(0.0) if len(events) > STEP else None
    for start in range(0, len(events), STEP):
        if bar is not None:
            bar.progress(start / len(events), f"{start:,} of {len(events):,} events")
        yield events[start : start + STEP]


def _seen(action: OnEvents, event: Mapping[str, Any]) -> str | None:
    """What the person saw of what the action changes."""
    column = _CHANGES.get(action)
    return event[column] if column else None
