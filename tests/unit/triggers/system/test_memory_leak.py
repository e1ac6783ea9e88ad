"""Memory leak: limits as a table, then a process that really takes memory, and a real record."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel_core.base.errors import HistoryUnavailableError
from sentinel_core.base.settings import get_settings
from sentinel_core.flow.history import history_of
from sentinel_core.flow.hooks import record_facts
from sentinel_core.flow.opening import open_store
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule, Run, StateType
from sentinel_core.model.trigger import NoHistory, PastEvaluation
from triggers.sources.errors import SourceError
from triggers.system.memory_leak import Growth, MemoryLeak, ProcessSample, slope_per_hour

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
UNKNOWN = Growth(None, "growth not judged yet: 1 of 6 points")


def rule(**check: Any) -> MemoryLeak:
    return MemoryLeak.model_validate({"process_name": "leaky", **check})


def sample(rss_mb: float, at: datetime = NOW) -> ProcessSample:
    return ProcessSample(rss_mb=rss_mb, count=1, at=at)


def past(*values: float, minutes: float = 5) -> list[PastEvaluation]:
    """Earlier evaluations, the newest first, `minutes` apart, the newest that long before NOW."""
    return [
        PastEvaluation(NOW - timedelta(minutes=minutes * (age + 1)), "t", False, {"rss_mb": value})
        for age, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("says", "rss_mb", "growth", "triggered", "value", "unit"),
    [
        ("below both", 100, 50, False, 100, "MB"),
        ("exactly at the limit", 512, 50, False, 512, "MB"),
        ("above the limit", 512.1, 50, True, 512.1, "MB"),
        ("exactly at the growth", 100, 100, False, 100, "MB"),
        ("above the growth", 100, 100.1, True, 100.1, "MB/h"),
        ("above both: the limit is told", 600, 200, True, 600, "MB"),
        ("shrinking", 100, -500, False, 100, "MB"),
        ("growth unknown, below the limit", 100, None, False, 100, "MB"),
        ("growth unknown, above the limit", 600, None, True, 600, "MB"),
    ],
)
def test_memory_triggers(
    says: str, rss_mb: float, growth: float | None, triggered: bool, value: float, unit: str
) -> None:
    output = rule().evaluate(sample(rss_mb), "host leaky", Growth(growth, "note"))
    assert output.triggered is triggered, says
    assert output.metrics["rss_mb"] == rss_mb
    assert output.metrics["value"] == value
    assert output.metrics["threshold"] == (100 if unit == "MB/h" else 512)
    assert output.metadata["unit"] == unit
    assert ("growth_mb_per_hour" in output.metrics) is (growth is not None)
    assert output.message.endswith("; note")


@pytest.mark.parametrize(
    ("says", "points", "mb_per_hour"),
    [
        ("a straight line", [(0, 100), (1, 110), (2, 120)], 10),
        ("flat", [(0, 7), (1, 7), (2, 7)], 0),
        ("falling", [(0, 120), (1, 100)], -20),
        ("a zigzag about a line", [(0, 0), (1, 3), (2, 0), (3, 3)], 0.6),
        ("no time has passed", [(1, 5), (1, 9)], None),
    ],
)
def test_growth_is_the_least_squares_slope(
    says: str, points: list[tuple[float, float]], mb_per_hour: float | None
) -> None:
    timed = [(NOW + timedelta(hours=hour), value) for hour, value in points]
    expected = None if mb_per_hour is None else pytest.approx(mb_per_hour)
    assert slope_per_hour(timed) == expected, says


@given(st.lists(st.floats(0, 1e5), min_size=3, max_size=30), st.floats(-1e3, 1e3))
def test_adding_a_steady_leak_adds_its_rate_to_the_growth(values: list[float], rate: float) -> None:
    hours = [index / 12 for index in range(len(values))]
    plain = [(NOW + timedelta(hours=h), v) for h, v in zip(hours, values, strict=True)]
    leaking = [(at, v + rate * h) for (at, v), h in zip(plain, hours, strict=True)]
    before, after = slope_per_hour(plain), slope_per_hour(leaking)
    assert before is not None
    assert after == pytest.approx(before + rate, abs=1e-3)


def test_growth_is_judged_from_the_least_number_of_points_on() -> None:
    check = rule(minimum_points=4)
    early = check.growth(sample(140), past(130, 120))
    assert early == Growth(None, "growth not judged yet: 3 of 4 points")
    judged = check.growth(sample(140), past(130, 120, 110))
    assert judged.mb_per_hour == pytest.approx(120)
    assert judged.note == "+120.0 MB/h over 4 points in 0.2 h"


def test_growth_is_judged_once_its_points_span_the_least_time() -> None:
    check = rule(minimum_points=3, minimum_minutes=15)
    early = check.growth(sample(140), past(130, 120))
    assert early == Growth(None, "growth not judged yet: 10 of 15 minutes")
    assert check.growth(sample(140), past(130, 120, 110)).mb_per_hour == pytest.approx(120)


def test_the_examples_window_takes_a_warm_up_for_no_leak_and_finds_one() -> None:
    check = rule(window=48, minimum_minutes=180, growth_mb_per_hour=100)
    warming = [350.0] * 200 + [250.0, 150.0, 100.0]  # the newest first
    leaking = [120.0 * (203 - age) / 12 for age in range(203)]
    for values, leaks in ((warming, False), (leaking, True)):
        for begun in range(1, len(values) + 1):
            now, *before = values[-begun:][: check.window]
            growth = check.growth(sample(now), past(*before))
            grows = growth.mb_per_hour is not None and growth.mb_per_hour > 100
            assert grows is (leaks and begun > 36), (begun, growth)


def test_evaluations_that_measured_nothing_are_no_points() -> None:
    holes = [PastEvaluation(NOW - timedelta(hours=h), "t", False) for h in range(1, 9)]
    assert rule(minimum_points=3).growth(sample(1), holes).mb_per_hour is None


def test_a_restart_lowers_the_growth() -> None:
    growth = rule().growth(sample(120), past(110, 100, 500, 490, 480)).mb_per_hour
    assert growth is not None
    assert growth < 0


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ({"process_name": None}, "exactly one"),
        ({"pid": 7}, "exactly one"),
        ({"process_name": ""}, "process_name"),
        ({"window": 5, "minimum_points": 6}, "must not exceed window"),
        ({"limit_mb": 0}, "limit_mb"),
        ({"limit_mb": float("inf")}, "limit_mb"),
        ({"growth_mb_per_hour": 0}, "growth_mb_per_hour"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(check: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        rule(**check)


LEAKY = """
import sys
kept = []
for line in sys.stdin:
    kept.append(b"x" * (int(line) * 2**20))  # written to, so that it is really resident
    print("done", flush=True)
