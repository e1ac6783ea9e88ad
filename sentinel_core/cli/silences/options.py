"""The options that say what a silence mutes and when, and their reading into its model."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from pydantic import ValidationError

from sentinel_core.base.errors import UsageError
from sentinel_core.cli.options import Level
from sentinel_core.cli.parse import duration, quoted, time_ahead, time_at
from sentinel_core.model.silence import WEEKDAYS, Matchers, Recurrence, Silence
from sentinel_core.model.times import utc

_OPTION = {"start": "--between", "end": "--between", "weekdays": "--weekly", "author": "--by"}
_PREVIEWED = timedelta(hours=1)  # of a silence that is only previewed


def _option(text: str, name: str | None = None) -> Parameter:
    return Parameter(name, help=text, negative="", show_default=False)


@Parameter(name="*")
@dataclass(frozen=True)
class SilenceOptions:
    """The matchers and times of a silence, as typed."""

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
    outside: Annotated[bool, _option("Invert the window: mute outside of it.")] = False


NOTHING = SilenceOptions()


def silence_of(
    wanted: SilenceOptions, *, author: str, comment: str, now: datetime, endless: bool = False
) -> Silence:
    """The silence that is meant; `endless` when its end need not be given.

    Raises UsageError for missing or invalid options.
    """
    matching = {name: getattr(wanted, name) for name in Matchers.model_fields}
    given = {name: value for name, value in matching.items() if value not in (None, ())}
    if not given:
        raise UsageError(
            "say what is muted: --rule, --ticker, --category, --importance, --tag or --kind; "
            '--rule "*" is everything'
        )
    starts_at, ends_at = _span(wanted, now, endless=endless)
    try:
        return Silence(
            matchers=Matchers.model_validate(given),
            starts_at=starts_at,
            ends_at=ends_at,
            author=author,
            comment=comment.strip(),
            recurrence=_recurrence(wanted),
        )
    except ValidationError as error:
        raise UsageError(_problems(error)) from error


def _span(wanted: SilenceOptions, now: datetime, *, endless: bool) -> tuple[datetime, datetime]:
    unlimited = wanted.lasting is None and wanted.until is None
    if (unlimited and not endless) or None not in (wanted.lasting, wanted.until):
        raise UsageError(
            "say how long: either --for 2h or --until 2026-11-20T18:00; a recurring window "
            "needs an end as well, like --for 52w"
        )
    starts_at = time_ahead(wanted.start, "--from", now) if wanted.start is not None else now
    if wanted.lasting is not None:
        return starts_at, starts_at + duration(wanted.lasting, "--for")
    if wanted.until is None:
        return starts_at, starts_at + _PREVIEWED
    ends_at = time_at(wanted.until, "--until")
    if ends_at <= starts_at:
        raise UsageError(
            f"--until {quoted(wanted.until)} is not after the start, which is {utc(starts_at)}"
        )
    return starts_at, ends_at


def _recurrence(wanted: SilenceOptions) -> Recurrence | None:
    if not (wanted.weekly or wanted.between or wanted.days):
        for name in ("timezone", "calendar", "outside"):
            if getattr(wanted, name):
                raise UsageError(
                    f"--{name} is an option of a recurring window: add --weekly, --between or "
                    "--calendar and --days"
                )
        return None
    given: dict[str, Any] = {"outside": wanted.outside}
    if wanted.weekly is not None:
        given["weekdays"] = _weekdays(wanted.weekly)
    if wanted.between is not None:
        given["start"], given["end"] = _times(wanted.between)
    for name in ("timezone", "calendar", "days"):
        if (value := getattr(wanted, name)) is not None:
            given[name] = value
    if wanted.calendar is not None and wanted.days is None:
        raise UsageError("--calendar needs --days trading or --days holidays")
    return Recurrence.model_validate(given)


def _weekdays(text: str) -> tuple[str, ...]:
    """`mon-fri`, `sat,sun`, `fri-mon`: each weekday once, Monday first."""
    names: list[str] = list(WEEKDAYS)
    chosen: set[str] = set()
    for part in text.lower().replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if first not in names or last not in names:
            raise UsageError(
                f"--weekly {quoted(text)} is not a list of weekdays: write mon-fri, or sat,sun"
            )
        begin, end = names.index(first), names.index(last)
        count = (end - begin) % len(names) + 1
        chosen.update(names[(begin + n) % len(names)] for n in range(count))
    return tuple(name for name in names if name in chosen)


def _times(text: str) -> tuple[time, time]:
    first, dash, last = text.replace(" ", "").partition("-")
    try:
        start, end = _time_of_day(first), _time_of_day(last)
    except ValueError:
        dash = ""
    if not dash:
        raise UsageError(f"--between {quoted(text)} is not a time window: write 22:00-06:00")
    if start == end and (first, last) != ("00:00", "24:00"):
        raise UsageError(f"--between {quoted(text)} is empty: it ends when it begins")
    return start, end


def _time_of_day(text: str) -> time:
    """`22:00`; `24:00` is the end of the day."""
    return time(0) if text == "24:00" else datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007


def _problems(error: ValidationError) -> str:
    """The validation errors, with the names of the options."""
    sentences = []
    for item in error.errors(include_input=False, include_url=False):
        names = [str(part) for part in item["loc"] if isinstance(part, str)]
        option = [_OPTION.get(names[0], f"--{names[0]}")] if names else []
        sentences.append(": ".join([*option, item["msg"].removeprefix("Value error, ")]))
    return "; ".join(dict.fromkeys(sentences))
