"""Table rows, dialog rows and CSV from the store's rows. Pure."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from sentinel_core.base.settings import Settings
from sentinel_core.model.cleaning import clean_text
from sentinel_core.store.read.event_list import EXPORT_LIMIT
from sentinel_core.store.record.acknowledge import Acknowledged
from sentinel_core.store.state import system_rule
from sentinel_core.store.state.watched import WATCHED, deployment_of
from sentinel_core.wording.colours import COLOURS, STATES, TRIGGERED
from sentinel_core.wording.labels import status_of, status_words
from sentinel_core.wording.text import counted, shorten
from viewer.escape import plain

Row = Mapping[str, Any]

_TRIGGERED = "Triggered"  # the name of the completed state of a run whose alert fires
_MEASURED = "Measured"  # the same of a run whose rule has conditions, which judge it later
_SHADE = {"critical": "rgba(209,36,47,{})", "high": "rgba(212,136,6,{})"}

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
    "id",
)


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


def table(rows: Sequence[Row], settings: Settings) -> pd.DataFrame:
    """The blotter's rows in the order given; row n is `rows[n]`."""
    data = [
        (
            row["timestamp"],
            [row["importance"]],
            row["rule_name"],
            row["ticker"],
            one_line(row["message"]) or "(no message)",
            [row["prefect_state_name"]] if row["prefect_state_name"] else [],
            status_words(row),
            row["category"],
            row["occurrences"],
            run_url(row, settings),
            f"?event={row['id']}",
        )
        for row in rows
    ]
    return pd.DataFrame(data, columns=list(COLUMNS))


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


def shades(rows: Sequence[Row], dark: bool) -> list[str]:
    """The background of each row: red for critical, amber for high, while unacknowledged."""
    strength = {"critical": 0.32, "high": 0.16} if dark else {"critical": 0.14, "high": 0.10}
    return [
        f"background-color: {_SHADE[row['importance']].format(strength[row['importance']])}"
        if row["importance"] in _SHADE and not row["is_acknowledged"]
        else ""
        for row in rows
    ]


def chosen(rows: Sequence[Row]) -> pd.DataFrame:
    """The selected events, for the dialog that acknowledges them."""
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


def acknowledged(result: Acknowledged) -> str:
    """The result of an acknowledgement in a sentence (markdown, escaped)."""
    parts = [f"Acknowledged {counted(len(result.done), 'event')}."]
    if result.handled:
        names = sorted({row.by or "somebody" for row in result.handled})
        shown = plain(", ".join(names), 120)
        have = "has" if len(result.handled) == 1 else "have"
        parts.append(
            f"{counted(len(result.handled), 'event')} {have} already been acknowledged by {shown}."
        )
    if result.missing:
        parts.append(f"{counted(len(result.missing), 'event')} no longer in the store.")
    return " ".join(parts)


# -- CSV -----------------------------------------------------------------------------------

_CSV = (
    "id",
    "timestamp",
    "importance",
    "category",
    "kind",
    "rule_name",
    "ticker",
    "message",
    "prefect_state",
    "prefect_state_name",
    "status",
    "occurrences",
    "first_seen",
    "last_seen",
    "resolved_at",
    "acknowledged_at",
    "acknowledged_by",
    "comment",
    "flow_run_url",
)


def csv_cell(value: object) -> str:
    """A cell that no spreadsheet treats as a formula. Times as ISO 8601, in UTC."""
    if value is None:
        return ""
    text = value.isoformat() if hasattr(value, "isoformat") else clean_text(str(value))
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@") or text[:1] == "\t" else text


def csv_text(rows: Sequence[Row], *, cut: bool, settings: Settings) -> bytes:
    """The events as CSV; if it is cut, the last line says so."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_CSV)
    for row in rows:
        more = {"status": " ".join(status_of(row)), "flow_run_url": run_url(row, settings)}
        writer.writerow([csv_cell({**row, **more}[name]) for name in _CSV])
    if cut:
        writer.writerow([f"Cut at {EXPORT_LIMIT:,} events: there are more. Narrow the filters."])
    return out.getvalue().encode("utf-8-sig")  # with a BOM, by which Excel recognises UTF-8
