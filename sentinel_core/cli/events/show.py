"""`sentinel events list` and `show`: what the event store knows, as text or JSON. Times in UTC."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from cyclopts import Parameter, validators

from sentinel_core.base.errors import UsageError
from sentinel_core.base.settings import Settings
from sentinel_core.cli.events.reactions import reacted
from sentinel_core.cli.options import Flag, Json, Level, Several
from sentinel_core.cli.output import one_line, print_json, print_table
from sentinel_core.cli.parse import id_of, require_rules, time_ago, utc_now
from sentinel_core.cli.store import event_store, settings
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.times import utc
from sentinel_core.store.read import event_list
from sentinel_core.store.read.event_detail import EventDetail, event_detail
from sentinel_core.store.read.event_list import Page
from sentinel_core.store.read.filters import NUMBERS, TIMES, EventFilter, Sort, Status
from sentinel_core.store.state.rules import all_rules
from sentinel_core.wording.delivery_timeline import escalation_words, next_step, timeline
from sentinel_core.wording.labels import (
    KINDS,
    RESOLUTIONS,
    audit_words,
    held_until,
    leading_up,
    status_of,
    status_words,
)
from sentinel_core.wording.text import counted, shorten, value_against_threshold
from sentinel_core.wording.times import stamp

Row = Mapping[str, Any]
Kinds = Literal["alert", "failure", "silent", "error", "no_data"]
Order = Literal[
    "time",
    "last-seen",
    "importance",
    "rule",
    "ticker",
    "occurrences",
    "message",
    "state",
    "status",
    "category",
    "kind",
    "environment",
    "resolved",
    "ending",
    "acknowledged",
    "acknowledged-by",
    "comment",
    "assigned-to",
    "disposition",
    "run-started",
    "run-ended",
    "retries",
]


def list_events(
    *,
    importance: Annotated[
        tuple[Level, ...],
        Several,
        Parameter(help="critical, high, medium or low. May be repeated."),
    ] = (),
    rule: Annotated[
        tuple[str, ...], Several, Parameter(help="A rule's name. May be repeated.")
    ] = (),
    ticker: Annotated[str, Parameter(help="A ticker, exactly.")] = "",
    status: Annotated[
        tuple[Literal["open", "acknowledged", "resolved"], ...],
        Several,
        Parameter(help="open, acknowledged or resolved. May be repeated."),
    ] = (),
    category: Annotated[
        tuple[str, ...], Several, Parameter(help="A category. May be repeated.")
    ] = (),
    environment: Annotated[
        tuple[str, ...],
        Several,
        Parameter(help="A rule's environment, like production. May be repeated."),
    ] = (),
    kind: Annotated[
        tuple[Kinds, ...],
        Several,
        Parameter(help="alert, failure, silent, error or no_data. May be repeated."),
    ] = (),
    state: Annotated[
        tuple[str, ...],
        Several,
        Parameter(help="A type of Prefect's states, like failed. May be repeated."),
    ] = (),
    text: Annotated[
        str, Parameter(help="Part of the message, the ticker or the rule's name; any case.")
    ] = "",
    live: Annotated[
        bool, Flag, Parameter(help="Only what asks for attention, as the blotter opens.")
    ] = False,
    since: Annotated[
        str | None,
        Parameter(help="Opened since then: 24h, 7d, or a time like 2026-11-20T18:00 (UTC)."),
    ] = None,
    until: Annotated[
        str | None, Parameter(help="Opened before then; written like --since.")
    ] = None,
    sort: Annotated[
        Order,
        Parameter(help=f"By {', '.join(get_args(Order))}: words from a to z, others downwards."),
    ] = "time",
    reverse: Annotated[bool, Flag, Parameter(help="The other way round.")] = False,
    limit: Annotated[
        int, Parameter(validator=validators.Number(gte=1, lte=10_000), help="How many at most.")
    ] = 50,
    as_json: Json = False,
) -> None:
    """List events, newest first, of any age unless --since says otherwise. Times in UTC.

    The same filters as the blotter's. Options that may be repeated mean "one of these"; all options
    together must hold.

    `sentinel events list --status open --importance critical --importance high --since 24h`

    `sentinel events list --category Market --kind failure --text timeout --until 1h`
    """
    now = utc_now()
    wanted = EventFilter(
        importance=frozenset(importance),
        rules=frozenset(rule),
        ticker=ticker.strip(),
        status=frozenset(Status(word) for word in status),
        category=frozenset(category),
        environment=frozenset(environment),
        kind=frozenset(kind),
        state=frozenset(word.strip().upper() for word in state),
        text=text.strip(),
        live=live,
        since=time_ago(since, "--since", now) if since is not None else None,
        until=time_ago(until, "--until", now) if until is not None else None,
    )
    if wanted.since and wanted.until and wanted.until <= wanted.since:
        raise UsageError(
            f"--until {utc(wanted.until)} is not after --since {utc(wanted.since)}: swap them"
        )
    by = Sort(sort.replace("-", " "))
    with event_store() as engine:
        if rule:
            require_rules(wanted.rules, [row["name"] for row in all_rules(engine)])
        page = event_list.page(
            engine,
            wanted,
            now=now,
            size=limit,
            sort=by,
            descending=(by in TIMES | NUMBERS) is not reverse,
        )
    if as_json:
        print_json([{**row, "status": status_of(row)} for row in page.rows])
    elif not page.rows:
        print("no events match")
    else:
        _print_list(page, by)


def _print_list(page: Page, by: Sort) -> None:
    print_table(
        ("id", "opened", "importance", "status", "rule", "ticker", "×", "message"),
        (
            (
                str(row["id"]),
                stamp(row["timestamp"], year=False, seconds=False),
                row["importance"],
                status_words(row),
                shorten(row["rule_name"], 40),
                shorten(row["ticker"], 30),
                row["occurrences"],
                one_line(row["message"]),
            )
            for row in page.rows
        ),
        least=("×", "ticker", "opened"),
    )
    if page.following:
        which = "newest" if by is Sort.TIME else "first"
        print(f"the {which} {len(page.rows)}; there are more: --limit, or narrow it with --since")


def show(
    event: Annotated[str, Parameter(help="The event's id, as `sentinel events list` shows it.")],
    *,
    as_json: Json = False,
) -> None:
    """Show one event: measurements, decisions with their reasons, notifications sent and to come,
    and what to do next.
    """
    event_id = id_of("event", event)
    with event_store() as engine:
        found = event_detail(engine, event_id)
    if found is None:
        raise UsageError(
            f"there is no event {event_id}: `sentinel events list` shows what there is"
        )
    if as_json:
        names = ("event", "evaluations", "earlier", "notifications", "reactions", "audit")
        print_json({name: getattr(found, name) for name in names})
        return
    now = utc_now()
    for text in _summary(found, settings(), now):
        print(text)
    evaluations = [*found.evaluations, *leading_up(found.earlier)]
    _print_section(
        "decided, and why",
        [
            (stamp(row["at"], year=False), row["decision"], one_line(row["decision_reason"], 400))
            for row in evaluations
        ],
    )
    _print_section("notifications", _notified(found, now))
    if found.reactions:
        _print_section("reactions", reacted(found, settings(), now))
    _print_section(
        "done by people",
        [
            (
                stamp(row["at"], year=False),
                one_line(row["actor"]),
                one_line(row["action"]),
                one_line(audit_words(row["detail"]), 2_500),
            )
            for row in found.audit
        ],
    )


def _summary(found: EventDetail, where: Settings, now: datetime) -> Iterator[str]:
    event = found.event
    subject = " ".join(one_line(part) for part in (event["rule_name"], event["ticker"]) if part)
    words = [event["importance"], *status_words(event).split(", ")]
    if event["kind"] in KINDS:
        words.insert(0, KINDS[event["kind"]])
    yield f"event {event['id']}  {subject}  ({', '.join(words)})"
    yield ""
    # Indented: a message can't pose as a line of ours.
    yield from (f"    {text}" for text in clean_text(event["message"]).splitlines())
    if against := value_against_threshold(event["metrics"], event["metadata"]):
        yield f"    {against}"
    if event["suggested_action"]:
        yield ""
        yield f"suggested     {one_line(event['suggested_action'], 500)}"
    yield ""
    yield from (f"{name:14}{value}" for name, value in _facts(found, where, now) if value)


def _facts(found: EventDetail, where: Settings, now: datetime) -> Iterator[tuple[str, str]]:
    event = found.event
    times = counted(event["occurrences"], "occurrence")
    yield "opened", utc(event["timestamp"])
    yield "last seen", f"{utc(event['last_seen'])}, {times}"
    yield "resolved", _resolved(event)
    yield "muted", one_line(event["suppressed"] or "", 2_500)
    yield "acknowledged", _acknowledged(event)
    steps = next_step(event, found.notifications, now)
    yield "escalates", one_line(escalation_words(steps, now), 500)
    yield "assigned to", one_line(event["assigned_to"] or "")
    yield "disposition", one_line(event["disposition"] or "")
    yield "comment", one_line(event["comment"] or "", 2_500)
    yield "category", one_line(event["category"])
    yield "environment", one_line(event["environment"] or "")
    yield "runbook", one_line(event["runbook"] or "", 500)
    if event["prefect_flow_run_id"]:
        yield (
            "run",
            f"{event['prefect_state_name']}, {where.flow_run_url(event['prefect_flow_run_id'])}",
        )
    yield "blotter", where.event_url(event["id"])
    if event["metadata"]:
        yield "evidence", one_line(json.dumps(event["metadata"], ensure_ascii=False), 2_500)
    if event["metrics"]:
        yield (
            "metrics",
            ", ".join(f"{one_line(k)} {v:g}" for k, v in sorted(event["metrics"].items())),
        )


def _resolved(event: Row) -> str:
    if event["resolved_at"] is None:
        return "not yet"
    at, how = utc(event["resolved_at"]), event["resolution"]
    return f"{at}, {RESOLUTIONS.get(how, one_line(how))}" if how else at


def _acknowledged(event: Row) -> str:
    if not event["is_acknowledged"]:
        return "not yet"
    words = f"{one_line(event['acknowledged_by'] or '')}, {utc(event['acknowledged_at'])}"
    until = event["acknowledged_until"]
    return words + held_until(event, utc(until) if until else "")


def _print_section(title: str, rows: Sequence[tuple[str, ...]]) -> None:
    print(f"\n{title}")
    if rows:
        print_table([""] * len(rows[0]), rows, folded={""}, indent=4)
    else:
        print("    nothing")


def _notified(found: EventDetail, now: datetime) -> list[tuple[str, ...]]:
    """Notifications, sent or not; the reason where there are none."""
    if not found.notifications:
        why = found.event["suppressed"] or "the rule has no channel for this importance"
        return [(one_line(f"nobody: {why}", 2_500),)]
    return [
        (
            stamp(one.at, year=False),
            one_line(one.to),
            one_line(one.why),
            one.state.value,
            one_line(one.words, 2_500),
        )
        for one in timeline(found.event, found.notifications, now)
    ]
