"""The options that say what a silence mutes and when, as typed."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from sentinel_core.cli.options import Level


def _option(text: str, name: str | None = None) -> Parameter:
    return Parameter(name, help=text, negative="", show_default=False)


@Parameter(name="*")
@dataclass(frozen=True)
class SilenceOptions:
    """What is muted, and when; as typed."""

    rule: Annotated[str | None, _option('A rule\'s name; * and ? allowed, "*" is every rule.')] = (
        None
    )
    ticker: Annotated[str | None, _option("A ticker; * and ? allowed.")] = None
    category: Annotated[str | None, _option("A category; * and ? allowed.")] = None
    importance: Annotated[
        tuple[Level, ...], _option("critical, high, medium or low. May be repeated.")
    ] = ()
    tag: Annotated[str | None, _option("One of the rule's tags; * and ? allowed.")] = None
    kind: Annotated[
        str | None, _option("alert, failure, silent, error or no_data; * and ? allowed.")
    ] = None
    lasting: Annotated[str | None, _option("How long: 90s, 30m, 2h, 7d, 52w.", "--for")] = None
    start: Annotated[
        str | None, _option("Start: 2026-11-20T18:00 (UTC), or 30m from now.", "--from")
    ] = None
    until: Annotated[str | None, _option("End: 2026-11-20T20:00 (UTC).")] = None
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
        """True for a recurring window."""
        return bool(self.weekly or self.between or self.days)


NOTHING = SilenceOptions()
