"""The changes that deploying a rule file would make in Prefect. Pure.

`prefect deploy` overwrites whatever was edited in Prefect's UI, resumes what was paused there and
leaves schedules and rules that the file no longer has. The plan names each of these beforehand.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

NO_VALUE = "nothing"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a deployment runs, as far as two of them can be compared.

    `timing` is the kind and its values ("cron", "*/5 * * * *", "UTC", True); `active` None means
    that the file does not say.
    """

    timing: tuple[Any, ...]
    words: str
    active: bool | None
    slug: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deployment:
    """A deployment as far as two of them can be compared. `fields` are compared by name."""

    name: str
    flow_name: str
    fields: dict[str, Any]
    schedules: tuple[Schedule, ...]
    pull_steps: list[Any]
    entrypoint: str
    is_rule: bool

    @property
    def key(self) -> tuple[str, str]:
        """The names that Prefect knows it by."""
        return self.flow_name, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted(_Deployment):
    """A deployment as the file has it.

    `hidden` are names of fields whose values come from the environment: never shown.
    `incomparable` says what can't be compared, so that this deployment is always deployed.
    """

    index: int
    paused: bool | None
    hidden: frozenset[str] = frozenset()
    incomparable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed(_Deployment):
    """A deployment as Prefect has it."""

    id: UUID
    paused: bool


class Action(StrEnum):
    """The fate of one deployment of the file."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Change:
    """One field that deploying changes, with both values in words."""

    field: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.field}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Step:
    """One deployment of the file, what happens to it and what is kept of Prefect's side."""

    wanted: Wanted
    action: Action
    deployed: Deployed | None = None
    changes: tuple[Change, ...] = ()
    keep_paused: bool = False
    keep_inactive: tuple[int, ...] = ()  # places in the file's list of schedules
    drop: tuple[UUID, ...] = ()  # schedules plain deploy would leave behind

    @property
    def name(self) -> str:
        """The rule's name."""
        return self.wanted.name

    @property
    def from_elsewhere(self) -> bool:
        """True if its code came from another place until now: perhaps another project's."""
        return self.deployed is not None and self.deployed.pull_steps != self.wanted.pull_steps


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a deploy would do. `gone`: ours and no longer in the file; `foreign`: not ours."""

    steps: tuple[Step, ...]
    gone: tuple[Deployed, ...]
    foreign: tuple[Deployed, ...]

    @property
    def to_deploy(self) -> tuple[Step, ...]:
        """The steps that change something."""
        return tuple(step for step in self.steps if step.action is not Action.UNCHANGED)


def plan(wanted: Sequence[Wanted], deployed: Sequence[Deployed]) -> Plan:
    """The plan that makes `deployed` what the file says."""
    there = {item.key: item for item in deployed}
    in_file = {item.key for item in wanted}
    others = [item for key, item in there.items() if key not in in_file]
    ours = [item for item in others if _is_ours(item, wanted)]
    return Plan(
        tuple(_step(item, there.get(item.key)) for item in wanted),
        tuple(ours),
        tuple(item for item in others if item.is_rule and item not in ours),
    )


def _is_ours(item: Deployed, wanted: Sequence[Wanted]) -> bool:
    """True if it was deployed from this project: its code comes from where this file's does.

    Being a rule is not enough: another team's rules may be on the same server. A deployment that
    is not a rule must also come from one of the folders this file takes flows from, and so must one
    without pull steps, which say of what is installed nothing but that.
    """
    alike = [other for other in wanted if other.pull_steps == item.pull_steps]
    if item.is_rule and item.pull_steps:
        return bool(alike)
    return _folder(item.entrypoint) in {_folder(other.entrypoint) for other in alike}


def _folder(entrypoint: str) -> str:
    """The folder of a flow's file; of a flow named as `package.module.flow` the module."""
    path, colon, _name = entrypoint.rpartition(":")
    if not colon:
        return entrypoint.rpartition(".")[0]
    return path.removeprefix("./").rpartition("/")[0]


