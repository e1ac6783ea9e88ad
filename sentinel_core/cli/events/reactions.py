"""`sentinel events approve`, and the reactions that `sentinel events show` lists."""

from datetime import datetime
from typing import Annotated

from cyclopts import Parameter

from sentinel_core.base.settings import Settings
from sentinel_core.cli.options import By, EventIds, Json
from sentinel_core.cli.output import one_line, print_outcomes
from sentinel_core.cli.parse import author, ids_of, utc_now
from sentinel_core.cli.store import writable_store
from sentinel_core.store.read.event_detail import EventDetail
from sentinel_core.store.record import react
from sentinel_core.wording.reaction_timeline import timeline
from sentinel_core.wording.times import stamp


def approve(
    *events: EventIds,
    comment: Annotated[str, Parameter(help="Why it may start.")] = "",
    by: By = None,
    as_json: Json = False,
) -> int:
    """Approve the reactions of events that wait for it; this acknowledges the events, too.

    The flow deliver starts them within a minute. `sentinel events show` says what waits.

    `sentinel events approve 12 --comment "the new data is fine"`
    """
    ids, who = ids_of("event", events), author(by)
    with writable_store() as engine:
        result = react.approve(engine, ids, by=who, comment=comment, now=utc_now())
    left = dict.fromkeys(result.events.already, "nothing of it waits for an approval")
    done = f"approved by {who}"
    if len(ids) == 1 and result.reactions:
        done += f": {', '.join(one_line(name) for name in result.reactions)}"
    return print_outcomes("event", ids, result.events.done, done, left, as_json=as_json)


def reacted(found: EventDetail, where: Settings, now: datetime) -> list[tuple[str, ...]]:
    """The reactions of an event, one row for each."""
    return [
        (
            stamp(one.at, year=False),
            one_line(one.what),
            one.why,
            one.state.value,
            one_line(one.words, 2_500),
            where.flow_run_url(one.run) if one.run else "",
        )
        for one in timeline(found.reactions, now)
    ]
