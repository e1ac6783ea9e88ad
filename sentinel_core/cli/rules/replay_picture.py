"""Two timelines as a picture: the metric above, a lane of events for each below. Plain SVG."""

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

from sentinel_core.decide.observe import Kind
from sentinel_core.model.alert import clean_text
from sentinel_core.model.condition import Aggregate, AnyOf, Condition, each
from sentinel_core.replay.replay import Stored, Timeline

_LEFT, _RIGHT, _WIDE = 150, 24, 1100
_TOP, _HIGH, _LANE, _GAP = 52, 240, 34, 16
_PLOT = _WIDE - _LEFT - _RIGHT
_COLOURS = {"critical": "#d1242f", "high": "#bc4c00", "medium": "#9a6700", "low": "#57606a"}
_TROUBLE = "#6639ba"  # what could not be judged, of whatever importance
_INK, _FAINT, _LINE = "#1f2328", "#59636e", "#0969da"
_MINUTES = (1, 5, 15, 30, 60, 180, 360, 720, 1440, 2880, 10_080, 40_320, 161_280)
_MOST_TICKS = 9
_MOST_THRESHOLDS = 6


class Sketch:
    """The metric's course, no finer than it will be drawn: what passes by is not kept."""

    def __init__(
        self, since: datetime, until: datetime, conditions: Sequence[Condition | AnyOf]
    ) -> None:
        self.since, self.until = since, until
        single = list(each(conditions))
        self.metric: str | None = single[0].metric if single else None
        self.thresholds = sorted(
            {
                c.value
                for c in single
                if c.metric == self.metric
                and c.baseline is None
                and c.aggregate
                not in (Aggregate.SUM, Aggregate.COUNT, Aggregate.DELTA, Aggregate.RATE)
            }
        )[:_MOST_THRESHOLDS]
        self.low: dict[int, float] = {}
        self.high: dict[int, float] = {}
        self.tickers: set[str] = set()

    def add(self, run: Sequence[Stored]) -> None:
        """What one run measured."""
        for row in run:
            if row.at < self.since or not row.metrics:
                continue
            if self.metric is None:
                self.metric = "value" if "value" in row.metrics else min(row.metrics)
            value = row.metrics.get(self.metric)
            if value is None:
                continue
            place = int(self.x(row.at))
            self.low[place] = min(value, self.low.get(place, value))
            self.high[place] = max(value, self.high.get(place, value))
            if len(self.tickers) <= 1:
                self.tickers.add(row.ticker)

    def x(self, at: datetime) -> float:
        """Where a moment is drawn, within the plot."""
        share = (at - self.since) / (self.until - self.since)
        return _LEFT + min(max(share, 0.0), 1.0) * _PLOT