"""


@dataclass
class Leaky:
    """A real process that takes as much memory as it is told to."""

    process: subprocess.Popen[str]
    mark: str

    def take(self, megabytes: int) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{megabytes}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


@pytest.fixture
def leaky() -> Iterator[Leaky]:
    mark = f"leaky-{uuid.uuid4().hex}"
    with subprocess.Popen(
        [sys.executable, "-c", LEAKY, mark],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Leaky(process, mark)
        process.kill()


def test_a_process_that_takes_memory_is_found_by_command_line_and_by_pid(leaky: Leaky) -> None:
    by_command = rule(process_name=None, command_contains=leaky.mark, limit_mb=100)
    by_pid = rule(process_name=None, pid=leaky.process.pid, limit_mb=100)
    leaky.take(1)
    assert not by_command.check(NoHistory()).triggered
    before = by_pid.check(NoHistory()).metrics["rss_mb"]
    leaky.take(150)
    output = by_command.check(NoHistory())
    assert output.triggered
    assert output.metrics["rss_mb"] == pytest.approx(before + 150, abs=5)
    assert output.metadata["largest"][0]["pid"] == leaky.process.pid
    assert output.ticker.endswith(leaky.mark)
    assert by_pid.check(NoHistory()).triggered


def test_the_memory_of_all_matching_processes_is_added_up(leaky: Leaky) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LEAKY, leaky.mark],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as second:
        for one in (leaky, Leaky(second, leaky.mark)):
            one.take(80)
        output = rule(process_name=None, command_contains=leaky.mark).check(NoHistory())
        second.kill()
    assert output.metrics["processes"] == 2
    assert output.metrics["rss_mb"] > 160


def test_a_process_is_found_by_its_exact_name(leaky: Leaky) -> None:
    leaky.take(1)
    name = psutil.Process(leaky.process.pid).name()
    pids = rule(process_name=name).read()
    assert pids.count >= 1
    with pytest.raises(SourceError, match="no process named"):
        rule(process_name=name + "-not").read()


@pytest.mark.parametrize(
    "check",
    [
        {"process_name": "no-such-program-anywhere"},
        {"process_name": None, "command_contains": uuid.uuid4().hex},
        {"process_name": None, "pid": 2**22 + 7},
    ],
)
def test_no_matching_process_is_an_error_and_never_quiet(check: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match="there is no process"):
        rule(**check).check(NoHistory())


def test_a_process_that_ended_is_an_error(leaky: Leaky) -> None:
    check = rule(process_name=None, pid=leaky.process.pid)
    leaky.take(1)
    assert check.check(NoHistory()).metrics["rss_mb"] > 0
    leaky.process.kill()
    leaky.process.wait()
    with pytest.raises(SourceError, match="there is no process with pid"):
        check.check(NoHistory())


def test_a_process_that_ended_and_was_not_collected_is_an_error(leaky: Leaky) -> None:
    leaky.take(1)
    leaky.process.kill()
    os.waitid(os.P_PID, leaky.process.pid, os.WEXITED | os.WNOWAIT)  # ended, and left a zombie
    assert psutil.Process(leaky.process.pid).status() == psutil.STATUS_ZOMBIE
    with pytest.raises(SourceError, match="hold no memory"):
        rule(process_name=None, pid=leaky.process.pid).check(NoHistory())


@dataclass
class Lost:
    """A past that can't be read."""

    asked: list[int] = field(default_factory=list)

    def latest(self, limit: int, ticker: str | None = None) -> Sequence[PastEvaluation]:
        self.asked.append(limit)
        raise HistoryUnavailableError("the event store could not be read")


