"""The cards above the blotter: rules, events, unacknowledged events, flow runs, Prefect. Pure."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from sentinel_core.store.read.filters import COUNT_CAP
from sentinel_core.store.read.periods import Periods, Trends
from sentinel_core.wording.text import counted
from viewer.escape import number
from viewer.status import Coverage

LINE_WIDTH, LINE_HEIGHT = 160, 18  # pixels

if TYPE_CHECKING:
    from viewer.prefect_now import Latest


def cards(
    covered: Coverage, unacknowledged: int, periods: Periods, prefect: "Latest"
) -> Sequence[str]:
    """The cards, each as two lines of markdown: a figure, and what stands beside it."""
    overdue = f":red[{len(covered.overdue)} overdue]" if covered.overdue else ":gray[all on time]"
    if not covered.active:
        overdue = ":orange[nothing is checked]"
    return [
        f"**{covered.active:,}** active {'rule' if covered.active == 1 else 'rules'}  \n{overdue}",
        f"**{number(unacknowledged, COUNT_CAP)}** unacknowledged  \n{_change(*periods.waiting)}",
        f"**{number(periods.events[0], COUNT_CAP)}** "
        f"{'event' if periods.events[0] == 1 else 'events'} in 24 h  \n{_change(*periods.events)}",
        *_prefect(prefect),
    ]


def lines(trends: Trends, colour: str) -> Sequence[str]:
    """The line below each of the cards, as HTML; empty for a card without a past on record."""
    events = line(trends.events, "events per hour in the last 24 h", colour)
    waiting = line(trends.waiting, "unacknowledged by the hour in which they opened", colour)
    return ["", waiting, events, "", ""]


def line(counts: Sequence[int], what: str, colour: str) -> str:
    """A line through these counts, with the highest one in words.

    An image, as Streamlit takes SVG out of HTML.
    """
    most = max(counts, default=0)
    if not most:
        return ""
    step = LINE_WIDTH / max(1, len(counts) - 1)
    low = LINE_HEIGHT - 1
    points = " ".join(
        f"{n * step:.1f},{low - (low - 1) * count / most:.1f}" for n, count in enumerate(counts)
    )
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LINE_WIDTH}" height="{LINE_HEIGHT}">'
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/></svg>'
    )
    said = escape(f"{what}, at most {most:,}")
    return f'<img src="data:image/svg+xml,{quote(drawn)}" alt="{said}" title="{said}">'


def _change(now: int, before: int) -> str:
    """How many more, or fewer, opened in the last day than in the day before."""
    if max(now, before) > COUNT_CAP:
        return ":gray[too many to compare]"
    if now == before:
        return ":gray[same as the day before]"
    return f":gray[{now - before:+,} on the day before]"


def _prefect(known: "Latest") -> Sequence[str]:
    if known.problem:
        return [
            "**?** flow runs  \n:gray[unknown]",
            ":red-badge[:material/error: Prefect is away]  \n:gray[System says more]",
        ]
    if known.summary is None:
        return ["**…** flow runs  \n:gray[asking Prefect]", "Prefect  \n:gray[asking]"]
    found = known.summary
    failed = f":red[{found.failed:,} failed]" if found.failed else ":gray[0 failed]"
    workers = f":gray[{counted(found.workers, 'worker')} online]"
    if not found.workers:
        workers = ":red[no worker online]"
    runs = "flow run" if found.running == 1 else "flow runs"
    return [
        f"**{found.running:,}** {runs} running  \n{failed}:gray[, {found.completed:,} done, 24 h]",
        f":green-badge[:material/check: Prefect is up]  \n{workers}",
    ]