def svg(
    title: str, sketch: Sketch, deployed: Timeline, wanted: Timeline, labels: tuple[str, str]
) -> str:
    """The whole picture."""
    lanes = _TOP + _HIGH + _GAP
    bottom = lanes + 2 * (_LANE + _GAP)
    height = bottom + 62
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDE}" height="{height}" '
        f'viewBox="0 0 {_WIDE} {height}" font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{_WIDE}" height="{height}" fill="#ffffff"/>',
        _text(_LEFT, 26, title, size=16, colour=_INK),
        *_time_axis(sketch, bottom),
        *_metric(sketch),
        *_lane(sketch, deployed, labels[0], lanes),
        *_lane(sketch, wanted, labels[1], lanes + _LANE + _GAP),
        *_legend(height - 14),
        _text(_LEFT + _PLOT, height - 14, "times in UTC", anchor="end"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _metric(sketch: Sketch) -> Iterator[str]:
    yield (
        f'<rect x="{_LEFT}" y="{_TOP}" width="{_PLOT}" height="{_HIGH}" fill="none" '
        'stroke="#d1d9e0"/>'
    )
    if not sketch.low:
        yield _text(_LEFT + 12, _TOP + _HIGH / 2, "no metric was recorded")
        return
    numbers = [*sketch.low.values(), *sketch.high.values(), *sketch.thresholds]
    ticks = list(_nice(min(numbers), max(numbers)))
    least, most = ticks[0], ticks[-1]

    def y(value: float) -> float:
        return _TOP + _HIGH - (value - least) / (most - least) * _HIGH

    several = len(sketch.tickers) > 1
    what = f"{sketch.metric}, all series" if several else f"{sketch.metric}"
    yield _text(_LEFT - 10, _TOP - 10, what, anchor="end", colour=_LINE)
    for tick in ticks:
        yield _rule(_LEFT, y(tick), _LEFT + _PLOT, y(tick), "#eaeef2")
        yield _text(_LEFT - 10, y(tick) + 4, f"{tick:g}", anchor="end")
    yield from _course(sketch, y)
    for value in sketch.thresholds:
        yield _rule(_LEFT, y(value), _LEFT + _PLOT, y(value), "#cf222e", dashed=True)
        yield _text(_LEFT + _PLOT - 4, y(value) - 4, f"{value:g}", anchor="end", colour="#cf222e")


def _course(sketch: Sketch, y: Callable[[float], float]) -> Iterator[str]:
    """From the smallest to the largest value at each place; a line where they are one."""
    places = sorted(sketch.low)
    upper = [f"{place + 0.5:.1f},{y(sketch.high[place]):.1f}" for place in places]
    lower = [f"{place + 0.5:.1f},{y(sketch.low[place]):.1f}" for place in reversed(places)]
    points = " ".join(upper + lower)
    yield (
        f'<polygon points="{points}" fill="{_LINE}" fill-opacity="0.25" stroke="{_LINE}" '
        'stroke-width="1.2" stroke-linejoin="round"/>'
    )


def _lane(sketch: Sketch, line: Timeline, label: str, top: float) -> Iterator[str]:
    yield f'<rect x="{_LEFT}" y="{top}" width="{_PLOT}" height="{_LANE}" fill="#f6f8fa"/>'
    told = [m for m in line.messages if m.suppressed is None]
    count = len(line.events)
    yield _text(_LEFT - 10, top + 14, _short(label), anchor="end", colour=_INK)
    events = f"{count:,} event{'s' * (count != 1)}, {len(told):,} told"
    yield _text(_LEFT - 10, top + 29, events, anchor="end", size=11)
    bars = {
        (
            round(sketch.x(event.opened_at), 1),
            round(sketch.x(event.resolved_at or sketch.until), 1),
            _TROUBLE if event.kind is not Kind.ALERT else _COLOURS[event.importance],
        )
        for event in line.events
    }
    for start, end, colour in sorted(bars):
        yield (
            f'<rect x="{start}" y="{top + 4}" width="{max(end - start, 2):.1f}" height="14" '
            f'rx="2" fill="{colour}" fill-opacity="0.85"/>'
        )
    dots = {(round(sketch.x(m.at)), m.suppressed is None) for m in line.messages}
    for place, sent in sorted(dots):
        fill = _INK if sent else "#ffffff"
        yield (
            f'<circle cx="{place}" cy="{top + 26}" r="3" fill="{fill}" stroke="{_INK}" '
            'stroke-width="1"/>'
        )


def _short(label: str) -> str:
    return label if len(label) <= 22 else f"{label[:21]}…"  # noqa: PLR2004 (what fits beside it)


def _time_axis(sketch: Sketch, bottom: float) -> Iterator[str]:
    span = sketch.until - sketch.since
    minutes = next(
        (m for m in _MINUTES if span / timedelta(minutes=m) <= _MOST_TICKS), _MINUTES[-1]
    )
    step = minutes * 60
    form = "%m-%d" if minutes >= 1440 else "%m-%d %H:%M"  # noqa: PLR2004 (a day)
    moment = math.ceil(sketch.since.timestamp() / step) * step
    while moment <= sketch.until.timestamp():
        at = datetime.fromtimestamp(moment, UTC)
        x = sketch.x(at)
        yield _rule(x, _TOP, x, bottom - _GAP, "#eaeef2")
        yield _text(x, bottom + 4, at.strftime(form), anchor="middle")
        moment += step


def _legend(y: float) -> Iterator[str]:
    x = float(_LEFT)
    for name, colour in [*_COLOURS.items(), ("not judged", _TROUBLE)]:
        yield f'<rect x="{x}" y="{y - 10}" width="16" height="11" rx="2" fill="{colour}"/>'
        yield _text(x + 22, y, name)
        x += 40 + 7 * len(name)
    for name, fill in (("told", _INK), ("not told", "#ffffff")):
        yield f'<circle cx="{x + 8}" cy="{y - 4}" r="3" fill="{fill}" stroke="{_INK}"/>'
        yield _text(x + 18, y, name)
        x += 36 + 7 * len(name)


def _nice(least: float, most: float) -> Iterator[float]:
    """Four or so round numbers that take in both ends."""
    if most <= least:
        least, most = least - 1, most + 1
    rough = (most - least) / 4
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * n for n in (1, 2, 5, 10) if size * n >= rough * 0.999)
    for number in range(math.floor(least / step), math.ceil(most / step) + 1):
        yield number * step


def _rule(
    x: float, y: float, to_x: float, to_y: float, colour: str, *, dashed: bool = False
) -> str:
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="{colour}"{dash}/>'
    )


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    size: int = 12,
    colour: str = _FAINT,
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="{colour}">{escape(clean_text(text))}</text>'
    )
