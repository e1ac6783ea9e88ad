"""`sentinel rules coverage`: what was due, and what became of it."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any

from cyclopts import Parameter, validators
from prefect.client.orchestration import SyncPrefectClient
from sqlalchemy import Engine

from sentinel_core.base.errors import UsageError
from sentinel_core.cli.options import Flag, Json
from sentinel_core.cli.output import one_line, print_json, print_table
from sentinel_core.cli.parse import quoted, time_ago, utc_now
from sentinel_core.cli.store import event_store
from sentinel_core.decide.due import Outcome, stretches
from sentinel_core.model.times import span as spoken
from sentinel_core.model.times import utc
from sentinel_core.prefect_io.client import all_deployments, prefect_api, server_time
from sentinel_core.prefect_io.facts import is_rule
from sentinel_core.report.account import Account, Known, Span, State
from sentinel_core.report.accounts import (
    Deployed,
    deployment_accounts,
    removed_accounts,
    rule_accounts,
)
from sentinel_core.rulefile.phrases import did_you_mean
from sentinel_core.store.state.rules import RECONCILE, checkpoint
from sentinel_core.wording.text import counted
from sentinel_core.wording.times import stamp

_LISTED = 5  # stretches of due times in a cell; --json has all
_PATIENCE = timedelta(minutes=10)  # reconcile runs every minute
_COLUMNS = ("rule", "due", "evaluated", "late", "failed", "skipped", "missed", "what happened")
_LEAST = ("late", "skipped", "failed")  # in words in the last column as well


def coverage(
    *names: Annotated[str, Parameter(help="Only these rules or deployments; * and ? allowed.")],
    days: Annotated[
        float | None,
        Parameter(
            validator=validators.Number(gt=0, lte=366), help="How many days back; 1 by default."
        ),
    ] = None,
    since: Annotated[
        str | None, Parameter(help="From then on: 24h, 7d, or a time like 2026-11-20T18:00 (UTC).")
    ] = None,
    until: Annotated[str | None, Parameter(help="Up to then; now by default.")] = None,
    watched: Annotated[
        bool, Flag, Parameter(help="Also deployments of flows that are no rules: your own.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Show what was due and what became of it: evaluated, failed, skipped, late or missed.

    Due times are computed from the schedules as Prefect computes them, so a check that never began
    is missed, too. Those with gaps come first. Times in UTC. The exit code is 1 if a due time was
    missed, if it is not known what became of it, or if nothing is deployed; otherwise 0.

    `sentinel rules coverage "disk-*" --days 7`

    `sentinel rules coverage --watched --since 2026-11-20 --until 2026-11-21`
    """
    _period(days, since, until, utc_now())  # what makes no sense is said before anything is asked
    with prefect_api() as client, event_store() as engine:
        period = _period(days, since, until, server_time(client))
        accounts = _accounts(client, engine, names, period, watched=watched)
        notes = [*_notes(engine, accounts, period, is_all=not names)]
    accounts.sort(key=lambda account: (not account.is_short, account.name))
    short = sum(account.is_short for account in accounts)
    ok = not short and any(account.state is not State.REMOVED for account in accounts)
    if as_json:
        rows = [_plain(account) for account in accounts]
        covered = {"since": period.since, "until": period.until}
        print_json({**covered, "ok": ok, "notes": notes, "coverage": rows})
        return 0 if ok else 1
    if accounts:
        print_table(
            _COLUMNS,
            [_row(account) for account in accounts],
            folded={"rule", "what happened"},
            least=_LEAST,
        )
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    print(_sentence(accounts, short, period), file=sys.stderr)
    return 0 if ok else 1


