"""`sentinel events`: the events, from a terminal."""

from typing import Annotated, Literal

from cyclopts import App, Parameter, validators

app = App(
    name="events",
    help="The events: list, show, acknowledge, resolve, comment on, assign and classify them.",
)

Level = Literal["critical", "high", "medium", "low"]
Standing = Literal["open", "acknowledged", "resolved"]
Several = Parameter(negative="", show_default=False)
Json = Annotated[bool, Parameter("--json", negative="")]
Limit = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=10_000))]


@app.command(name="list")
def list_events(
    *,
    importance: Annotated[tuple[Level, ...], Several] = (),
    rule: Annotated[tuple[str, ...], Several] = (),
    ticker: str = "",
    status: Annotated[tuple[Standing, ...], Several] = (),
    since: str | None = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> int:
    """List events, newest first, of any age unless --since says otherwise. Times in UTC.

    Options that may be repeated mean "one of these"; all options together must hold.

    `sentinel events list --status open --importance critical --importance high --since 24h`

    Parameters
    ----------
    importance
        critical, high, medium or low. May be repeated.
    rule
        A rule's name. May be repeated.
    ticker
        A ticker, exactly.
    status
        open, acknowledged or resolved. May be repeated.
    since
        Opened since then: 24h, 7d, or a time like 2026-11-20T18:00 (UTC).
    limit
        How many at most.
    as_json
        Print a JSON list instead of a table.
    """
    from sentinel_core.cli.events.show import list_events as run
    from sentinel_core.cli.parse import time_ago, utc_now
    from sentinel_core.store.read.filters import EventFilter, Status

    now = utc_now()
    wanted = EventFilter(
        importance=frozenset(importance),
        rules=frozenset(rule),
        ticker=ticker.strip(),
        status=frozenset(Status(word) for word in status),
        since=time_ago(since, "--since", now) if since is not None else None,
    )
    run(wanted, limit, now, as_json=as_json)
    return 0


@app.command
def show(event: str, *, as_json: Json = False) -> int:
    """Show one event: measurements, decisions with their reasons, notifications sent and to come,
    and what to do next.

    Parameters
    ----------
    event
        The event's id, as `sentinel events list` shows it.
    as_json
        Print one JSON object instead of text.
    """
    from sentinel_core.cli.events.show import show as run
    from sentinel_core.cli.parse import id_of

    run(id_of("event", event), as_json=as_json)
    return 0


@app.command
def acknowledge(
    *events: str, comment: str = "", until: str | None = None, by: str | None = None
) -> int:
    """Acknowledge events: no more reminders until they end, or until a time.

    An event that somebody else has acknowledged stays theirs.

    `sentinel events acknowledge 12 14 --comment "moving logs" --until 2h`

    Parameters
    ----------
    events
        Ids of events.
    comment
        What you are doing about it.
    until
        Only until then: 30m, 2h, or a time like 2026-11-20T18:00 (UTC).
    by
        Your name; SENTINEL_USER or the login name by default.
    """
    from sentinel_core.cli.events.act import acknowledge as run

    return run(events, comment=comment, until=until, by=by)


@app.command
def unacknowledge(*events: str, comment: str = "", by: str | None = None) -> int:
    """Withdraw an acknowledgement: the events need attention again.

    Parameters
    ----------
    events
        Ids of events.
    comment
        Why.
    by
        Your name; SENTINEL_USER or the login name by default.
    """
    from sentinel_core.cli.events.act import unacknowledge as run

    return run(events, comment=comment, by=by)


@app.command
def resolve(*events: str, comment: str = "", by: str | None = None) -> int:
    """End events by hand. When the rule still fires, its next run opens a new one.

    Parameters
    ----------
    events
        Ids of events.
    comment
        What ended it.
    by
        Your name; SENTINEL_USER or the login name by default.
    """
    from sentinel_core.cli.events.act import resolve as run

    return run(events, comment=comment, by=by)


@app.command(name="comment")
def comment_on(*events: str, comment: str, by: str | None = None) -> int:
    """Write a comment on events; the newest is shown with the event, all stay in its audit.

    `sentinel events comment 12 --comment "vendor ticket 4711"`

    Parameters
    ----------
    events
        Ids of events.
    comment
        The comment.
    by
        Your name; SENTINEL_USER or the login name by default.
    """
    from sentinel_core.cli.events.act import comment as run

    return run(events, comment=comment, by=by)


@app.command
def assign(
    *events: str,
    to: str | None = None,
    nobody: Annotated[bool, Parameter(negative="")] = False,
    comment: str = "",
    by: str | None = None,
) -> int:
    """Assign events to somebody, or to --nobody.

    `sentinel events assign 12 14 --to bo`

    Parameters
    ----------
    events
        Ids of events.
    to
        The name of the person they are assigned to.
    nobody
        Remove the assignment.
    comment
        Why.
    by
        Your name; SENTINEL_USER or the login name by default.
    """
    from sentinel_core.cli.events.act import assign as run

    return run(events, to=to, nobody=nobody, comment=comment, by=by)


@app.command
def disposition(*events: str, comment: str = "", by: str | None = None) -> int:
    """Record what events were worth: actionable, noise or duplicate, as the last argument.

    `none` removes an earlier disposition.

    `sentinel events disposition 12 14 noise`

    Parameters
    ----------
    events
        Ids of events, then actionable, noise, duplicate or none.
    comment
        Why.
    by
        Your name; SENTINEL_USER or the login name by default.
    """
    from sentinel_core.cli.events.act import disposition as run

    return run(events, comment=comment, by=by)
