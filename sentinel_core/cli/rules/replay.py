"""`sentinel rules replay`: what a changed rule would have made of what was recorded."""

import json
from datetime import datetime
from pathlib import Path

from sentinel_core.base.errors import ReplayError
from sentinel_core.cli.parse import time_ago, utc_now
from sentinel_core.cli.rules.checked import find_rule
from sentinel_core.cli.rules.replay_report import as_data, lines
from sentinel_core.cli.store import event_store
from sentinel_core.model.times import utc
from sentinel_core.replay.service import file_rule, replay_rule


def run(name: str, file: Path, *, since: str, until: str | None, as_json: bool) -> int:
    """Replay one rule and print both timelines. Raises SentinelError when it can't."""
    start, end = period(since, until)
    rule = file_rule(find_rule(name, file), file)
    with event_store() as engine:
        result = replay_rule(engine, rule, start, end)
    print(json.dumps(as_data(result)) if as_json else "\n".join(lines(result)))
    return 0


def period(since: str, until: str | None) -> tuple[datetime, datetime]:
    """The time to replay. Raises UsageError and ReplayError."""
    now = utc_now()
    start = time_ago(since, "--since", now)
    end = now if until is None else time_ago(until, "--until", now)
    if start >= end:
        raise ReplayError(f"--since {utc(start)} is not before --until {utc(end)}")
    return start, end
