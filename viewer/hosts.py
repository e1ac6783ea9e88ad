"""The hosts on which runs execute, on the page System: what is in use, and of the last day."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any

import pandas as pd
import streamlit as st

from sentinel_core.base.errors import SentinelError
from sentinel_core.decide.hosts import LIMITS, SILENT_AFTER, Host
from sentinel_core.wording.colours import BARS_ON_DARK, COLOURS
from sentinel_core.wording.times import clock
from viewer import data
from viewer.bound import ROW_HEIGHT, height, is_dark
from viewer.escape import sentence

POINTS = 96  # a quarter of an hour each
_ABOVE = "above the limit: "
_TITLES = {"cpu": "CPU", "memory": "Memory", "disk": "Disk"}


def draw() -> None:
    """Draw the hosts, or that nothing is known of any."""
    st.markdown("##### Hosts on which runs execute")
    try:
        found = data.hosts()
    except SentinelError as error:
        st.caption(f"The hosts can't be shown: {sentence(error)}")
        return
    if not found.shown:
        st.caption("No run has told of its host in the last 24 hours.")
        return
    frame = pd.DataFrame(table(found.shown, data.now(), data.local_zone()))
    words = _above(dark=is_dark())
    st.dataframe(
        frame.style.map(lambda said: words if said.startswith(_ABOVE) else "", subset=["State"]),
        key="hosts",
        hide_index=True,
        row_height=ROW_HEIGHT,
        height=height(len(found.shown), 400),
        placeholder="",
        column_config=_columns(),
    )
    if (shown := len(found.shown)) < found.count:
        st.caption(
            f"{shown} of {found.count:,} hosts are shown: those above a limit first, then those "
            "not heard of."
        )


def _above(*, dark: bool) -> str:
    """The style of what a host above a limit says of itself."""
    return f"font-weight: 600; color: {(BARS_ON_DARK if dark else COLOURS)['critical']}"


def table(found: Sequence[Host], now: datetime, where: tzinfo) -> list[dict[str, Any]]:
    """A row for each host: its state in words, what is in use now, and the last 24 hours."""
    made = []
    for host in found:
        row: dict[str, Any] = {"Host": host.name, "State": state(host, now, where)}
        for name, title in _TITLES.items():
            row[title] = getattr(host.latest, name)
            row[f"{title}, 24 h"] = lately(host, name)
        made.append(row)
    return made


def state(host: Host, now: datetime, where: tzinfo) -> str:
    """What is wrong with a host, or that nothing is, and what was not measured."""
    if host.silent(now):
        return f"not heard of since {clock(host.latest.at, where)}"
    if over := host.latest.over():
        said = _ABOVE + ", ".join(_TITLES[name] for name in over)
    else:
        said = "within its limits"
    if unknown := [title for name, title in _TITLES.items() if getattr(host.latest, name) is None]:
        said += f"; {', '.join(unknown)} not measured yet"
    return said


def lately(host: Host, name: str) -> list[float]:
    """The values of the last day, the highest of each of at most POINTS parts."""
    values = [v for one in host.samples if (v := getattr(one, name)) is not None]
    size = -(-len(values) // POINTS) or 1
    return [max(values[n : n + size]) for n in range(0, len(values), size)]


def _columns() -> dict[str, Any]:
    column = st.column_config
    made: dict[str, Any] = {
        "Host": column.TextColumn(width=180),
        "State": column.TextColumn(
            width=260,
            help=f"a host is heard of with its runs; after {SILENT_AFTER.seconds // 60} minutes "
            "without any it may be gone",
        ),
    }
    for name, title in _TITLES.items():
        made[title] = column.NumberColumn(
            format="%.0f %%", width=74, help=f"limit {LIMITS[name]:g} %"
        )
        made[f"{title}, 24 h"] = column.LineChartColumn(width=150, y_min=0, y_max=100)
    return made
