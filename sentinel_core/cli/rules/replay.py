"""`sentinel rules replay`: what a changed rule would have made of what was recorded."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, RowMapping

from sentinel_core.base.errors import RuleFileError, SentinelError
from sentinel_core.cli.parse import event_store, moment_back, moment_now, when
from sentinel_core.cli.rules.replay_result import FileRule, Result
from sentinel_core.decide.lifecycle import Lifecycle
from sentinel_core.model.rule import RuleSettings
from sentinel_core.prefect_io.facts import rule_settings
from sentinel_core.replay.history import Span, past, rules_named, runs, span
from sentinel_core.replay.replay import Stored, Variant, compare, replay, states_needed
from sentinel_core.rulefile.check import Declared
from sentinel_core.store.db.engine import reading

if TYPE_CHECKING:
    from sentinel_core.cli.rules.replay_picture import Sketch


class ReplayError(SentinelError):
    """There is nothing to replay, or not over that time."""


def run(
    name: str,
    file: Path,
    *,
    since: str,
    until: str | None,
    as_json: bool,
    picture: Path | None,
) -> int:
    """Replay one rule and print both timelines. Raises SentinelError when it can't."""
    from sentinel_core.cli.rules.checked import find_rule
    from sentinel_core.cli.rules.replay_report import as_data, lines

    start, end = period(since, until)
    if picture is not None and picture.suffix.lower() != ".svg":
        raise ReplayError(f"--picture {picture}: an SVG picture is drawn, so name a file.svg")
    rule = of_file(find_rule(name, file), file)
    with event_store() as engine:
        row = stored_rule(engine, rule)
        sketch = _sketch(rule, row, start, end) if picture else None
        result = replayed(engine, row, rule, start, end, sketch=sketch)
    if picture is not None and sketch is not None:
        _draw(picture, sketch, result)
    print(json.dumps(as_data(result)) if as_json else "\n".join(lines(result)))
    return 0


def period(since: str, until: str | None) -> tuple[datetime, datetime]:
    """The time to replay. Raises UsageError and ReplayError."""
    now = moment_now()
    start = moment_back(since, "--since", now)
    end = now if until is None else moment_back(until, "--until", now)
    if start >= end:
        raise ReplayError(f"--since {when(start)} is not before --until {when(end)}")
    return start, end


def of_file(declared: Declared, file: Path) -> FileRule:
    """A checked rule's own settings. Raises RuleFileError where only Prefect knows them."""
    entry = declared.entry
    for setting in RuleSettings.model_fields:
        if entry.has_open(("parameters", setting)):
            raise RuleFileError(
                f"{entry.name}: parameters.{setting} has a placeholder that only Prefect can fill: "
                "write it out to replay the rule"
            )
    parameters = entry.config.get("parameters") or {}
    return FileRule(
        entry.name,
        declared.flow.name,
        str(file),
        rule_settings(parameters, declared.schema),
        tuple(entry.config.get("tags") or ()),
        parameters.get("check"),
    )


def stored_rule(engine: Engine, rule: FileRule) -> RowMapping:
    """The rule's row. Raises ReplayError when the store has never seen it."""
    rows = rules_named(engine, rule.name)
    for row in rows:
        if row["flow_name"] == rule.flow_name:
            return row
    if rows:
        others = ", ".join(row["flow_name"] for row in rows)
        raise ReplayError(
            f"{rule.name} is a rule of {rule.flow_name} in {rule.file}, and what is recorded under "
            f"that name is of {others}: another check, so there is nothing to compare"
        )
    raise ReplayError(
        f"the event store knows no rule {rule.name}: deploy it, and replay once it has run"
    )


def deployed_settings(row: RowMapping) -> RuleSettings:
    """What the deployed rule decides with, as the store was told."""
    known = {name: row[name] for name in ("importance", "category", "display_duration_minutes")}
    given = {name: value for name, value in row["parameters"].items() if value is not None}
    return rule_settings({**known, **given}, {})


def replayed(
    engine: Engine,
    row: RowMapping,
    rule: FileRule,
    since: datetime,
    until: datetime,
    *,
    deployed: RuleSettings | None = None,
    sketch: "Sketch | None" = None,
) -> Result:
    """Replay what is deployed and what the file has. Raises ReplayError for an empty record.

    `deployed` is what Prefect has, where that was asked; else what the store was told of it.
    """
    deployed = deployed or deployed_settings(row)
    both = [deployed, rule.settings]
    with reading(engine) as connection:
        over = span(
            connection,
            row["id"],
            since,
            until,
            look_back=max(Lifecycle(settings).look_back for settings in both),
            states=max(states_needed(settings.policy) for settings in both),
        )
        recorded: Iterable[Sequence[Stored]] = runs(connection, row["id"], over)
        if sketch is not None:
            recorded = _watched(recorded, sketch)
        variants = [
            Variant(deployed, tuple(row["tags"])),
            Variant(rule.settings, rule.tags, recorded_as=deployed.importance),
        ]
        around = past(connection, row["id"], rule.name, over)
        before, after = replay(around, recorded, variants, since, until=until)
    if not before.runs:
        raise ReplayError(
            f"nothing of {rule.name} was recorded from {when(since)} to {when(until)}: "
            "there is nothing to replay"
        )
    notes = tuple(_notes(row, deployed, rule, over))
    return Result(rule, over, before, after, compare(before, after), notes)


def _watched(recorded: Iterable[Sequence[Stored]], sketch: "Sketch") -> Iterator[Sequence[Stored]]:
    for one in recorded:
        sketch.add(one)
        yield one


def _notes(row: RowMapping, deployed: RuleSettings, rule: FileRule, over: Span) -> Iterator[str]:
    """What replaying can't show."""
    if over.older:
        yield (
            f"{over.older:,} evaluations were recorded before Sentinel kept what a check itself "
            "said: their verdict stands, and is only decided again"
        )
    if fields := _differing(row["parameters"].get("check"), rule.check):
        yield (
            f"`check` differs ({', '.join(fields)}): nothing is measured again; what the deployed "
            "check measured and said stands, also where another threshold would say otherwise"
        )
    old, new = deployed.policy, rule.settings.policy
    if (old.stale_seconds, old.on_stale) != (new.stale_seconds, new.on_stale):
        yield "what counts as too late differs: runs that were skipped stay skipped"
    if deployed.inhibitions != rule.settings.inhibitions:
        yield "`inhibits` differs: what this rule mutes in other rules is not replayed"


def _differing(before: Any, after: Any) -> list[str]:
    """Names of the fields of `check` that are not the same. No values: some are secrets."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return [] if before == after else ["all of it"]
    return [key for key in dict.fromkeys([*before, *after]) if before.get(key) != after.get(key)]


def _sketch(rule: FileRule, row: RowMapping, since: datetime, until: datetime) -> "Sketch":
    from sentinel_core.cli.rules.replay_picture import Sketch

    conditions = [*rule.settings.conditions, *deployed_settings(row).conditions]
    return Sketch(since, until, conditions)


def _draw(picture: Path, sketch: "Sketch", result: Result) -> None:
    from sentinel_core.cli.rules.replay_picture import svg

    title = f"{result.rule.name} ({result.rule.flow_name})"
    labels = ("as deployed", f"with {Path(result.rule.file).name}")
    try:
        picture.write_text(svg(title, sketch, result.deployed, result.wanted, labels), "utf-8")
    except OSError as error:
        raise ReplayError(f"--picture {picture} can't be written: {error.strerror}") from error
