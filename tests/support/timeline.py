"""Examples as the lifecycle pages write them: a line for each run, with the expected outcome.

`09:01 breach | pending: 1 of 3 breaches | opened` is a run that was due at 09:01, the reason of its
decision, and what people are told.
"""

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from sentinel_core.decide.misfire import skipped
from sentinel_core.decide.observe import Kind, judge
from sentinel_core.decide.snooze import Limits
from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.rule import Inhibition, RuleSettings
from sentinel_core.model.run import SKIPPED, Run, Schedule, StateType
from sentinel_core.model.silence import Inhibitor, Matchers, Silence
from sentinel_core.prefect_io.due import next_due
from sentinel_core.replay.actions import acknowledge, resolve
from sentinel_core.replay.ledger import MemoryLedger
from sentinel_core.replay.timeline import Event
from tests.support.runs import ROUTES

DAY = datetime(2026, 11, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
_TIMES = re.compile(r"(?P<start>\d\d:\d\d)(?:-(?P<end>\d\d:\d\d))? (?P<what>.+)")
_SERIES = re.compile(r"(?:(?P<ticker>[A-Z]+) )?(?P<saw>[a-z][a-z ]*|-?\d+(?:\.\d+)?)")
_STATES = {"fails": StateType.FAILED, "is cancelled": StateType.CANCELLED}


@dataclass(frozen=True)
class Line:
    """One line: what happened at a moment, and what must come of it."""

    at: datetime
    what: str
    reason: str
    told: str


def clock(text: str) -> datetime:
    """`09:05` on the day of all examples."""
    hours, minutes = text.split(":")
    return DAY + timedelta(hours=int(hours), minutes=int(minutes))


def lines(text: str) -> Iterator[Line]:
    """The lines of a timeline; `09:07-09:20` is one for each minute."""
    for written in filter(str.strip, text.splitlines()):
        what, reason, told = ([part.strip() for part in written.split("|")] + ["", ""])[:3]
        found = _TIMES.fullmatch(what)
        assert found, f"not a line of a timeline: {written!r}"
        at = clock(found["start"])
        while at <= clock(found["end"] or found["start"]):
            yield Line(at, found["what"].strip(), reason, told)
            at += MINUTE


@dataclass
class Play:
    """An example while it runs. `wrong` is what did not come as the page says."""

    example: Mapping[str, Any]
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        chosen = {k: v for k, v in self.example.items() if k in ("policy", "conditions")}
        self.settings = RuleSettings.model_validate({"notify": ROUTES, **chosen})
        cron = self.example.get("schedule")
        self.schedules = [Schedule(cron=cron)] if cron else []
        self.inhibited = False
        self.silences: list[Silence] = []
        self.simulation = MemoryLedger(
            "shop",
            self.settings,
            silences=self.silences,
            inhibitors=lambda _: [_GATEWAY] if self.inhibited else [],
            keep_evaluations=True,
        )

    def run(self) -> list[str]:
        """Everything that did not come as written; nothing when all did."""
        recorded = DAY
        for line in lines(self.example["timeline"]):
            recorded = max(recorded, line.at)
            steps, messages = len(self.simulation.evaluations), len(self.simulation.notifications)
            self._happen(line, recorded)
            fresh = self.simulation.notifications[messages:]
            told = ", ".join(f"{'not ' if m.suppressed else ''}{m.reason}" for m in fresh)
            reasons = [step.decision.reason for step in self.simulation.evaluations[steps:]]
            self._compare(line, line.reason, " / ".join(reasons))
            self._compare(line, line.told, told)
        found = [_words(event) for event in self.simulation.events]
        if found != self.example["events"]:
            self.wrong.append(f"events: {found}, written: {self.example['events']}")
        return self.wrong

    def _compare(self, line: Line, written: str, found: str) -> None:
        if not fnmatchcase(found, written.replace("[", "[[]")):
            self.wrong.append(f"{line.at:%H:%M} {line.what}: {found!r}, written: {written!r}")

    def _happen(self, line: Line, recorded: datetime) -> None:
        """What a person or another rule does, or else a run."""
        words = line.what.split()
        until = clock(words[-1]) if "until" in words and ":" in words[-1] else None
        match words:
            case ["silence", "until", _]:
                assert until is not None
                self.silences.append(_silence(line.at, until))
            case ["gateway", "fires" | "recovers"]:
                self.inhibited = words[1] == "fires"
            case [who, "acknowledges", "until", "above" | "below" as side, limit]:
                limits = Limits(**{side: float(limit)})
                assert acknowledge(self.simulation, Kind.ALERT, "", line.at, who, limits=limits)
            case [who, "acknowledges", *_]:
                assert acknowledge(self.simulation, Kind.ALERT, "", line.at, who, until)
            case [who, "resolves"]:
                assert resolve(self.simulation, Kind.ALERT, "", line.at, who)
            case _:
                self._run(line, recorded)

    def _run(self, line: Line, recorded: datetime) -> None:
        saw, _, late = line.what.partition(", started ")
        started = clock(late) if late else line.at
        following = partial(next_due, self.schedules)
        why = skipped(self.settings.policy, line.at, started, following)
        state = _STATES.get(saw, StateType.COMPLETED)
        run = Run(
            id=uuid.uuid4(),
            name="run",
            state_type=state,
            state_name=SKIPPED if why else state.title(),
            state_message=why or "",
            state_at=started + timedelta(seconds=2),
            expected_start=line.at,
            started_at=started,
            run_count=1,
        )
        outputs = [] if saw in _STATES or why else [_output(one) for one in saw.split(", ")]
        self.simulation.run(judge(run, self.settings, outputs), recorded)


_GATEWAY = Inhibitor("gateway", "", [Inhibition(rule="shop")])


def _silence(start: datetime, end: datetime) -> Silence:
    return Silence(
        matchers=Matchers(rule="shop"), starts_at=start, ends_at=end, author="mira", comment="works"
    )


def _output(text: str) -> AlertOutput:
    found = _SERIES.fullmatch(text)
    assert found, f"not something a run sees: {text!r}"
    word, _, importance = found["saw"].partition(" ")
    given: dict[str, Any] = {"ticker": found["ticker"] or "", "triggered": False}
    match found["saw"]:
        case "ok":
            pass
        case "error":
            given["problem"] = "error"
        case "no data":
            given["problem"] = "no_data"
        case _ if word == "breach":
            given |= {"triggered": True, "importance": importance or None}
        case number:
            given["metrics"] = {"value": float(number)}
    return AlertOutput(**given)


def _words(event: Event) -> str:
    """`error A 09:01-09:03 recovered`; an alert is not named, as most are."""
    kind = "" if event.kind is Kind.ALERT else event.kind.value
    end = f"{event.resolved_at:%H:%M}" if event.resolved_at else ""
    parts = (kind, event.ticker, f"{event.opened_at:%H:%M}-{end}", event.resolution or "")
    return " ".join(filter(None, parts))