def _accounts(
    client: SyncPrefectClient,
    engine: Engine,
    names: Sequence[str],
    period: Span,
    *,
    watched: bool,
) -> list[Account]:
    """The accounts of these names, or of all. Raises UsageError for a name that fits nothing."""
    everything = all_deployments(client)
    deployed = [item for item in everything if watched or is_rule(item[0])]
    gone = removed_accounts(engine, everything, period)
    known = [name for item in deployed for name in _names(item)]
    known += [account.name for account in gone]
    for name in names:
        if not _is_named([name], *known):
            raise UsageError(_nothing_named(name, known, watched))
    chosen = [item for item in deployed if _is_named(names, *_names(item))]
    accounts = rule_accounts(client, engine, chosen, period)
    if watched:
        accounts += deployment_accounts(client, chosen, period)
    return accounts + [account for account in gone if _is_named(names, account.name)]


def _period(days: float | None, since: str | None, until: str | None, now: datetime) -> Span:
    """The time to look at. Raises UsageError."""
    if days is not None and since is not None:
        raise UsageError("--days and --since both say how far back: leave out one of them")
    end = now if until is None else min(time_ago(until, "--until", now), now)
    start = end - timedelta(days=days or 1)
    if since is not None:
        start = time_ago(since, "--since", now)
    if start >= end:
        raise UsageError(f"--since {utc(start)} is not before --until {utc(end)}")
    return Span(start, end, now)


def _names(deployed: Deployed) -> tuple[str, ...]:
    item, flow = deployed
    return (item.name,) if is_rule(item) else (f"{flow}/{item.name}", item.name)


def _is_named(patterns: Sequence[str], *names: str) -> bool:
    """True if one of the names matches one of the patterns, whatever its case, or there is none."""
    lower = [pattern.lower() for pattern in patterns]
    return not lower or any(
        fnmatchcase(name.lower(), pattern) for name in names for pattern in lower
    )


def _nothing_named(name: str, known: Sequence[str], watched: bool) -> str:
    what = "rule or deployment" if watched else "rule"
    hint = did_you_mean(name, known) or ("" if watched else "; --watched adds deployments")
    return f"no {what} is named {quoted(name)}{hint}"


def _notes(
    engine: Engine, accounts: Sequence[Account], period: Span, *, is_all: bool
) -> Iterator[str]:
    deployed = [row for row in accounts if row.is_rule and row.state is not State.REMOVED]
    if is_all and not deployed:
        yield "no rule is deployed, so nothing is checked: run `sentinel rules deploy`"
    done = checkpoint(engine, RECONCILE)
    if done is None:
        yield "reconcile has never run: evaluations whose hook was lost are not on record"
    elif period.until - done > _PATIENCE:
        yield (
            f"reconcile last ran for {utc(done)}: later evaluations whose hook was lost are not on "
            "record (`sentinel reconcile` records them)"
        )


def _sentence(accounts: Sequence[Account], short: int, period: Span) -> str:
    missed = sum(account.count(Outcome.MISSED) for account in accounts)
    unknown = sum(account.count(Outcome.UNKNOWN) for account in accounts)
    parts = [f"{counted(missed, 'due time')} missed"] if missed else []
    parts += [f"of {counted(unknown, 'due time')} it is not known"] if unknown else []
    summary = ", ".join(parts) or "no due time missed"
    of = f"{short} of {len(accounts)}" if short else str(len(accounts))
    return f"{utc(period.since)} to {utc(period.until)}: {summary} ({of} rules and deployments)"


def _row(account: Account) -> tuple[object, ...]:
    counts = (Outcome.FAILED, Outcome.SKIPPED, Outcome.MISSED)
    return (
        account.name,
        account.due,
        account.count(Outcome.EVALUATED),
        len(account.late),
        *(account.count(outcome) for outcome in counts),
        "; ".join(_what_happened(account)) or "all on time",
    )


