"""The dialogs in which people change events: each lists exactly the events and asks for a name.

What is listed is what is changed, whatever has arrived since; who was first is checked where it is
written.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import streamlit as st

from sentinel_core.base.errors import SentinelError
from sentinel_core.decide.snooze import value_of
from sentinel_core.store.read.filters import COUNT_CAP
from sentinel_core.store.record.annotate import Disposition
from sentinel_core.store.record.change import COMMENT_LIMIT
from sentinel_core.wording.text import counted, unit_of, with_unit
from sentinel_core.wording.times import stamp
from viewer import access, acknowledging, data, keys, outcomes, rows, silencing, snoozing, writing
from viewer.bound import time_column
from viewer.escape import plain
from viewer.filters import Choice
from viewer.outcomes import OnEvents, Outcome
from viewer.roles import Action
from viewer.writing import Given

Events = Sequence[Mapping[str, Any]]

STEP = 500  # events written at once, between which the progress is shown
NONE = "none"  # takes a rating back
_LABELS: dict[OnEvents, str] = {
    "acknowledge": "Acknowledge",
    "snooze": "Snooze",
    "unacknowledge": "Unacknowledge",
    "resolve": "Resolve",
    "assign": "Assign",
    "rate": "Rate",
    "comment": "Comment",
}
_ALL = {label: action for action, label in _LABELS.items()}
_MORE = tuple(label for label, action in _ALL.items() if action not in ("acknowledge", "snooze"))
_SILENCE = "Silence"
_LATE = acknowledging.UNDO_FOR + timedelta(seconds=10)  # until the button has left every page
_CHANGES: dict[OnEvents, str] = {"assign": "assigned_to", "rate": "disposition"}
"""The columns of which nobody's newer word is overwritten."""
_ALL_HELP = f"acts on every event that the filters match, at most {COUNT_CAP:,} at once"
_NOTES: dict[OnEvents, str] = {
    "snooze": "Acknowledges the events for a time, or until their value crosses a limit. What "
    "still fires then needs attention again, and one message says so.",
    "unacknowledge": "Reminders and escalation go on.",
    "resolve": "Ends the events and acknowledges them. A rule that still fires opens a new one "
    "with its next run, unless its cooldown prevents that.",
}


def buttons(
    events: Events, *, disabled: bool = False, acknowledge: bool = True, shortcuts: bool = True
) -> None:
    """Draw what can be done with these events, inside of a horizontal container.

    `shortcuts` is False where the page listens to the keys itself.
    """
    if not access.allowed(Action.EVENTS):
        return
    first, second = (keys.ACKNOWLEDGE, keys.SNOOZE) if shortcuts else (None, None)
    if acknowledge and st.button(
        "Acknowledge", type="primary", key="acknowledge", shortcut=first, disabled=disabled
    ):
        ask("acknowledge", events)
    if acknowledge and st.button("Snooze", key="snooze", shortcut=second, disabled=disabled):
        ask("snooze", events)
    more = (*_MORE, _SILENCE) if access.allowed(Action.SILENCES) else _MORE
    chosen = st.menu_button("More", more, key="more-actions", disabled=disabled)
    if chosen == _SILENCE:
        acknowledging.forget_result()
        silencing.ask(silencing.common(events))
    elif chosen:
        ask(_ALL[chosen], events)


def all_matching(choice: Choice, *, disabled: bool) -> None:
    """Draw what can be done with all filtered events, inside of a horizontal container."""
    if not access.allowed(Action.EVENTS):
        return
    chosen = st.menu_button(
        "All matching", tuple(_ALL), key="all-actions", disabled=disabled, help=_ALL_HELP
    )
    if chosen:
        events, more = data.matching(choice)
        count = f"{len(events):,}"
        note = (
            f"The first {count} of the events that match the filters: there are more."
            if more
            else f"All {count} events that match the filters now."
        )
        ask(_ALL[chosen], events, note)


def ask(action: OnEvents, events: Events, note: str = "") -> None:
    """Open the dialog of an action on exactly these events."""
    acknowledging.forget_result()
    st.dialog(_LABELS[action], width="large")(_ask)(action, tuple(events), note)