def _step(wanted: Wanted, deployed: Deployed | None) -> Step:
    if deployed is None:
        return Step(wanted, Action.CREATE)
    pairs = _pair(wanted.schedules, deployed.schedules)
    keep_paused = wanted.paused is None and deployed.paused
    keep_inactive = tuple(
        place
        for place, schedule in enumerate(wanted.schedules)
        if schedule.active is None and (old := pairs.get(place)) is not None and not old.active
    )
    changes = []
    for name, value in wanted.fields.items():
        for path, old, new in _differences(name, deployed.fields.get(name), value):
            hidden = any(path == part or path.startswith(f"{part}.") for part in wanted.hidden)
            shown = ("(not shown)", "(not shown)") if hidden else (_words(old), _words(new))
            changes.append(Change(path, *shown))
    if wanted.paused is not None and wanted.paused != deployed.paused:
        changes.append(Change("paused", _words(deployed.paused), _words(wanted.paused)))
    changes += _schedule_changes(wanted, deployed, pairs)
    action = Action.UPDATE if changes or wanted.incomparable else Action.UNCHANGED
    drop = _leftovers(wanted, deployed) if action is Action.UPDATE else ()
    return Step(wanted, action, deployed, tuple(changes), keep_paused, keep_inactive, drop)


def _pair(wanted: Sequence[Schedule], deployed: Sequence[Schedule]) -> dict[int, Schedule]:
    """The deployed schedule of each in the file: by slug, by timing, then whatever is left."""
    left = list(deployed)
    pairs: dict[int, Schedule] = {}
    rules: list[Callable[[Schedule, Schedule], bool]] = [
        lambda new, old: new.slug is not None and new.slug == old.slug,
        lambda new, old: new.timing == old.timing and new.parameters == old.parameters,
        lambda _new, _old: True,
    ]
    for same in rules:
        for place, new in enumerate(wanted):
            match = next((old for old in left if place not in pairs and same(new, old)), None)
            if match is not None:
                pairs[place] = match
                left.remove(match)
    return pairs


def _differences(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            yield from _differences(f"{path}.{key}", before.get(key), after.get(key))
    elif not _same(before, after):
        yield path, before, after


def _same(before: Any, after: Any) -> bool:
    """Equal as JSON: 90 and 90.0 are one value, 1 and true are two."""
    if _is_number(before) and _is_number(after):
        return bool(before == after)
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_same, before, after))
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(_same(before[k], after[k]) for k in before)
    return type(before) is type(after) and bool(before == after)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _schedule_changes(
    wanted: Wanted, deployed: Deployed, pairs: Mapping[int, Schedule]
) -> Iterator[Change]:
    for place, new in enumerate(wanted.schedules):
        old = pairs.get(place)
        where = f"schedules[{place}]"
        if old is None:
            yield Change(where, NO_VALUE, new.words)
            continue
        if old.timing != new.timing:
            yield Change(where, old.words, new.words)
        if new.active is not None and new.active != old.active:
            yield Change(f"{where}.active", _words(old.active), _words(new.active))
        if new.slug != old.slug:
            yield Change(f"{where}.slug", _words(old.slug), _words(new.slug))
        for path, before, after in _differences(
            f"{where}.parameters", old.parameters, new.parameters
        ):
            yield Change(path, _words(before), _words(after))
    kept = {schedule.id for schedule in pairs.values()}
    for old in deployed.schedules:
        if old.id not in kept:
            yield Change("schedules", old.words, NO_VALUE)


def _leftovers(wanted: Wanted, deployed: Deployed) -> tuple[UUID, ...]:
    """Schedules to delete first. Prefect's update replaces all schedules, with two exceptions:

    none in the request leaves all; and when all deployed ones have slugs, only those with the same
    slug are changed (and a request without slugs is refused).
    """
    old, new = deployed.schedules, wanted.schedules
    if not new or (old and all(s.slug for s in old) and not all(s.slug for s in new)):
        gone = list(old)
    elif old and all(s.slug for s in old):
        slugs = {s.slug for s in new}
        gone = [s for s in old if s.slug not in slugs]
    else:
        gone = []
    return tuple(s.id for s in gone if s.id is not None)


def _words(value: Any, most: int = 120) -> str:
    if value is None:
        return NO_VALUE
    text = " ".join(repr(value).split())
    return text if len(text) <= most else f"{text[: most - 1]}…"
