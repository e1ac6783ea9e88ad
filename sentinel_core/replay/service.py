"""A rule as a file has it, replayed over the record beside what is deployed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, RowMapping

from sentinel_core.base.errors import ReplayError, RuleFileError
from sentinel_core.decide.lifecycle import Lifecycle
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.times import utc
from sentinel_core.prefect_io.facts import rule_settings
from sentinel_core.replay.compare import Comparison, compare
from sentinel_core.replay.history import Span, past, rules_named, runs, span
from sentinel_core.replay.recorded import Variant
from sentinel_core.replay.replay import replay, states_needed
from sentinel_core.replay.timeline import Timeline
from sentinel_core.rulefile.check import Declared
from sentinel_core.store.db.engine import reading
from sentinel_core.store.retention.evaluations import deleted_before
from sentinel_core.store.state.watched import WATCHED


@dataclass(frozen=True, slots=True)
class FileRule:
    """A rule as a file has it: what it decides with, and what it measures."""

    name: str
    flow_name: str
    file: str
    settings: RuleSettings
    tags: tuple[str, ...]
    check: Any


@dataclass(frozen=True, slots=True)
class Result:
    """Two timelines of one rule, what differs, and in sentences what could not be replayed."""

    rule: FileRule
    span: Span
    deployed: Timeline
    wanted: Timeline
    comparison: Comparison
    notes: tuple[str, ...]


def file_rule(declared: Declared, file: Path) -> FileRule:
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


def replay_rule(
    engine: Engine,
    rule: FileRule,
    since: datetime,
    until: datetime,
    *,
    deployed: RuleSettings | None = None,
) -> Result:
    """Replay the deployed settings and those of the file.

    `deployed` are Prefect's settings, where they are at hand; otherwise the event store's copy.
    Raises ReplayError for a rule or a time without a record, also one whose evaluations were
    deleted.
    """
    row = _stored_rule(engine, rule)
    deployed = deployed or _deployed_settings(row)
    both = [deployed, rule.settings]
    with reading(engine) as connection:
        deleted = deleted_before(connection, row["id"])
        if deleted is not None and since < deleted:
            raise ReplayError(
                f"evaluations of {rule.name} from before {utc(deleted)} were deleted, as the "
                f"retention settings say: replay from there on, with --since {deleted:%FT%R}"
            )
        over = span(
            connection,
            row["id"],
            since,
            until,
            look_back=max(Lifecycle(settings).look_back for settings in both),
            states=max(states_needed(settings.policy) for settings in both),
        )
        cut = deleted if deleted is not None and over.first < deleted else None
        if cut is not None:
            over = replace(over, first=cut)
        variants = [
            Variant(deployed, tuple(row["tags"])),
            Variant(rule.settings, rule.tags, recorded_as=deployed.importance),
        ]
        around = past(connection, row["id"], rule.name, over)
        measured = any(settings.conditions for settings in both)
        recorded = runs(connection, row["id"], over, metrics=measured)
        before, after = replay(around, recorded, variants, since, until=until)
    if not before.runs:
        raise ReplayError(
            f"nothing of {rule.name} was recorded from {utc(since)} to {utc(until)}: "
            "there is nothing to replay"
        )
    notes = tuple(_notes(row, deployed, rule, over))
    if cut is not None:
        notes += (
            f"evaluations from before {utc(cut)} were deleted: the first decisions can't "
            "take them into account, and may differ from those on record",
        )
    return Result(rule, over, before, after, compare(before, after), notes)


def refuse_watched(engine: Engine, name: str) -> None:
    """Raises ReplayError if this is the name of a watched flow."""
    if any(row["trigger"] == WATCHED for row in rules_named(engine, name)):
        raise ReplayError(
            f"{name} is a flow with Sentinel's hooks, which can't be replayed: its settings are in "
            "its code, and of its runs that are fine only those that ended an event are on record"
        )


def _stored_rule(engine: Engine, rule: FileRule) -> RowMapping:
    """The rule's row. Raises ReplayError when the store has none."""
    rows = rules_named(engine, rule.name)
    for row in rows:
        if row["flow_name"] == rule.flow_name:
            return row
    if rows:
        others = ", ".join(row["flow_name"] for row in rows)
        raise ReplayError(
            f"{rule.name} is a rule of {rule.flow_name} in {rule.file}, but the record under that "
            f"name is of {others}: another check, so there is nothing to compare"
        )
    raise ReplayError(
        f"the event store has no rule {rule.name}: deploy it, and replay once it has run"
    )


def _deployed_settings(row: RowMapping) -> RuleSettings:
    """The settings of the deployed rule, as the event store keeps them."""
    known = {name: row[name] for name in ("importance", "category", "display_duration_minutes")}
    given = {name: value for name, value in row["parameters"].items() if value is not None}
    return rule_settings({**known, **given}, {})


def _notes(row: RowMapping, deployed: RuleSettings, rule: FileRule, over: Span) -> Iterator[str]:
    """Sentences on what a replay can't show."""
    if over.older:
        yield (
            f"{over.older:,} evaluations were recorded before Sentinel kept the check's own "
            "verdict: their recorded verdict stands, only the decision is made again"
        )
    if fields := _differing(row["parameters"].get("check"), rule.check):
        yield (
            f"`check` differs ({', '.join(fields)}): nothing is measured again; the values and the "
            "verdict of the deployed check stand, even where another threshold would differ"
        )
    old, new = deployed.policy, rule.settings.policy
    if (old.stale_seconds, old.on_stale) != (new.stale_seconds, new.on_stale):
        yield "the policy for late runs differs: runs that were skipped stay skipped"
    if old.grace_seconds != new.grace_seconds:
        yield (
            "`grace_seconds` differs: silence is not replayed, as nothing ran; `sentinel rules "
            "coverage` shows which due times were missed"
        )
    if deployed.inhibitions != rule.settings.inhibitions:
        yield "`inhibits` differs: what this rule mutes in other rules is not replayed"


def _differing(before: Any, after: Any) -> list[str]:
    """Names of the fields of `check` that differ. No values: some are secrets."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return [] if before == after else ["all of it"]
    return [key for key in dict.fromkeys([*before, *after]) if before.get(key) != after.get(key)]
