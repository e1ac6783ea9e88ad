"""The cards above the blotter: rules, events, unacknowledged events, flow runs, Prefect. Pure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sentinel_core.store.read.filters import COUNT_CAP
from sentinel_core.store.read.periods import Periods
from sentinel_core.wording.text import counted
from viewer.escape import number
from viewer.status import Coverage

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


def _change(now: int, before: int) -> str:
    """How many more, or fewer, opened in the last day than in the day before."""
    if max(now, before) > COUNT_CAP:
        return ":gray[too many to compare]"
    if now == before:
        return ":gray[as the day before]"
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
