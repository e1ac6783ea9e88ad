"""The dialog that makes a silence: what it mutes is shown before it is made."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import streamlit as st
from pydantic import ValidationError

from sentinel_core.base.errors import SentinelError
from sentinel_core.model.silence import Matchers, Silence
from sentinel_core.store.read.silences import Preview
from sentinel_core.store.record.change import COMMENT_LIMIT
from sentinel_core.wording.text import counted
from sentinel_core.wording.times import stamp
from viewer import acknowledging, data, filters, rule_data, snoozing, writing
from viewer.escape import listed, plain

_FIELDS = ("rule", "ticker", "category")
_NAMED = 5  # events that the preview names; it counts the others


def common(events: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The rule and the ticker of events that have them in common."""
    shared = {"rule": "rule_name", "ticker": "ticker"}
    found = {name: {event[column] for event in events} for name, column in shared.items()}
    return {name: min(values) for name, values in found.items() if len(values) == 1}


@st.dialog("Silence", width="large")
def ask(given: Mapping[str, str]) -> None:
    """Ask what is muted, for how long and why, and show what that would mute now."""
    st.caption(
        "Events go on being recorded and shown; only notifications are held back. An event is "
        "muted when it matches all of the fields. An asterisk (\\*) stands for any text."
    )
    matchers: dict[str, Any] = {}
    for name, place in zip(_FIELDS, st.columns(len(_FIELDS)), strict=True):
        value = given.get(name, "")
        matchers[name] = place.text_input(name.title(), value, max_chars=200, key=f"silence-{name}")
    matchers["importance"] = st.pills(
        "Importance (any if none)",
        filters.IMPORTANCES,
        selection_mode="multi",
        key="silence-importance",
    )
    chosen = st.segmented_control(
        "For how long", snoozing.TIMES, default=snoozing.TIMES[0], required=True, key="silence-for"
    )
    typed = None
    if chosen == snoozing.TYPED:
        typed = st.datetime_input("Until", value=None, key="silence-until")
    comment = st.text_input("Why", max_chars=COMMENT_LIMIT, key="silence-comment")
    by = acknowledging.asked_name("silence")
    try:
        meant = _meant(matchers, snoozing.snoozed_until(chosen, typed, data.now(), _zone()))
        _draw_preview(rule_data.preview(meant), meant)
    except (SentinelError, ValueError) as error:
        st.info(f"{_why(error)}.")
        meant = None
    if st.button(
        "Create silence", type="primary", key="silence-confirm", disabled=meant is None
    ) and isinstance(meant, Silence):
        _create(meant, by, comment)


def _zone() -> Any:
    return data.local_zone()


def _meant(matchers: Mapping[str, Any], until: datetime | None) -> Silence:
    """The silence that the fields describe. Raises ValueError."""
    given = {name: value for name, value in matchers.items() if value}
    given |= {name: given[name].strip() for name in _FIELDS if name in given}
    given = {name: value for name, value in given.items() if value}
    if not given:
        raise ValueError("Say what is muted. A * as the rule mutes everything")
    return Silence.model_validate(
        {
            "matchers": Matchers.model_validate(given),
            "starts_at": data.now(),
            "ends_at": until,
            "author": "preview",
            "comment": "preview",
        }
    )


def _draw_preview(seen: Preview, meant: Silence) -> None:
    """Draw what the silence would mute now."""
    if seen.rules:
        series = counted(len(seen.series), "series", "series")
        rules = counted(len(seen.rules), "rule")
        lines = [f"Matches {series} of {rules}: {listed(seen.rules, _NAMED)}."]
    else:
        lines = ["Matches no series of any active rule now; later ones are muted as well."]
    lines.append(f"**Mutes now: {counted(seen.open_count, 'open event')}.**")
    for event in seen.open_events[:_NAMED]:
        subject = " ".join(plain(event[name], 60) for name in ("rule_name", "ticker"))
        lines.append(f"{event['id']} · {event['importance']} · {subject}")
    if seen.open_count > _NAMED:
        lines.append(f"… and {seen.open_count - _NAMED:,} more")
    zone = plain(st.context.timezone or "UTC")
    lines.append(f":gray[Until {stamp(meant.ends_at, _zone(), seconds=False)} {zone}.]")
    st.markdown("  \n".join(lines))


def _create(meant: Silence, by: str, comment: str) -> None:
    if not by.strip():
        st.error("Say who silences: the name is part of the record.")
        return
    if not comment.strip():
        st.error("Say why: it is shown wherever a notification was held back.")
        return
    try:
        made = writing.silence(meant, by, comment)
    except (SentinelError, ValueError) as error:
        st.error(f"No silence was made: {_why(error)}.")
        return
    rule_data.forget_mutes()
    acknowledging.remember_name(by)
    what = plain(made.matchers.words(), 120)
    acknowledging.keep_result(f"Silence {made.id} mutes {what}.")
    st.rerun()


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        found = error.errors(include_input=False, include_url=False)
        return plain(found[0]["msg"].removeprefix("Value error, "))
    return plain(error)
