"""A report's bars as a picture: events over time, stacked by importance. PNG by Pillow. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

from sentinel_core.message.phrases import colour

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw as Draw
    from PIL.ImageFont import FreeTypeFont, ImageFont

WIDTH, HEIGHT = 560, 190  # as shown; drawn twice as large, for fine screens
_ZOOM = 2
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 8, 26, 22
_INK, _LINE, _GROUND = (110, 119, 129, 255), (128, 128, 128, 90), (128, 128, 128, 0)
_LABELS = 8


def with_chart(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a report with its chart drawn, if anything happened."""
    picture = chart(facts.get("bars") or {})
    return {**facts, "chart": picture} if picture else dict(facts)


def chart(bars: Mapping[str, Any]) -> bytes | None:
    """The bars `facts` has; None where there is nothing to see."""
    since = [datetime.fromisoformat(text) for text in bars.get("since") or ()]
    counts: Mapping[str, Sequence[int]] = bars.get("counts") or {}
    totals = [sum(column) for column in zip(*counts.values(), strict=True)]
    highest = max(totals, default=0)
    if not highest or len(totals) != len(since):
        return None
    # Pillow only where a picture is made: recording a run must not pay for its import.
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGBA", (WIDTH * _ZOOM, HEIGHT * _ZOOM), _GROUND)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(11 * _ZOOM)
    _scale(draw, font, highest)
    _bars(draw, counts, len(since), highest)
    _times(draw, font, since)
    _legend(draw, font, [name for name, column in counts.items() if any(column)])
    out = BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def _x(position: float, count: int) -> float:
    return (_LEFT + position / count * (WIDTH - _LEFT - _RIGHT)) * _ZOOM


def _y(value: float, highest: int) -> float:
    return (HEIGHT - _BOTTOM - value / highest * (HEIGHT - _TOP - _BOTTOM)) * _ZOOM


def _scale(draw: "Draw", font: "FreeTypeFont | ImageFont", highest: int) -> None:
    for value in sorted({0, highest // 2, highest}):
        y = _y(value, highest)
        draw.line([(_LEFT * _ZOOM, y), ((WIDTH - _RIGHT) * _ZOOM, y)], fill=_LINE, width=_ZOOM // 2)
        draw.text(((_LEFT - 6) * _ZOOM, y), f"{value:,}", fill=_INK, font=font, anchor="rm")


def _bars(draw: "Draw", counts: Mapping[str, Sequence[int]], count: int, highest: int) -> None:
    """What matters most stands at the bottom, where heights are easy to compare."""
    gap = 0.12
    for position in range(count):
        below = 0
        for name, column in counts.items():
            if column[position]:
                top, foot = _y(below + column[position], highest), _y(below, highest)
                box = [_x(position + gap, count), top, _x(position + 1 - gap, count), foot - 1]
                draw.rectangle([box[0], min(top, foot - 1), box[2], box[3]], fill=colour(name))
                below += column[position]


def _times(draw: "Draw", font: "FreeTypeFont | ImageFont", since: Sequence[datetime]) -> None:
    every = -(-len(since) // _LABELS)
    days = (since[-1] - since[0]).days > 1
    for position in range(0, len(since), every):
        text = f"{since[position]:{'%b %d' if days else '%H:%M'}}"
        place = (_x(position, len(since)), (HEIGHT - 5) * _ZOOM)
        draw.text(place, text, fill=_INK, font=font, anchor="ls")


def _legend(draw: "Draw", font: "FreeTypeFont | ImageFont", names: Sequence[str]) -> None:
    x = float(_LEFT * _ZOOM)
    for name in names:
        draw.rectangle([x, 6 * _ZOOM, x + 9 * _ZOOM, 15 * _ZOOM], fill=colour(name))
        draw.text((x + 13 * _ZOOM, 11 * _ZOOM), name, fill=_INK, font=font, anchor="lm")
        x += (24 * _ZOOM) + draw.textlength(name, font=font)