def test_an_unreadable_past_loses_no_alert_and_hides_no_doubt(leaky: Leaky) -> None:
    leaky.take(60)
    check = {"process_name": None, "command_contains": leaky.mark}
    output = rule(**check, limit_mb=50).check(Lost())
    assert output.triggered
    assert "growth not judged: the event store could not be read" in output.message
    with pytest.raises(HistoryUnavailableError):
        rule(**check, limit_mb=5_000).check(Lost())
    lost = Lost()
    assert not rule(**check, limit_mb=5_000, growth_mb_per_hour=None).check(lost).triggered
    assert lost.asked == [], "a rule that watches no growth asks for no past"


def test_a_leak_is_found_from_what_earlier_runs_recorded(leaky: Leaky) -> None:
    """Real process, real event store: each run's output is recorded, the next one reads it."""
    check = rule(process_name=None, command_contains=leaky.mark, minimum_points=4, limit_mb=5_000)
    engine = open_store(get_settings())
    deployment = uuid.uuid4()
    facts = Rule(deployment, "leak", "memory-leak", RuleSettings(), trigger="memory-leak")
    triggered = []
    for ago in (50, 40, 30, 20, 10):  # minutes: as if the rule had run every ten
        leaky.take(30)
        output = check.check(history_of(deployment))
        triggered.append(output.triggered)
        due = datetime.now(UTC) - timedelta(minutes=ago)
        run = Run(
            uuid.uuid4(), "r", StateType.COMPLETED, "Completed", "", due, due, due, run_count=1
        )
        # Told by a run of the past, so that six points are not five seconds apart.
        record_facts(engine, facts, run, [output.model_copy(update={"timestamp": due})])
    leaky.take(30)
    last = check.check(history_of(deployment))
    engine.dispose()
    assert last.triggered
    assert last.metrics["growth_mb_per_hour"] == pytest.approx(180, rel=0.15)
    assert last.metadata["unit"] == "MB/h"
    assert triggered[0] is False
