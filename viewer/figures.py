"""Charts as Vega-Lite specifications and their data. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sentinel_core.store.read.overview import Bucket
from sentinel_core.wording.colours import BARS, BARS_ON_DARK

_LINE = {True: "#58a6ff", False: "#0969da"}


def histogram(
    buckets: Sequence[Bucket], step: timedelta, *, dark: bool
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Stacked bars of events by importance over time: the rhythm of the day in 60 pixels."""
    colours = BARS_ON_DARK if dark else BARS
    data = [
        {
            "start": bucket.start.isoformat(),
            "end": (bucket.start + step).isoformat(),
            "importance": importance,
            "rank": rank,
            "events": bucket.counts.get(importance, 0),
        }
        for bucket in buckets
        for rank, importance in enumerate(colours)
        if bucket.counts.get(importance)
    ]
    edges = [bucket.start.isoformat() for bucket in buckets[:1]]
    edges += [(bucket.start + step).isoformat() for bucket in buckets[-1:]]
    span = buckets[-1].start - buckets[0].start if buckets else timedelta(0)
    spec: dict[str, Any] = {
        "height": 64,
        "padding": {"left": 0, "right": 4, "top": 2, "bottom": 0},
        "mark": {"type": "bar", "orient": "vertical", "binSpacing": 1},
        "encoding": {
            "x": {
                "field": "start",
                "type": "temporal",
                "title": None,
                "scale": {"domain": edges},
                "axis": {
                    "grid": False,
                    "tickCount": 8,
                    "labelFontSize": 10,
                    "format": _format(span),
                },
            },
            "x2": {"field": "end"},
            "y": {
                "field": "events",
                "type": "quantitative",
                "title": None,
                "stack": True,
                "axis": {
                    "tickCount": 2,
                    "tickMinStep": 1,
                    "format": "d",
                    "labelFontSize": 10,
                    "grid": False,
                },
            },
            "color": {
                "field": "importance",
                "scale": {"domain": list(colours), "range": list(colours.values())},
                "legend": None,
            },
            "order": {"field": "rank"},
            "tooltip": [
                {"field": "start", "type": "temporal", "format": "%Y-%m-%d %H:%M", "title": "from"},
                {"field": "importance", "type": "nominal"},
                {"field": "events", "type": "quantitative"},
            ],
        },
    }
    return data, spec


def _format(span: timedelta) -> str:
    """Hours on the axis within a day or so, days beyond; seconds within minutes."""
    if span <= timedelta(minutes=10):
        return "%H:%M:%S"
    return "%H:%M" if span <= timedelta(days=2) else "%d %b"


def readings(
    evaluations: Sequence[Mapping[str, Any]],
    earlier: Sequence[Mapping[str, Any]],
    opened: datetime,
    *,
    dark: bool,
) -> tuple[list[dict[str, Any]], dict[str, Any]] | None:
    """A series' value against its threshold, before and during an event; None without values."""
    rows = sorted((*earlier, *evaluations), key=lambda row: row["at"])
    data = [
        {
            "at": row["at"].isoformat(),
            "value": row["metrics"]["value"],
            "threshold": row["metrics"].get("threshold"),
            "judged": "triggered" if row["triggered"] else "ok",
        }
        for row in rows
        if "value" in row["metrics"]
    ]
    if not data:
        return None
    colours = BARS_ON_DARK if dark else BARS
    first, last = rows[0]["at"], rows[-1]["at"]
    axis = {"grid": False, "tickCount": 6, "format": _format(last - first)}
    x = {"field": "at", "type": "temporal", "title": None, "axis": axis}
    y = {"type": "quantitative", "title": None, "scale": {"zero": False}}
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "line", "color": _LINE[dark], "strokeWidth": 1.5},
            "encoding": {"x": x, "y": {**y, "field": "value"}},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 36, "opacity": 1},
            "encoding": {
                "x": x,
                "y": {**y, "field": "value"},
                "color": {
                    "field": "judged",
                    "scale": {
                        "domain": ["ok", "triggered"],
                        "range": [_LINE[dark], colours["critical"]],
                    },
                    "legend": None,
                },
                "tooltip": [
                    {"field": "at", "type": "temporal", "format": "%Y-%m-%d %H:%M:%S"},
                    {"field": "value", "type": "quantitative"},
                    {"field": "threshold", "type": "quantitative"},
                    {"field": "judged", "type": "nominal"},
                ],
            },
        },
        {
            "mark": {"type": "rule", "strokeDash": [2, 3], "opacity": 0.6},
            "data": {"values": [{"at": opened.isoformat()}]},
            "encoding": {"x": x, "color": {"value": colours["low"]}},
        },
    ]
    if any(row["threshold"] is not None for row in data):
        layers.append(
            {
                "mark": {"type": "line", "interpolate": "step-after", "strokeDash": [5, 4]},
                "transform": [{"filter": "isValid(datum.threshold)"}],
                "encoding": {
                    "x": x,
                    "y": {**y, "field": "threshold"},
                    "color": {"value": colours["high"]},
                },
            }
        )
    return data, {"height": 180, "layer": layers}