def _what_happened(account: Account) -> Iterator[str]:
    """What people should know about an account, the worst first."""
    if account.state is State.UNREADABLE:
        yield f"not known: its schedule can't be read: {account.problem}"
    for outcome, words in (
        (Outcome.MISSED, "missed"),
        (Outcome.UNKNOWN, "not known"),
        (Outcome.FAILED, "failed"),
        (Outcome.SKIPPED, "skipped"),
        (Outcome.WAITING, "waiting for"),
    ):
        if account.count(outcome):
            yield f"{words} {_times(account, outcome)}"
    if late := account.late:
        longest = spoken(max(due_time.late_seconds or 0 for due_time in late))
        yield f"{len(late):,} late, by up to {longest} (the last: {_short(late[-1].at)})"
    yield from _circumstances(account)


def _times(account: Account, outcome: Outcome) -> str:
    """The due times of an outcome, those in a row together, the newest last."""
    every = list(stretches(account.due_times, outcome))
    parts = [f"{len(every) - _LISTED:,} stretches before"] if len(every) > _LISTED else []
    for stretch in every[-_LISTED:]:
        text = _short(stretch.first)
        if stretch.count > 1:
            text += f" to {_short(stretch.last, stretch.first)} ({stretch.count:,})"
        parts.append(f"{text}: {stretch.reason}" if stretch.reason else text)
    return ", ".join(parts)


def _circumstances(account: Account) -> Iterator[str]:
    """Why less was due than the time is long."""
    since = _short(account.since)
    for pause in account.pauses:
        end = "" if pause.until is None else f" to {_short(pause.until, pause.since)}"
        yield f"paused {_short(pause.since)}{end} by {one_line(pause.by)}"
    if account.state is State.PAUSED:
        count = account.count(Outcome.PAUSED)
        yield "paused now" + (f", {counted(count, 'due time')} left out" if count else "")
    elif account.state is State.UNSCHEDULED:
        yield f"no schedule: runs only when asked to ({account.before:,} evaluated)"
    elif account.state is State.REMOVED:
        yield f"not deployed any more; {account.before:,} evaluated; what was due is not known"
        return
    elif not account.due and account.next_due is not None:
        yield f"not due yet; next at {_short(account.next_due)}"
    elif not account.due and account.state is State.ACTIVE:
        yield "not due in this time"
    if account.known is Known.DEPLOYED:
        yield f"deployed {since}"
    elif account.known is not Known.WHOLE:
        why = {
            Known.CHANGED: "it was changed then",
            Known.RECORDED: "it came on record then",
            Known.DELETED: "older evaluations were deleted",
        }[account.known]
        before = f", {account.before:,} evaluated" if account.before else ""
        yield f"before {since} what was due is not known: {why}{before}"


def _short(at: datetime, after: datetime | None = None) -> str:
    """`11-20 14:00`; the time alone where that is on the day of another moment."""
    text = stamp(at, year=False, seconds=bool(at.second))
    is_same_day = after is not None and stamp(after)[:10] == stamp(at)[:10]
    return text.partition(" ")[2] if is_same_day else text


def _plain(account: Account) -> dict[str, Any]:
    """An account as JSON; `due_times` has those that were not evaluated on time."""
    names = [outcome for outcome in Outcome if outcome is not Outcome.PAUSED]
    return {
        "name": account.name,
        "kind": "rule" if account.is_rule else "deployment",
        "state": account.state.value,
        "known_since": account.since,
        "known_since_code": account.known.value or None,
        "evaluated_before": account.before,
        "due": account.due,
        **{outcome.value: account.count(outcome) for outcome in names},
        "late": len(account.late),
        "paused": account.count(Outcome.PAUSED),
        "next_due": account.next_due,
        "problem": account.problem or None,
        "pauses": [asdict(pause) for pause in account.pauses],
        "sentence": "; ".join(_what_happened(account)) or "all on time",
        "due_times": [
            {
                "due": due_time.at,
                "outcome": due_time.outcome.value,
                "reason": due_time.reason or None,
                "late_seconds": due_time.late_seconds,
                "run_id": due_time.run_id or None,
            }
            for due_time in account.due_times
            if due_time.outcome is not Outcome.EVALUATED or due_time.late_seconds is not None
        ],
    }
