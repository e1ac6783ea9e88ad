"""`sentinel silences`: hold notifications back for a time; events go on being recorded."""

from typing import Annotated

from cyclopts import App, Parameter

from sentinel_core.cli.silences.options import NOTHING, SilenceOptions

app = App(
    name="silences",
    help="The silences: create, show and end times without notifications about some events.",
)

Json = Annotated[bool, Parameter("--json", negative="")]


@app.command
def create(*, wanted: SilenceOptions = NOTHING, comment: str = "", by: str | None = None) -> int:
    """Mute events for a time, once or in a recurring window; prints what it mutes.

    Rules go on being checked and events are recorded and shown; only notifications are held back.
    Those about events still open when the silence ends are sent then. An event is muted when it
    matches all of the options.

    `sentinel silences create --rule "disk-*" --for 2h --comment "moving logs"`

    `sentinel silences create --ticker AAPL --from 2026-11-27T18:00 --until 2026-11-28T06:00
    --comment "exchange test"`

    `sentinel silences create --tag backup --for 52w --weekly sat,sun --between 22:00-06:00
    --timezone Europe/Berlin --comment "weekend backups"`

    `sentinel silences create --category Market --for 52w --between 09:30-16:00 --days trading
    --calendar NYSE --timezone America/New_York --outside --comment "market is closed"`

    Parameters
    ----------
    comment
        Why. Shown wherever a notification was held back.
    by
        Your name; SENTINEL_USER or the login name by default.
    """
    from sentinel_core.cli.silences.commands import create as run

    return run(wanted, comment=comment, by=by)


@app.command
def preview(*, wanted: SilenceOptions = NOTHING, as_json: Json = False) -> int:
    """Show what a silence would mute now and would have muted in the last 7 days. Creates none.

    Takes the options of `create`; how long it lasts need not be quoted.

    `sentinel silences preview --rule "disk-*" --importance low`

    Parameters
    ----------
    as_json
        Print one JSON object instead of text.
    """
    from sentinel_core.cli.silences.commands import preview as run

    return run(wanted, as_json=as_json)


@app.command(name="list")
def list_silences(
    *, every: Annotated[bool, Parameter("--all", negative="")] = False, as_json: Json = False
) -> int:
    """List the silences that have not ended. Times in UTC.

    Parameters
    ----------
    every
        Also those that have ended.
    as_json
        Print a JSON list instead of a table.
    """
    from sentinel_core.cli.silences.commands import list_silences as run

    return run(every=every, as_json=as_json)


@app.command
def show(silence: str, *, as_json: Json = False) -> int:
    """Show one silence: what and when it mutes, who made it and why, and what it mutes now.

    Parameters
    ----------
    silence
        The silence's id, as `sentinel silences list` shows it.
    as_json
        Print one JSON object instead of text.
    """
    from sentinel_core.cli.silences.commands import show as run

    return run(silence, as_json=as_json)


@app.command
def expire(*silences: str, comment: str = "", by: str | None = None) -> int:
    """End silences now; the next reconcile notifies of muted events that are still open.

    `sentinel silences expire 3`

    Parameters
    ----------
    silences
        Ids of silences.
    comment
        Why.
    by
        Your name; SENTINEL_USER or the login name by default.
    """
    from sentinel_core.cli.silences.commands import expire as run

    return run(silences, comment=comment, by=by)
