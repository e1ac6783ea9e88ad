"""`sentinel silences`: mute what need not be told for a while; it goes on being recorded."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import App, Parameter

app = App(
    name="silences",
    help="The silences: make, look at and end times in which nobody is told of some events.",
)

Json = Annotated[bool, Parameter("--json", negative="")]


def _option(text: str, name: str | None = None) -> Parameter:
    return Parameter(name, help=text, negative="", show_default=False)


@Parameter(name="*")
@dataclass(frozen=True)
class Wanted:
    """What is muted, and when; as typed."""

    rule: Annotated[str | None, _option('A rule\'s name; * and ? allowed, "*" is every rule.')] = (
        None
    )
    ticker: Annotated[str | None, _option("A ticker; * and ? allowed.")] = None
    category: Annotated[str | None, _option("A category; * and ? allowed.")] = None
    importance: Annotated[
        tuple[Literal["critical", "high", "medium", "low"], ...],
        _option("critical, high, medium or low. May be repeated."),
    ] = ()
    tag: Annotated[str | None, _option("One of the rule's tags; * and ? allowed.")] = None
    kind: Annotated[
        str | None, _option("alert, failure, silent, error or no_data; * and ? allowed.")
    ] = None
    lasting: Annotated[str | None, _option("For so long: 90s, 30m, 2h, 7d, 52w.", "--for")] = None
    start: Annotated[
        str | None, _option("From then: 2026-11-20T18:00 (UTC), or 30m from now.", "--from")
    ] = None
    until: Annotated[str | None, _option("Until then: 2026-11-20T20:00 (UTC).")] = None
    weekly: Annotated[
        str | None, _option("Only on these weekdays, every week: mon-fri, or sat,sun.")
    ] = None
    between: Annotated[
        str | None, _option("Only at this time of day: 22:00-06:00 ends the next morning.")
    ] = None
    timezone: Annotated[
        str | None, _option("Where --weekly and --between are: Europe/Berlin. UTC without it.")
    ] = None
    calendar: Annotated[
        str | None, _option("An exchange or a country with holidays: NYSE, ECB, DE, US, DE-BY.")
    ] = None
    days: Annotated[
        Literal["trading", "holidays"] | None,
        _option("Only on the calendar's trading days, or only on its holidays."),
    ] = None
    outside: Annotated[bool, _option("Turn the window around: muted whenever it is not.")] = False

    @property
    def recurs(self) -> bool:
        """Is there a window that comes again?"""
        return bool(self.weekly or self.between or self.days)


NOTHING = Wanted()


@app.command
def create(*, wanted: Wanted = NOTHING, comment: str = "", by: str | None = None) -> int:
    """Mute events for a time, once or in a window that comes again; prints what that means.

    Rules go on being checked and events are recorded and shown; only messages are held back. What
    still fires when the silence ends is told then. All options that say what is muted must match.

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
        Why. Stands wherever a message was held back.
    by
        Your name; SENTINEL_USER or the login name without it.
    """
    from sentinel_core.cli.silences_do import create as run

    return run(wanted, comment=comment, by=by)


@app.command
def preview(*, wanted: Wanted = NOTHING, as_json: Json = False) -> int:
    """Show what a silence would mute now and would have muted in the last 7 days. Makes none.

    Takes the options of `create`; how long it lasts need not be said.

    `sentinel silences preview --rule "disk-*" --importance low`

    Parameters
    ----------
    as_json
        Print one JSON object instead of text.
    """
    from sentinel_core.cli.silences_do import preview as run

    return run(wanted, as_json=as_json)


@app.command(name="list")
def list_silences(
    *, every: Annotated[bool, Parameter("--all", negative="")] = False, as_json: Json = False
) -> int:
    """List the silences that have not ended. Times in UTC.

    Parameters
    ----------
    every
        Those that have ended as well.
    as_json
        Print a JSON list instead of a table.
    """
    from sentinel_core.cli.silences_do import list_silences as run

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
    from sentinel_core.cli.silences_do import show as run

    return run(silence, as_json=as_json)


@app.command
def expire(*silences: str, comment: str = "", by: str | None = None) -> int:
    """End silences now; what they held back and still fires is told with the next reconcile.

    `sentinel silences expire 3`

    Parameters
    ----------
    silences
        Ids of silences.
    comment
        Why.
    by
        Your name; SENTINEL_USER or the login name without it.
    """
    from sentinel_core.cli.silences_do import expire as run

    return run(silences, comment=comment, by=by)
