"""`sentinel channels list`: what Prefect has, what rules name, and how it has gone."""

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sentinel_core.base.errors import SentinelError
from sentinel_core.cli.options import Json
from sentinel_core.cli.output import one_line, print_json, print_table
from sentinel_core.cli.store import event_store
from sentinel_core.model.alert import Importance
from sentinel_core.notify.channel.medium import medium_of
from sentinel_core.notify.uses import Use, deployed_uses, remembered_uses, watched_uses
from sentinel_core.prefect_io.client import channels, prefect_api, read_channel
from sentinel_core.store.outbox.channels import ChannelState
from sentinel_core.store.outbox.channels import states as channel_states
from sentinel_core.wording.times import stamp

_THERE, _MISSING, _MUTE = "yes", "missing", "can't notify"
_STATE = (
    "sent",
    "last_sent_at",
    "pending",
    "steps",
    "failed",
    "last_failed_at",
    "last_error",
    "storm_since",
)
_MOST_NAMED = 3  # rules in the table; --json has all of them
_ORDER = {importance.value: -importance.rank for importance in Importance}


def list_channels(*, as_json: Json = False) -> int:
    """List the channels: what they are, which rules use them, what was sent and what failed.

    Every Prefect block that can notify, and every channel that a deployed rule, a hook on record or
    a notification names, whether its block exists or not. Times in UTC. When Prefect or the event
    store can't be reached, the other's part is listed.

    Exits with 1 when a rule or a hook names a channel that Prefect does not have.
    """
    notes: list[str] = []
    blocks: dict[str, str] | None = None
    uses: Sequence[Use] = ()
    states: dict[str, ChannelState] | None = None
    remembered: Sequence[Use] = ()
    hooks: Sequence[Use] = ()
    no_store: SentinelError | None = None
    try:
        with event_store() as engine:
            states = channel_states(engine)
            remembered, hooks = remembered_uses(engine), watched_uses(engine)
    except SentinelError as error:
        no_store = error
    try:
        with prefect_api() as client:
            uses = [*deployed_uses(client), *hooks]
            blocks = dict.fromkeys(channels(client), _THERE)
            for use in uses:
                if use.channel not in blocks:
                    there = read_channel(client, use.channel)
                    blocks[use.channel] = _MISSING if there is None else _MUTE
    except SentinelError as error:
        if no_store is not None:
            raise error from no_store
        uses = [*remembered, *hooks]
        notes.append(f"which blocks there are was not looked up: {error}")
    if no_store is not None:
        notes.append(f"what was sent is not shown: {no_store}; nor is which channels hooks name")
    names = sorted({*(blocks or {}), *(use.channel for use in uses), *(states or {})})
    rows = [_row(name, blocks, uses, states) for name in names]
    if as_json:
        print_json(rows)
    else:
        _print(rows)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    return 1 if any(row["used_by"] and row["block"] in (_MISSING, _MUTE) for row in rows) else 0


def _row(
    channel: str,
    blocks: Mapping[str, str] | None,
    uses: Sequence[Use],
    states: Mapping[str, ChannelState] | None,
) -> dict[str, Any]:
    """One channel. `blocks` or `states` is None when Prefect or the store could not be asked."""
    state = (states or {}).get(channel, ChannelState(channel))
    return {
        "channel": channel,
        "block": "unknown" if blocks is None else blocks.get(channel, _MISSING),
        "medium": medium_of(channel).value,
        "used_by": [
            {"rule": use.rule, "when": use.when, "to": use.to}
            for use in uses
            if use.channel == channel
        ],
        **{name: None if states is None else getattr(state, name) for name in _STATE},
    }


def _print(rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        print(
            "no channels: `sentinel channels setup` makes them from environment variables "
            "(sentinel channels setup --help)"
        )
        return
    print_table(
        ("channel", "block", "medium", "last sent", "sent", "pending", "failed", "used by"),
        (
            (
                row["channel"],
                row["block"],
                row["medium"],
                _time(row["last_sent_at"]),
                _number(row["sent"]),
                _number(row["pending"]) + (f" + {row['steps']:,} steps" if row["steps"] else ""),
                _number(row["failed"]),
                _used(row["used_by"]),
            )
            for row in rows
        ),
        least=("medium", "sent", "last sent", "pending", "failed"),
    )
    for row in rows:
        for problem in _problems(row):
            print(f"{one_line(row['channel'])}: {problem}")


def _problems(row: dict[str, Any]) -> list[str]:
    problems = []
    if row["storm_since"]:
        problems.append(f"a storm since {_time(row['storm_since'])}: one message stands for many")
    if row["block"] == _MISSING and row["used_by"]:
        problems.append("Prefect has no such block: run `sentinel channels setup`, or remove it")
    if row["last_failed_at"]:
        problems.append(
            f"last failure {_time(row['last_failed_at'])}: {one_line(row['last_error'] or '', 400)}"
        )
        problems.append(f"once it is repaired: sentinel channels retry {one_line(row['channel'])}")
    elif row["last_error"]:
        problems.append(f"is being retried: {one_line(row['last_error'], 400)}")
    return problems


def _used(uses: Sequence[dict[str, str]]) -> str:
    rules: dict[str, list[str]] = {}
    for use in uses:
        rules.setdefault(use["rule"], []).append(use["when"])
    if not rules:
        return "no rule"
    if len(rules) > _MOST_NAMED:
        when = sorted(
            {one for several in rules.values() for one in several},
            key=lambda one: (_ORDER.get(one, 1), one),
        )
        return f"{len(rules)} rules ({', '.join(when)})"
    return ", ".join(f"{one_line(rule, 40)} ({', '.join(when)})" for rule, when in rules.items())


def _time(at: datetime | None) -> str:
    return stamp(at, seconds=False)


def _number(count: int | None) -> str:
    return "" if count is None else f"{count:,}"
