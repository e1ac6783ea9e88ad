"""What a replay compares: a rule as a file has it, and two timelines of it."""

from dataclasses import dataclass
from typing import Any

from sentinel_core.model.rule import RuleSettings
from sentinel_core.replay.history import Span
from sentinel_core.replay.replay import Comparison, Timeline


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
