"""The page of Sentinel's own health: each component, the settings, and a reconcile by hand."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from sentinel_core.base.errors import SentinelError
from sentinel_core.decide.hosts import ERROR_RATE_LIMIT
from sentinel_core.wording.times import clock
from viewer import access, acknowledging, data, hosts, operations, writing
from viewer.bound import ROW_HEIGHT, height
from viewer.escape import code, plain, sentence
from viewer.roles import Action

if TYPE_CHECKING:
    from sentinel_core.health.finding import Finding
    from sentinel_core.health.status import Component, Status

REFRESH_SECONDS = 30
CHECK_SECONDS = 10
_RESULT = "system result"
_SETTINGS = "settings"
_BADGES = {
    "ok": ":green-badge[:material/check: ok]",
    "degraded": ":orange-badge[:material/warning: degraded]",
    "down": ":red-badge[:material/error: down]",
    "unknown": ":gray-badge[:material/help: not checked]",
}


@st.cache_data(ttl=20, show_spinner="Looking at every component …")
def _health() -> "tuple[Status, Sequence[Finding]]":
    return operations.health(CHECK_SECONDS)


def draw() -> None:
    """Draw the page, which refreshes itself."""
    st.fragment(run_every=REFRESH_SECONDS)(_draw)()


def _draw() -> None:
    status, found = _health()
    _head(status)
    _score(status)
    hosts.draw()
    with st.expander("Everything that was looked at"):
        _components([one for one in found if one.component != _SETTINGS])
    if access.allowed(Action.CONFIGURATION):
        _settings([one for one in found if one.component == _SETTINGS])


def _head(status: "Status") -> None:
    zone = plain(st.context.timezone or "UTC")
    at = clock(status.at, data.local_zone())
    with st.container(horizontal=True, vertical_alignment="center", key="bar", gap="small"):
        title = f"#### System {_BADGES[status.state.value]} {status.score} of 100"
        st.markdown(title, anchors=False, width="content")
        if access.allowed(Action.RECONCILE):
            st.button("Test connections", on_click=_health.clear, icon=":material/cable:")
            st.button("Sync now", on_click=_sync, icon=":material/sync:", help=_SYNC_HELP)
        st.markdown(f":gray[checked at {at} {zone}]", width="content")
    if result := st.session_state.get(_RESULT):
        show, text = result
        (st.success if show == "done" else st.error)(text)


_SYNC_HELP = "compares Prefect's runs with the record now, as the deployment reconcile does"


def _sync() -> None:
    try:
        result = writing.reconcile(acknowledging.whoever())
        st.session_state[_RESULT] = ("done", f"Synchronized: {plain(result)}")
    except SentinelError as error:
        st.session_state[_RESULT] = ("failed", f"Not synchronized: {sentence(error)}")
    _health.clear()


def _score(status: "Status") -> None:
    """Draw the components with what each adds to the score, and how checking goes."""
    lines = ["| State | Component |", "|:--|:--|"]
    for part in status.parts:
        one = status.component(part.component)
        points = f"{part.points:g} of {part.weight} points"
        lines.append(
            f"| {_BADGES[one.state.value]} | **{plain(one.name)}** :gray[{points}] · {_said(one)} |"
        )
    st.markdown("\n".join(lines))
    if rates := status.rates:
        late = rates.lateness_p95_seconds
        errors = rates.error_rate
        words = [f"{rates.evaluations_per_minute:.1f} evaluations a minute"]
        words += [f"95 % of the runs at most {late:.1f} s late"] if late is not None else []
        if errors is not None:
            share = f"{errors * 100:.1f} % without a result"
            words.append(f":red[{share}]" if errors > ERROR_RATE_LIMIT else share)
        st.caption(f"In the last {rates.minutes:g} minutes: {', '.join(words)}.")


def _components(found: "Sequence[Finding]") -> None:
    lines = ["| State | Finding |", "|:--|:--|"]
    for one in found:
        name = f"**{plain(one.component)}** {plain(one.name, 80)}"
        lines.append(f"| {_BADGES[one.state.value]} | {name} · {_said(one)} |")
    st.markdown("\n".join(lines))


def _said(one: "Component | Finding") -> str:
    """What was found, and what to do about it."""
    advice = f" → {sentence(one.advice, 200)}" if one.advice else ""
    return sentence(one.sentence, 500) + advice


def _settings(found: "Sequence[Finding]") -> None:
    st.markdown("##### Settings")
    if wrong := [one for one in found if one.state.value != "ok"]:
        lines = [
            f"{_BADGES[one.state.value]} {code(one.name)}: {plain(one.sentence)}" for one in wrong
        ]
        st.markdown("  \n".join(lines))
    frame = pd.DataFrame(
        [
            (one.name, str(one.data["value"]), str(one.data["source"]))
            for one in found
            if "value" in one.data
        ],
        columns=["Setting", "Value", "Comes from"],
    )
    st.dataframe(
        frame,
        hide_index=True,
        row_height=ROW_HEIGHT,
        height=height(len(frame), 800),
        column_config={
            "Setting": st.column_config.TextColumn(width=270),
            "Value": st.column_config.TextColumn(width=520),
            "Comes from": st.column_config.TextColumn(width=150),
        },
    )
