"""The latest values of a series as a small picture: PNG by Pillow, on transparent ground. Pure.

Its greys and blues are readable on white and on black, as nobody knows how a mail is shown.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING

from sentinel_core.wording.text import roughly, shorten

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw as Draw

WIDTH, HEIGHT = 560, 170  # as shown; drawn twice as large, for fine screens
_SCALE, _SMOOTH = 2, 2  # drawn larger still and reduced: Pillow's lines have no smooth edges
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 88, 14, 24
_INK, _LINE, _LIMIT = (120, 128, 138, 255), (47, 129, 247, 255), (209, 72, 72, 255)
_GROUND = (128, 128, 128, 0)
_POINTS = 1_000
_DAY_LONG = timedelta(hours=36)

Point = tuple[float, float]


def chart(
    history: Sequence[tuple[datetime, float]], threshold: float | None = None, unit: str = ""
) -> bytes | None:
    """A line through the latest values, dashes where the threshold is; None for fewer than two."""
    points = [(at, value) for at, value in history if math.isfinite(value)][-_POINTS:]
    if len(points) < 2:  # noqa: PLR2004
        return None
    # Pillow only where a picture is made: recording a run must not pay for its import.
    from PIL import Image, ImageDraw, ImageFont

    zoom = _SCALE * _SMOOTH
    picture = Image.new("RGBA", (WIDTH * zoom, HEIGHT * zoom), _GROUND)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(11 * zoom)
    limit = threshold if threshold is not None and math.isfinite(threshold) else None
    scale = _Scale(points, limit)
    if limit is not None:
        _dashes(draw, scale.y(limit) * zoom, zoom)
    path = [(scale.x(at) * zoom, scale.y(value) * zoom) for at, value in points]
    draw.line(path, fill=_LINE, width=2 * zoom, joint="curve")
    _dot(draw, path[-1], 3.5 * zoom)
    for y, text, ink in _labels(scale, points, limit, unit):
        draw.text(((WIDTH - _RIGHT + 8) * zoom, y * zoom), text, fill=ink, font=font, anchor="lm")
    floor = (HEIGHT - 4) * zoom
    first, last = _times(points[0][0], points[-1][0])
    draw.text((_LEFT * zoom, floor), first, fill=_INK, font=font, anchor="ls")
    draw.text(((WIDTH - _RIGHT) * zoom, floor), last, fill=_INK, font=font, anchor="rs")
    small = picture.reduce(_SMOOTH)
    out = BytesIO()
    small.save(out, "PNG", optimize=True)
    return out.getvalue()


class _Scale:
    """Where a time and a value are, in pixels.

    Values are halved before they are subtracted: the distance of the largest floats is no float.
    """

    def __init__(self, points: Sequence[tuple[datetime, float]], limit: float | None) -> None:
        values = [value for _, value in points] + ([limit] if limit is not None else [])
        self.low, self.high = min(values), max(values)
        self.start = points[0][0]
        self.seconds = (points[-1][0] - self.start).total_seconds() or 1.0

    def x(self, at: datetime) -> float:
        """Pixels from the left."""
        share = (at - self.start).total_seconds() / self.seconds
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Pixels from the top; what never moves is in the middle."""
        reach = self.high / 2 - self.low / 2
        share = (value / 2 - self.low / 2) / reach if reach else 0.5
        return _TOP + (1 - share) * (HEIGHT - _TOP - _BOTTOM - 8)


def _dashes(draw: "Draw", y: float, zoom: int) -> None:
    """Whole pixels high, so that the line is not blurred."""
    top = round(y / _SMOOTH) * _SMOOTH
    for x in range(_LEFT, WIDTH - _RIGHT, 9):
        box = [x * zoom, top, (x + 5) * zoom - 1, top + 2 * _SMOOTH - 1]
        draw.rectangle(box, fill=_LIMIT)


def _dot(draw: "Draw", at: Point, radius: float) -> None:
    x, y = at
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=_LINE)


def _labels(
    scale: _Scale, points: Sequence[tuple[datetime, float]], limit: float | None, unit: str
) -> list[tuple[float, str, tuple[int, int, int, int]]]:
    """The latest value, the threshold, the ends; what would cover an earlier one is left out."""
    wanted = [(points[-1][1], _LINE)]
    if limit is not None:
        wanted.append((limit, _LIMIT))
    values = [value for _, value in points]
    wanted += [(max(values), _INK), (min(values), _INK)]
    placed: list[tuple[float, str, tuple[int, int, int, int]]] = []
    for value, ink in wanted:
        y = scale.y(value)
        if all(abs(y - other) >= 13 for other, _, _ in placed):  # noqa: PLR2004
            placed.append((y, shorten(roughly(value, unit), 14), ink))
    return placed


def _times(first: datetime, last: datetime) -> tuple[str, str]:
    form = "%b %d, %Y" if last - first > timedelta(days=300) else "%b %d"
    if last - first <= _DAY_LONG:
        form = "%H:%M"
        return f"{first.astimezone(UTC):{form}}", f"{last.astimezone(UTC):{form}} UTC"
    return f"{first.astimezone(UTC):{form}}", f"{last.astimezone(UTC):{form}}"
