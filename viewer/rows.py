"""Table rows, dialog rows and CSV from the store's rows. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from sentinel_core.base.settings import Settings
from sentinel_core.model.cleaning import clean_text
from sentinel_core.store.state import system_rule
from sentinel_core.store.state.watched import WATCHED, deployment_of
from sentinel_core.wording.colours import COLOURS, STATES, TRIGGERED
from sentinel_core.wording.labels import KINDS, RESOLUTIONS, status_words
from sentinel_core.wording.text import shorten

Row = Mapping[str, Any]

_TRIGGERED = "Triggered"  # the name of the completed state of a run whose alert fires
_MEASURED = "Measured"  # the same of a run whose rule has conditions, which judge it later
_CURSOR = {True: "rgba(31,111,235,0.55)", False: "rgba(9,105,218,0.30)"}
_SHADE = {"critical": "rgba(209,36,47,{})", "high": "rgba(212,136,6,{})"}


def one_line(text: str, limit: int = 400) -> str:
    """A message in one table cell."""
    return shorten(" ".join(clean_text(text).split()), limit)


def state_badges(rows: Sequence[Row]) -> dict[str, str]:
    """The state names in these rows with the colour of their Prefect state type."""
    badges: dict[str, str] = {}
    for row in rows:
        if name := row["prefect_state_name"]:
            # An alert's run completed, and yet it is no good news.
            fires = name in (_TRIGGERED, _MEASURED)
            badges[name] = TRIGGERED if fires else state_colour(name, row["prefect_state"])
    return badges


def state_colour(name: str | None, kind: str | None) -> str:
    """The colour of a Prefect state; a run that triggered has one of its own."""
    return TRIGGERED if name == _TRIGGERED else STATES.get(kind or "", COLOURS["low"])


_VALUES: Mapping[str, Callable[[Row], Any]] = {
    "Time": lambda row: row["timestamp"],
    "Importance": lambda row: [row["importance"]],
    "Rule": lambda row: row["rule_name"],
    "Ticker": lambda row: row["ticker"],
    "Message": lambda row: one_line(row["message"]) or "(no message)",
    "State": lambda row: [row["prefect_state_name"]] if row["prefect_state_name"] else [],
    "Status": status_words,
    "Category": lambda row: row["category"],
    "Occurrences": lambda row: row["occurrences"],
    "Kind": lambda row: KINDS.get(row["kind"], row["kind"]),
    "Environment": lambda row: row["environment"] or "",
    "Last seen": lambda row: row["last_seen"],
    "Resolved": lambda row: row["resolved_at"],
    "How it ended": lambda row: RESOLUTIONS.get(row["resolution"], row["resolution"] or ""),
    "Acknowledged": lambda row: row["acknowledged_at"],
    "By": lambda row: row["acknowledged_by"] or "",
    "Comment": lambda row: one_line(row["comment"] or ""),
    "Assigned to": lambda row: row["assigned_to"] or "",
    "Disposition": lambda row: row["disposition"] or "",
    "Run started": lambda row: row["started_at"],
    "Run ended": lambda row: row["completed_at"],
    "Retries": lambda row: row["retry_count"],
}
COLUMNS = (
    "Time",
    "Importance",
    "Rule",
    "Ticker",
    "Message",
    "State",
    "Status",
    "Category",
    "Occurrences",
    "Run",
    "Event",
)
"""The columns that the blotter has unless others are chosen."""

ALL_COLUMNS = (*COLUMNS, *(name for name in _VALUES if name not in COLUMNS))
HISTORY_COLUMNS = ("Event", *_VALUES, "Run")


def table(
    rows: Sequence[Row],
    settings: Settings,
    columns: Sequence[str] = COLUMNS,
    page: str = "",
) -> pd.DataFrame:
    """These columns of the rows in the order given; row n is `rows[n]`.

    The column Event is called `id`; `page` is the address of an event's page.
    """
    data: dict[str, list[Any]] = {}
    for name in columns:
        if name == "Run":
            data[name] = [run_url(row, settings) for row in rows]
        elif name == "Event":
            data["id"] = [f"{page}?event={row['id']}" for row in rows]
        else:
            data[name] = [_VALUES[name](row) for row in rows]
    return pd.DataFrame(data)


def in_order(
    picked: Sequence[str], offered: Sequence[str], usual: Sequence[str]
) -> tuple[str, ...]:
    """The picked columns in the order they are offered in; the usual ones if there are none."""
    return tuple(name for name in offered if name in picked) or tuple(usual)


def run_url(row: Row, settings: Settings) -> str | None:
    """The flow run in the Prefect UI; None for an event without a run."""
    run = row["prefect_flow_run_id"]
    return settings.flow_run_url(run) if run else None


def rule_url(rule: Row | None, settings: Settings) -> str | None:
    """The rule in the Prefect UI; None for one without a deployment (store.state.watched)."""
    if rule is None or rule["deployment_id"] in system_rule.OWN:
        return None
    watched = rule.get("trigger") == WATCHED
    deployment = deployment_of(rule["parameters"]) if watched else rule["deployment_id"]
    return settings.deployment_url(deployment) if deployment else None


def shades(rows: Sequence[Row], dark: bool, cursor: int | None = None) -> list[str]:
    """The background of each row: blue for the one with the cursor, red for critical and amber for
    high while unacknowledged."""
    strength = {"critical": 0.32, "high": 0.16} if dark else {"critical": 0.14, "high": 0.10}
    shades = [
        f"background-color: {_SHADE[row['importance']].format(strength[row['importance']])}"
        if row["importance"] in _SHADE and not row["is_acknowledged"]
        else ""
        for row in rows
    ]
    if cursor is not None:
        shades[cursor] = f"background-color: {_CURSOR[dark]}"
    return shades


def chosen(rows: Sequence[Row]) -> pd.DataFrame:
    """The selected events, for the dialog that changes them."""
    return pd.DataFrame(
        [
            (
                row["id"],
                row["timestamp"],
                row["importance"],
                row["rule_name"],
                row["ticker"],
                one_line(row["message"]),
            )
            for row in rows
        ],
        columns=["id", "Time", "Importance", "Rule", "Ticker", "Message"],
    )
