"""Charts inside an email: a series' latest values, and a report's events over time. Pure.

PNG by Pillow, with a transparent background and colours readable on white and on black, as mail
programs may show either.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

from sentinel_core.message.phrases import colour
from sentinel_core.wording.text import roughly, shorten

WIDTH, SERIES_HEIGHT, REPORT_HEIGHT = 560, 170, 190  # as shown
_SCALE = 2  # pictures are twice as large, for fine screens
_SMOOTH = 2  # drawn even larger and reduced, as Pillow's lines are not smooth
_ZOOM = _SCALE * _SMOOTH
_INK, _LINE, _LIMIT = (120, 128, 138, 255), (47, 129, 247, 255), (209, 72, 72, 255)
_GRID, _GROUND = (128, 128, 128, 90), (128, 128, 128, 0)
_POINTS = 1_000
_DAY_LONG, _YEAR_LONG = timedelta(hours=36), timedelta(days=300)
_LABEL_HEIGHT = 13
_TIMES = 8  # under the bars of a report

Colour = tuple[int, int, int, int] | str


class _Chart:
    """A picture with room for labels around a plot; positions are in pixels as shown."""

    def __init__(self, height: int, left: int, right: int, top: int, bottom: int) -> None:
        # Imported here, so that recording a run does not pay for it.
        from PIL import Image, ImageDraw, ImageFont

        self.height = height
        self.left, self.right, self.top, self.bottom = left, WIDTH - right, top, height - bottom
        self._picture = Image.new("RGBA", (WIDTH * _ZOOM, height * _ZOOM), _GROUND)
        self._draw = ImageDraw.Draw(self._picture)
        self._font = ImageFont.load_default(11 * _ZOOM)

    def x(self, share: float) -> float:
        """A share of the plot's width, from the left."""
        return self.left + share * (self.right - self.left)

    def y(self, share: float) -> float:
        """A share of the plot's height, from the bottom."""
        return self.bottom - share * (self.bottom - self.top)

    def label(self, x: float, y: float, text: str, anchor: str, ink: Colour = _INK) -> float:
        """Write a text; returns its width."""
        self._draw.text((x * _ZOOM, y * _ZOOM), text, fill=ink, font=self._font, anchor=anchor)
        return self._draw.textlength(text, font=self._font) / _ZOOM

    def time(self, x: float, text: str, anchor: str) -> None:
        """Write a time below the plot."""
        self.label(x, self.height - 4, text, anchor)

    def box(self, left: float, top: float, right: float, bottom: float, ink: Colour) -> None:
        """Fill a rectangle of whole pixels, whose edges are not blurred."""
        corners = [round(edge * _SCALE) * _SMOOTH for edge in (left, top, right, bottom)]
        if corners[0] < corners[2] and corners[1] < corners[3]:
            self._draw.rectangle([*corners[:2], corners[2] - 1, corners[3] - 1], fill=ink)

    def path(self, points: Sequence[tuple[float, float]]) -> None:
        """Draw a line through points, with a dot at its end."""
        zoomed = [(x * _ZOOM, y * _ZOOM) for x, y in points]
        self._draw.line(zoomed, fill=_LINE, width=2 * _ZOOM, joint="curve")
        self._draw.circle(zoomed[-1], 3.5 * _ZOOM, fill=_LINE)

    def png(self) -> bytes:
        """The picture as a file."""
        out = BytesIO()
        self._picture.reduce(_SMOOTH).save(out, "PNG", optimize=True)
        return out.getvalue()


def series_chart(
    history: Sequence[tuple[datetime, float]], threshold: float | None = None, unit: str = ""
) -> bytes | None:
    """A line through the latest values, dashes at the threshold; None for fewer than two values."""
    points = [(at, value) for at, value in history if math.isfinite(value)][-_POINTS:]
    if len(points) < 2:  # noqa: PLR2004
        return None
    limit = threshold if threshold is not None and math.isfinite(threshold) else None
    values = [value for _, value in points]
    shown = values if limit is None else [*values, limit]
    low, high, first, last = min(shown), max(shown), points[0][0], points[-1][0]
    seconds = (last - first).total_seconds() or 1.0
    # Halved before they are subtracted: the distance of the largest floats is no float.
    reach = high / 2 - low / 2
    chart = _Chart(SERIES_HEIGHT, left=8, right=88, top=14, bottom=32)

    def y(value: float) -> float:
        return chart.y((value / 2 - low / 2) / reach if reach else 0.5)

    if limit is not None:
        for left in range(chart.left, chart.right, 9):
            chart.box(left, y(limit), left + 5, y(limit) + 1, _LIMIT)
    chart.path([(chart.x((at - first).total_seconds() / seconds), y(v)) for at, v in points])
    wanted = [(values[-1], _LINE), *([] if limit is None else [(limit, _LIMIT)])]
    labelled: list[float] = []
    for value, ink in [*wanted, (max(values), _INK), (min(values), _INK)]:
        # Labels that would cover an earlier one are left out.
        if all(abs(y(value) - other) >= _LABEL_HEIGHT for other in labelled):
            labelled.append(y(value))
            chart.label(chart.right + 8, y(value), shorten(roughly(value, unit), 14), "lm", ink)
    form, zone = ("%H:%M", " UTC") if last - first <= _DAY_LONG else ("%b %d", "")
    form = "%b %d, %Y" if last - first > _YEAR_LONG else form
    chart.time(chart.left, f"{first.astimezone(UTC):{form}}", "ls")
    chart.time(chart.right, f"{last.astimezone(UTC):{form}}{zone}", "rs")
    return chart.png()


def report_chart(bars: Mapping[str, Any]) -> bytes | None:
    """Events over time, stacked by importance: a report's `bars`; None if there were none."""
    since = [datetime.fromisoformat(text) for text in bars.get("since") or ()]
    counts: Mapping[str, Sequence[int]] = bars.get("counts") or {}
    totals = [sum(column) for column in zip(*counts.values(), strict=True)]
    highest, bar_count = max(totals, default=0), len(since)
    if not highest or len(totals) != bar_count:
        return None
    chart = _Chart(REPORT_HEIGHT, left=40, right=8, top=26, bottom=22)
    for value in sorted({0, highest // 2, highest}):
        y = chart.y(value / highest)
        chart.box(chart.left, y, chart.right, y + 0.5, _GRID)
        chart.label(chart.left - 6, y, f"{value:,}", "rm")
    for position in range(bar_count):
        left, right = (chart.x((position + edge) / bar_count) for edge in (0.12, 0.88))
        below = 0
        # The highest importance is at the bottom, where heights are easy to compare.
        for name, column in counts.items():
            top, bottom = (chart.y(n / highest) for n in (below + column[position], below))
            if column[position]:  # at least one pixel high, with a gap between two bars
                chart.box(left, min(top, bottom - 1), right, bottom - 0.5, colour(name))
            below += column[position]
    form = "%b %d" if (since[-1] - since[0]).days > 1 else "%H:%M"
    for position in range(0, bar_count, -(-bar_count // _TIMES)):
        chart.time(chart.x(position / bar_count), f"{since[position]:{form}}", "ls")
    x = float(chart.left)
    for name in [name for name, column in counts.items() if any(column)]:
        chart.box(x, 6, x + 9, 15, colour(name))
        x += 24 + chart.label(x + 13, 11, name, "lm")
    return chart.png()


def with_chart(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a report, with its chart if there were any events."""
    picture = report_chart(facts.get("bars") or {})
    return {**facts, "chart": picture} if picture else dict(facts)