def _ask(action: OnEvents, events: Events, about: str) -> None:
    if about:
        st.markdown(f"**{about}**")
    _list(action, events)
    if note := _NOTES.get(action):
        st.caption(note)
    fields, problem = _fields(action, events)
    label = "Comment" if action == "comment" else "Comment (optional)"
    comment = st.text_input(label, max_chars=COMMENT_LIMIT, key=f"{action}-comment")
    by = acknowledging.asked_name(action)
    on = "Comment on" if action == "comment" else _LABELS[action]
    button = f"{on} {counted(len(events), 'event')}"
    pressed = st.button(button, type="primary", key=f"{action}-confirm", disabled=not events)
    if pressed and problem:
        st.error(f"Nothing was changed: {problem}.")
    elif pressed:
        _change(action, events, Given(by, comment, **fields))


def _list(action: str, events: Events) -> None:
    st.dataframe(
        rows.chosen(events),
        hide_index=True,
        height=min(36 * (len(events) + 1), 330),
        column_config={
            "id": st.column_config.NumberColumn("Event", width=60, format="%d"),
            "Time": time_column(width=110),
            "Importance": st.column_config.TextColumn(width=80),
            "Rule": st.column_config.TextColumn(width=140),
            "Ticker": st.column_config.TextColumn(width=90),
            "Message": st.column_config.TextColumn(width="large"),
        },
        key=f"{action}-list",
    )


def _fields(action: OnEvents, events: Events) -> tuple[dict[str, Any], str]:
    """Draw what this action alone asks for; what was given, and what is wrong with it."""
    if action == "assign":
        me = acknowledging.whoever()
        to = st.text_input("Assign to (nobody if empty)", me, max_chars=100, key="assign-to")
        return {"to": to}, ""
    if action == "rate":
        options = (*(item.value for item in Disposition), NONE)
        chosen = st.segmented_control(
            "What they were worth", options, default=options[0], required=True, key="rate-as"
        )
        return {"disposition": None if chosen == NONE else chosen}, ""
    return _snooze_fields(events) if action == "snooze" else ({}, "")


def _snooze_fields(events: Events) -> tuple[dict[str, Any], str]:
    choices = snoozing.CHOICES
    chosen = st.segmented_control(
        "For how long", choices, default=choices[0], required=True, key="snooze-for"
    )
    where, typed = data.local_zone(), None
    if chosen == snoozing.CROSSED:
        return _limit_fields(events)
    if chosen == snoozing.TYPED:
        typed = st.datetime_input("Until", value=None, key="snooze-until")
    try:
        until = snoozing.snoozed_until(chosen, typed, data.now(), where)
    except ValueError as error:
        return {}, plain(error)
    if until:
        zone = plain(st.context.timezone or "UTC")
        st.caption(f"Until {stamp(until, where, seconds=False)} {zone}, or until they end.")
    return {"until": until}, ""


def _limit_fields(events: Events) -> tuple[dict[str, Any], str]:
    """Draw the limit at which a snooze ends, and the value of a single event as it is now."""
    first, last = st.columns(2)
    side = first.segmented_control(
        "Until the value is",
        snoozing.SIDES,
        default=snoozing.ABOVE,
        required=True,
        key="snooze-side",
    )
    typed = last.number_input("this number", value=None, step=1.0, format="%g", key="snooze-value")
    if len(events) == 1 and (value := value_of(events[0].get("metrics") or {})) is not None:
        unit = unit_of(events[0].get("metadata") or {})
        st.caption(f"The value is {plain(with_unit(value, unit))} now.")
    try:
        return snoozing.snoozed_up_to(side, typed), ""
    except ValueError as error:
        return {}, plain(error)


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
    undo = partial(_undo, action, done, given.by, data.now()) if done.former else None
    acknowledging.keep_result(outcomes.sentence(action, done), undo)
    st.rerun()


def _undo(action: OnEvents, done: Outcome, by: str, at: datetime) -> None:
    if data.now() - at > _LATE:
        acknowledging.keep_result("Too late to undo this.", failed=True)
        return
    try:
        back, changed = writing.undo(action, done.former, by)
    except (SentinelError, ValueError) as error:
        acknowledging.keep_result(f"Not undone: {plain(error)}.", failed=True)
    else:
        acknowledging.keep_result(outcomes.undone(back, changed))


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
