"""What `sentinel silences` does: each command over the event store, quoted in words or JSON."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sentinel_core.base.errors import UsageError
from sentinel_core.cli.output import one_line, print_json, print_table
from sentinel_core.cli.parse import author, id_of, ids_of, utc_now
from sentinel_core.cli.silences.options import SilenceOptions
from sentinel_core.cli.silences.read_options import silence_of
from sentinel_core.cli.store import writable_store
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.silence import Silence, SilenceState
from sentinel_core.model.times import utc
from sentinel_core.store.read import silences as read_silences
from sentinel_core.store.read.silences import Preview
from sentinel_core.store.record import silences
from sentinel_core.wording.text import counted
from sentinel_core.wording.times import stamp

_NAMED = 5  # rules, or events, that a preview names; the others it counts


def create(wanted: SilenceOptions, *, comment: str, by: str | None) -> int:
    """Make a silence and say what it means; the exit code."""
    who, now = author(by), utc_now()
    if not comment.strip():
        raise UsageError("say why with --comment: it is shown where a notification was held back")
    silence = silence_of(wanted, author=who, comment=comment, now=now)
    with writable_store() as engine:
        seen = read_silences.preview(engine, silence, now=now)
        made = silences.create(engine, silence, now=now)
    print(f"silence {made.id}: mutes {one_line(made.matchers.words(), 1_000)}, {_span(made)}")
    for text in _previewed(seen, made, now):
        print(text)
    return 0


def preview(wanted: SilenceOptions, *, as_json: bool) -> int:
    """Say what a silence would mute, and make none; the exit code."""
    now = utc_now()
    silence = silence_of(wanted, author="preview", comment="preview", now=now, endless=True)
    with writable_store() as engine:
        seen = read_silences.preview(engine, silence, now=now)
    if as_json:
        print_json({"mutes_now": silence.active(now), **_as_json(seen)})
        return 0
    print(f"would mute {one_line(silence.matchers.words(), 1_000)}{_window(silence)}")
    for text in _previewed(seen, silence, now):
        print(text)
    print("no silence was created")
    return 0


def list_silences(*, every: bool, as_json: bool) -> int:
    """Print the silences; the exit code."""
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
        )
    return 0


def show(silence: str, *, as_json: bool) -> int:
    """Print one silence and what it is about; the exit code."""
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
        return 0
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
    for text in _previewed(seen, found, now):
        print(text)
    return 0


def expire(given: Sequence[str], *, comment: str, by: str | None) -> int:
    """End silences; the exit code is 1 when one could not be ended."""
    ids, who = ids_of("silence", given), author(by)
    with writable_store() as engine:
        result = silences.expire(engine, ids, by=who, comment=comment, now=utc_now())
    code = 0
    for key in ids:
        if key in result.done:
            print(f"silence {key}: ended by {who}")
            continue
        code = 1
        had_ended = key in result.already
        print(f"silence {key}: {'had ended already' if had_ended else 'there is no such silence'}")
    return code


# -- words ---------------------------------------------------------------------------------


def _standing(silence: Silence, now: datetime) -> str:
    """active, upcoming or expired; a window that is shut just now is quoted to be."""
    state = silence.state(now)
    shut = state is SilenceState.ACTIVE and not silence.active(now)
    return f"{state}, not now" if shut else state.value


def _span(silence: Silence) -> str:
    return f"from {utc(silence.starts_at)} until {utc(silence.ends_at)}{_window(silence)}"


def _window(silence: Silence) -> str:
    return f", only {silence.recurrence.words()}" if silence.recurrence else ""


def _previewed(seen: Preview, silence: Silence, now: datetime) -> Iterator[str]:
    """What a silence mutes, in a few lines."""
    if not seen.rules:
        yield "  matches no series of any active rule now; later ones are muted as well"
    else:
        names = ", ".join(one_line(name, 60) for name in seen.rules[:_NAMED])
        more = f" and {len(seen.rules) - _NAMED:,} more" if len(seen.rules) > _NAMED else ""
        rules = counted(len(seen.rules), "rule")
        yield f"  matches {counted(len(seen.series), 'series', 'series')} of {rules}: {names}{more}"
    still = counted(seen.open_count, "open event")
    if silence.active(now):
        yield f"  muted now: {still}"
    else:
        yield f"  muted now: nothing, outside its time; it matches {still}"
    yield from _events(seen.open_events, seen.open_count)
    yield f"  would have muted in the last 7 days: {counted(seen.past_count, 'event')}"
    yield from _events(seen.past_events, seen.past_count)


def _events(events: Sequence[dict[str, Any]], count: int) -> Iterator[str]:
    for event in events[:_NAMED]:
        named = (event["rule_name"], event["ticker"])
        subject = " ".join(one_line(part, 60) for part in named if part)
        at = stamp(event["timestamp"], seconds=False)
        yield f"    {event['id']}  {at}  {event['importance']}  {subject}"
    if count > _NAMED:
        yield f"    … and {count - _NAMED:,} more"


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
