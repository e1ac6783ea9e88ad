"""Running a test: its runs are judged and decided by the code that does so live, in memory."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sentinel_core.base.errors import RuleFileError
from sentinel_core.decide.observe import judge
from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import SKIPPED, Run, StateType
from sentinel_core.model.silence import Inhibitor, Silence
from sentinel_core.replay.actions import acknowledge, resolve, unacknowledge
from sentinel_core.replay.ledger import MemoryLedger
from sentinel_core.rulefile.source import Where
from sentinel_core.ruletest.compare import Difference, differences
from sentinel_core.ruletest.form import ActionForm, RuleTest, SeriesForm
from sentinel_core.ruletest.reading import Case
from sentinel_core.ruletest.rules import FoundRule, Rules
from sentinel_core.ruletest.values import Mark, RunOutcome, item, offset_words

_STATES = {
    RunOutcome.OK: (StateType.COMPLETED, "Completed"),
    RunOutcome.FAILED: (StateType.FAILED, "Failed"),
    RunOutcome.CRASHED: (StateType.CRASHED, "Crashed"),
    RunOutcome.CANCELLED: (StateType.CANCELLED, "Cancelled"),
    RunOutcome.SKIPPED: (StateType.COMPLETED, SKIPPED),
}


@dataclass(slots=True)
class TestResult:
    """The result of a test. `simulation` is None if it could not run."""

    case: Case
    simulation: MemoryLedger | None = None
    differences: list[Difference] = field(default_factory=list)
    person_actions: list[tuple[datetime, str, str]] = field(default_factory=list)
    """Time, ticker, and the action with its author."""

    @property
    def ok(self) -> bool:
        """True if the test ran and nothing differs."""
        return self.simulation is not None and not self.differences


def run_at(
    now: datetime, key: UUID, name: str, state: StateType, state_name: str, message: str = ""
) -> Run:
    """A run that was due, started and ended at this time."""
    return Run(
        id=key,
        name=name,
        state_type=state,
        state_name=state_name,
        state_message=message,
        state_at=now,
        expected_start=now,
        started_at=now,
        run_count=1,
    )


def run_case(case: Case, rules: Rules) -> TestResult:
    """Run one test. Problems with it or its rule are added to its case."""
    if case.problems or case.form is None:
        return TestResult(case)
    try:
        rule = rules.find(case.rule_file, case.form.rule)
        simulation = _simulation(case, case.form, rule, rules)
    except RuleFileError as error:
        case.add_problem(("rule",), str(error))
        return TestResult(case)
    for path, message in _misfits(case.form, rule.settings):
        case.add_problem(path, message)
    if case.problems or simulation is None:
        return TestResult(case)
    result = TestResult(case, simulation)
    _live(case.form, rule.settings, simulation, result)
    result.differences += differences(case.form, simulation)
    return result


def _misfits(form: RuleTest, settings: RuleSettings) -> Iterator[tuple[Where, str]]:
    """Mismatches of a test with its rule: either its trigger decides, or its conditions do."""
    for ticker, series in form.series.items():
        if settings.conditions and series.triggered is not None:
            yield (
                ("series", ticker, "triggered"),
                f"{form.rule} has conditions, which decide instead: leave this out",
            )
        elif not settings.conditions and series.triggered is None:
            yield (
                ("series", ticker),
                f"missing `triggered`: {form.rule} has no conditions, so its trigger decides; say "
                'what it reported, like triggered: "0 1 1 0"',
            )


def _simulation(case: Case, form: RuleTest, rule: FoundRule, rules: Rules) -> MemoryLedger | None:
    others = []
    for number, firing in enumerate(form.firing):
        try:
            other = rules.find(case.rule_file, firing.rule)
        except RuleFileError as error:
            case.add_problem(("firing", number, "rule"), str(error))
            return None
        inhibitor = Inhibitor(firing.rule, firing.ticker, other.settings.inhibitions)
        end = form.at(firing.end) if firing.end is not None else None
        others.append((form.at(firing.start), end, inhibitor))

    def inhibitors(now: datetime) -> list[Inhibitor]:
        return [who for start, end, who in others if start <= now and (end is None or now < end)]

    silences = [
        Silence(
            matchers=one.matchers,
            starts_at=form.at(one.start),
            ends_at=form.at(one.end),
            author=one.author,
            comment=one.comment,
            recurrence=one.recurrence,
        )
        for one in form.silences
    ]
    return MemoryLedger(
        rule.name,
        rule.settings,
        tags=rule.tags,
        silences=silences,
        inhibitors=inhibitors if others else None,
        keep_evaluations=True,
    )


def _live(
    form: RuleTest, settings: RuleSettings, simulation: MemoryLedger, result: TestResult
) -> None:
    waiting = sorted(form.actions, key=lambda action: form.at(action.at))
    for number in range(form.size):
        due = form.start + timedelta(seconds=form.every_seconds * number)
        while waiting and form.at(waiting[0].at) < due:
            _act(form, waiting.pop(0), simulation, result)
        outcome = item(form.runs, number)
        if outcome is RunOutcome.NONE:
            continue
        outputs = None
        if outcome is RunOutcome.OK:
            made = (_output(ticker, row, number, due) for ticker, row in form.series.items())
            outputs = [output for output in made if output is not None]
        run = run_at(due, UUID(int=number), f"run-{number + 1}", *_STATES[outcome])
        simulation.run(judge(run, settings, outputs))
    for action in waiting:
        _act(form, action, simulation, result)


def _output(ticker: str, series: SeriesForm, number: int, due: datetime) -> AlertOutput | None:
    values = {name: item(row, number) for name, row in series.metrics.items()}
    reported = item(series.triggered, number) if series.triggered is not None else False
    marks = {value for value in (*values.values(), reported) if isinstance(value, Mark)}
    if Mark.ABSENT in marks:
        return None
    problem = "error" if Mark.ERROR in marks else "no_data" if Mark.NO_DATA in marks else None
    return AlertOutput(
        triggered=reported is True and problem is None,
        importance=item(series.importance, number) if series.importance else None,
        ticker=ticker,
        message=item(series.message, number) if series.message else "",
        problem=problem,
        metrics={name: value for name, value in values.items() if not isinstance(value, Mark)},
        timestamp=due,
    )


def _act(form: RuleTest, action: ActionForm, simulation: MemoryLedger, result: TestResult) -> None:
    at = form.at(action.at)
    if action.action == "acknowledge":
        until = form.at(action.until) if action.until is not None else None
        series = (action.kind, action.ticker)
        done = acknowledge(simulation, *series, at, action.by, until, action.limits)
    elif action.action == "unacknowledge":
        done = unacknowledge(simulation, action.kind, action.ticker, at)
    else:
        done = resolve(simulation, action.kind, action.ticker, at, action.by)
    result.person_actions.append((at, action.ticker, f"{action.action} by {action.by}"))
    if not done:
        on = f" of {action.ticker!r}" if action.ticker else ""
        words = f"{offset_words(at - form.start)}: nothing to {action.action}"
        problem = f"{words}: no open event (kind {action.kind.value}){on}"
        result.differences.append(Difference("actions", (problem,)))
