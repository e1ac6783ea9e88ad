"""`sentinel rules replay`: what a changed rule would have made of what was recorded."""

import contextlib
from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sentinel_core.base.errors import (
    ReplayError,
    RuleFileError,
    StoreRefusedError,
    StoreUnavailableError,
)
from sentinel_core.cli.options import RULE_FILE, Json, LookBack, RuleName
from sentinel_core.cli.output import print_json
from sentinel_core.cli.parse import time_ago, utc_now
from sentinel_core.cli.rules.checked import find_rule
from sentinel_core.cli.rules.replay_report import as_data, lines
from sentinel_core.cli.store import event_store
from sentinel_core.model.times import utc
from sentinel_core.replay.service import file_rule, refuse_watched, replay_rule


def replay(
    name: RuleName,
    *,
    with_: Annotated[
        Path, Parameter("--with", help="The rule file with the changed rule.")
    ] = RULE_FILE,
    since: LookBack = "7d",
    until: Annotated[str | None, Parameter(help="The end of that time; now by default.")] = None,
    as_json: Json = False,
) -> None:
    """Replay a changed rule over the recorded past, beside the deployed one.

    Decides the rule's recorded evaluations twice, with the deployed settings and with those of a
    file, and prints both timelines and the difference. Nothing is measured or recorded, nobody is
    notified.
    """
    start, end = period(since, until)
    try:
        declared = find_rule(name, with_)
    except RuleFileError:
        _refuse_watched(name)
        raise
    rule = file_rule(declared, with_)
    with event_store() as engine:
        result = replay_rule(engine, rule, start, end)
    if as_json:
        print_json(as_data(result))
    else:
        print("\n".join(lines(result)))


def _refuse_watched(name: str) -> None:
    with contextlib.suppress(StoreUnavailableError, StoreRefusedError), event_store() as engine:
        refuse_watched(engine, name)


def period(since: str, until: str | None) -> tuple[datetime, datetime]:
    """The time to replay. Raises UsageError and ReplayError."""
    now = utc_now()
    start = time_ago(since, "--since", now)
    end = now if until is None else time_ago(until, "--until", now)
    if start >= end:
        raise ReplayError(f"--since {utc(start)} is not before --until {utc(end)}")
    return start, end
