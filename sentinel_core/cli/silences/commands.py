"""`sentinel silences`: hold notifications back for a time; events go on being recorded."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from cyclopts import Parameter

from sentinel_core.base.errors import UsageError
from sentinel_core.cli.options import By, Json, Why
from sentinel_core.cli.output import (
    one_line,
    print_changes,
    print_json,
    print_outcomes,
    print_table,
)
from sentinel_core.cli.parse import author, id_of, ids_of, utc_now
from sentinel_core.cli.silences.options import NOTHING, SilenceOptions, silence_of
from sentinel_core.cli.store import writable_store
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.silence import Silence, SilenceState
from sentinel_core.model.times import utc
from sentinel_core.store.read import silences as read_silences
from sentinel_core.store.read.silences import Preview
from sentinel_core.store.record import silences as record
from sentinel_core.wording.text import counted, listed
from sentinel_core.wording.times import stamp

_NAMED = 5  # rules, or events, that a preview names; the others it counts


def create(
    *,
    wanted: SilenceOptions = NOTHING,
    comment: Annotated[
        str, Parameter(help="Why. Shown wherever a notification was held back.")
    ] = "",
    by: By = None,
    as_json: Json = False,
) -> None:
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
    """
    who, now = author(by), utc_now()
    if not comment.strip():
        raise UsageError("say why with --comment: it is shown where a notification was held back")
    silence = silence_of(wanted, author=who, comment=comment, now=now)
    with writable_store() as engine:
        seen = read_silences.preview(engine, silence, now=now)
        made = record.create(engine, silence, now=now)
    if as_json:
        print_changes([{**_plain(made, now), "sentence": "created"}], preview=_as_json(seen))
        return
    what = one_line(made.matchers.words(), 1_000)
    when = f"from {utc(made.starts_at)} until {utc(made.ends_at)}{_window(made)}"
    print(f"silence {made.id}: mutes {what}, {when}")
    _print_preview(seen, made, now)


def preview(*, wanted: SilenceOptions = NOTHING, as_json: Json = False) -> None:
    """Show what a silence would mute now and would have muted in the last 7 days. Creates none.

    Takes the options of `create`; how long it lasts need not be given.

    `sentinel silences preview --rule "disk-*" --importance low`
    """
    now = utc_now()
    silence = silence_of(wanted, author="preview", comment="preview", now=now, endless=True)
    with writable_store() as engine:
        seen = read_silences.preview(engine, silence, now=now)
    if as_json:
        print_json({"mutes_now": silence.active(now), **_as_json(seen)})
        return
    print(f"would mute {one_line(silence.matchers.words(), 1_000)}{_window(silence)}")
    _print_preview(seen, silence, now)
    print("no silence was created")


