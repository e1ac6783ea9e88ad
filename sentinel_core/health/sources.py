"""Sources: one check of each rule of the file, here and now. Records nothing, notifies nobody.

Rules that the file pauses are not run.
"""

import contextlib
import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from sentinel_core.base.errors import CheckFailedError, SentinelError
from sentinel_core.flow.one_check import check_once, recorded_history, trigger_of_rule
from sentinel_core.health.finding import Finding, Reporter, State
from sentinel_core.health.gather import Check, gather
from sentinel_core.model.trigger import NoHistory
from sentinel_core.rulefile.check import Declared, check
from sentinel_core.wording.text import counted, flat

COMPONENT = "sources"
_finding = Reporter(COMPONENT)
AT_ONCE = 8  # rules; each waits for what it measures


def look(path: Path, url: str, seconds: float) -> list[Finding]:
    """The findings on each rule of the file; a check that takes longer is left behind."""
    report = check(path, ask_prefect=False)
    # As for the worker of `sentinel up`: a rule that reads the event store finds it.
    os.environ.setdefault("SENTINEL_DATABASE_URL", url)
    loaded = {item.entry.index for item in report.declared}
    found = [
        _finding(entry.name, State.UNKNOWN, "it can't be loaded", f"sentinel rules check {path}")
        for entry in (report.file.entries if report.file else ())
        if entry.index not in loaded
    ]
    every = [item for item in report.declared if item.is_rule]
    rules = [item for item in every if not item.entry.is_paused]
    with contextlib.chdir(report.file.folder if report.file else Path.cwd()):  # as the runs are
        for start in range(0, len(rules), AT_ONCE):
            found += gather(
                [
                    Check(COMPONENT, rule.entry.name, partial(_look_at, rule, url), seconds)
                    for rule in rules[start : start + AT_ONCE]
                ]
            )
    if every and not rules:
        sentence = f"nothing was run, as {path} pauses {counted(len(every), 'rule')}, all it has"
        found.append(_finding("none", State.UNKNOWN, sentence))
    return found


def longest(entries: int, seconds: float) -> float:
    """The seconds after which all of so many rules have been checked or left behind."""
    return (entries // AT_ONCE + 1) * seconds + 60


def _look_at(rule: Declared, url: str) -> Sequence[Finding]:
    name = rule.entry.name
    try:
        history = recorded_history(url, rule)
    except SentinelError:  # said about the store
        history = NoHistory()
    try:
        trigger = trigger_of_rule(rule, dict(rule.entry.config.get("parameters") or {}))
        began = time.monotonic()
        outputs = check_once(rule, trigger, history)
    except CheckFailedError as error:
        advice = f"sentinel rules test {name}"
        sentence = flat(str(error).removeprefix(f"{name}: "), 400)
        return [_finding(name, State.DOWN, sentence, advice)]
    took = time.monotonic() - began
    sentence = f"{counted(len(outputs), 'series', 'series')} measured in {took:.2f} s"
    return [_finding(name, State.OK, sentence, series=len(outputs), seconds=took)]