def list_silences(
    *,
    every: Annotated[
        bool, Parameter("--all", negative="", help="Also those that have ended.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the silences that have not ended. Times in UTC."""
    now = utc_now()
    with writable_store() as engine:
        found = [
            silence
            for silence in read_silences.all_silences(engine, now=now)
            if every or silence.ends_at > now
        ]
    if as_json:
        print_json([_plain(silence, now) for silence in found])
    elif not found:
        print("no silences" if every else "no silences that have not ended; --all lists all")
    else:
        print_table(
            ("id", "state", "mutes", "from", "until", "window", "by", "comment"),
            (
                (
                    silence.id,
                    _standing(silence, now),
                    one_line(silence.matchers.words(), 50),
                    stamp(silence.starts_at, seconds=False),
                    stamp(silence.ends_at, seconds=False),
                    silence.recurrence.words() if silence.recurrence else "",
                    one_line(silence.author, 20),
                    silence.comment,
                )
                for silence in found
            ),
            least=("by", "from", "window"),
        )


def show(
    silence: Annotated[
        str, Parameter(help="The silence's id, as `sentinel silences list` shows it.")
    ],
    *,
    as_json: Json = False,
) -> None:
    """Show one silence: what and when it mutes, who made it and why, and what it mutes now."""
    key, now = id_of("silence", silence), utc_now()
    with writable_store() as engine:
        found = read_silences.get(engine, key)
        if found is None:
            raise UsageError(
                f"there is no silence {key}: `sentinel silences list --all` shows what there is"
            )
        seen = read_silences.preview(engine, found, now=now)
        ending = read_silences.ending(engine, key)
    if as_json:
        ended = {"by": ending.by, "at": ending.at, "comment": ending.comment} if ending else None
        print_json({**_plain(found, now), "ended": ended, "preview": _as_json(seen)})
        return
    print(f"silence {found.id}: {_standing(found, now)}")
    print(f"mutes    {one_line(found.matchers.words(), 1_000)}")
    print(f"from     {utc(found.starts_at)}")
    print(f"until    {utc(found.ends_at)}")
    if found.recurrence:
        print(f"window   {found.recurrence.words()}")
    print(f"by       {one_line(found.author)}")
    print(f"comment  {one_line(found.comment, 2_500)}")
    if ending:
        why = f": {one_line(ending.comment, 2_500)}" if ending.comment else ""
        print(f"ended    by {one_line(ending.by)} at {utc(ending.at)}{why}")
    _print_preview(seen, found, now)


def expire(
    *silences: Annotated[str, Parameter(help="Ids of silences.")],
    comment: Why = "",
    by: By = None,
    as_json: Json = False,
) -> int:
    """End silences now; the next reconcile notifies of muted events that are still open.

    `sentinel silences expire 3`
    """
    ids, who = ids_of("silence", silences), author(by)
    with writable_store() as engine:
        result = record.expire(engine, ids, by=who, comment=comment, now=utc_now())
    had_ended = dict.fromkeys(result.already, "had ended already")
    return print_outcomes(
        "silence", ids, result.done, f"ended by {who}", had_ended, as_json=as_json
    )


def _standing(silence: Silence, now: datetime) -> str:
    """active, upcoming or expired; `active, not now` outside its recurring window."""
    state = silence.state(now)
    shut = state is SilenceState.ACTIVE and not silence.active(now)
    return f"{state}, not now" if shut else state.value


def _window(silence: Silence) -> str:
    return f", only {silence.recurrence.words()}" if silence.recurrence else ""


def _print_preview(seen: Preview, silence: Silence, now: datetime) -> None:
    if not seen.rules:
        print("  matches no series of any active rule now; later ones are muted as well")
    else:
        rules = counted(len(seen.rules), "rule")
        series = counted(len(seen.series), "series", "series")
        print(f"  matches {series} of {rules}: {listed(seen.rules, _NAMED)}")
    still = counted(seen.open_count, "open event")
    if silence.active(now):
        print(f"  muted now: {still}")
    else:
        print(f"  muted now: nothing, outside its time; it matches {still}")
    _print_events(seen.open_events, seen.open_count)
    print(f"  would have muted in the last 7 days: {counted(seen.past_count, 'event')}")
    _print_events(seen.past_events, seen.past_count)


def _print_events(events: Sequence[dict[str, Any]], count: int) -> None:
    for event in events[:_NAMED]:
        named = (event["rule_name"], event["ticker"])
        subject = " ".join(one_line(part, 60) for part in named if part)
        at = stamp(event["timestamp"], seconds=False)
        print(f"    {event['id']}  {at}  {event['importance']}  {subject}")
    if count > _NAMED:
        print(f"    … and {count - _NAMED:,} more")


def _plain(silence: Silence, now: datetime) -> dict[str, Any]:
    recurrence = silence.recurrence
    return {
        "id": silence.id,
        "state": silence.state(now).value,
        "mutes_now": silence.active(now),
        "matchers": silence.matchers.model_dump(mode="json", exclude_defaults=True),
        "recurrence": recurrence.model_dump(mode="json") if recurrence else None,
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "author": clean_text(silence.author),
        "comment": clean_text(silence.comment),
    }


def _as_json(seen: Preview) -> dict[str, Any]:
    return {
        "rules": seen.rules,
        "series": [{"rule": rule, "ticker": ticker} for rule, ticker in seen.series],
        "open_count": seen.open_count,
        "open_events": seen.open_events,
        "past_days": 7,
        "past_count": seen.past_count,
        "past_events": seen.past_events,
    }
