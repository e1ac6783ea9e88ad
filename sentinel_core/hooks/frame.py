"""`check_frame`: a check of data that a flow holds in its hands, recorded as a rule would."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from sqlalchemy import Engine

from sentinel_core.base.errors import SentinelError, VerdictError
from sentinel_core.base.settings import get_settings
from sentinel_core.decide.observe import observed
from sentinel_core.flow.history import history_of
from sentinel_core.flow.hooks import connected
from sentinel_core.hooks.bounded import Log, bounded
from sentinel_core.hooks.hook import brief, is_rule, with_rule
from sentinel_core.hooks.public import described
from sentinel_core.hooks.subject import Subject, subject_of_flow
from sentinel_core.model.alert import AlertOutput, Importance, as_outputs
from sentinel_core.model.cleaning import clean_line
from sentinel_core.model.trigger import History, NoHistory, PastEvaluation
from sentinel_core.model.watched import Hook, HookKind
from sentinel_core.notify.prefect_events import announce
from sentinel_core.store.record.recording import Recorded, record
from sentinel_core.store.state import watched

_LONGEST_NAME = 100
_LONGEST_TICKER = 200
_MOST_CALLS = 100_000  # that a process remembers
_calls: Counter[tuple[UUID, int, str]] = Counter()  # of a check in an attempt of a flow run


class FrameCheck(Protocol):
    """What `check_frame` takes: the triggers of the families data and model, among others."""

    default_importance: Importance
    default_category: str

    @classmethod
    def slug(cls) -> str:
        """Its name, such as data-quality."""
        ...

    def check_frame(self, frame: object, history: History) -> list[AlertOutput]:
        """The verdicts on a frame, one for each series."""
        ...


@dataclass(frozen=True)
class Verdict:
    """What a check says about data. `recorded`: it is on Sentinel's record, with its events."""

    outputs: Sequence[AlertOutput]
    recorded: bool = False
    opened: Sequence[int] = ()
    resolved: Sequence[int] = ()

    @property
    def ok(self) -> bool:
        """True if everything was checked and nothing triggered."""
        return not self.triggered and self.checked

    @property
    def triggered(self) -> bool:
        """True if the data is not as it should be."""
        return any(output.triggered for output in self.outputs)

    @property
    def checked(self) -> bool:
        """False if something could not be checked: that is never "not triggered"."""
        return all(output.problem is None for output in self.outputs)

    @property
    def message(self) -> str:
        """What triggered and what could not be checked; of data that is fine, everything."""
        bad = [output for output in self.outputs if output.triggered or output.problem]
        return "; ".join(output.message for output in bad or self.outputs)

    def raise_if_not_ok(self) -> None:
        """Raises VerdictError with the message, unless the data is fine."""
        if not self.ok:
            raise VerdictError(self.message)


def check_frame(
    frame: object,
    check: FrameCheck,
    *,
    name: str = "",
    importance: str | None = None,
    **settings: Any,
) -> Verdict:
    """Check data inside a flow, record the verdict, and return it.

    `frame` is a frame of pandas, polars, pyarrow or another library that narwhals knows (for checks
    of figures a dictionary). The series is named `name`, or after the check; events open and end
    as those of a rule do. `settings` are those of `alert_on_failure`. A store that is away does not
    stop the flow: the log says so, and `recorded` is False. Raises ValueError for invalid settings.
    """
    ticker = clean_line(name)[:_LONGEST_NAME] or check.slug().replace("-", "_")
    settings = {"category": check.default_category, **settings}
    chosen = importance or check.default_importance.value
    hook = described("check_frame", HookKind.CHECK, chosen, settings, name=ticker)
    context = FlowRunContext.get()
    if context is None or context.flow is None or context.flow_run is None:
        log: Log = logging.getLogger("sentinel.check_frame")
        log.warning("Not recorded by Sentinel: check_frame was called outside of a flow run.")
        return Verdict(_measured(check, frame, NoHistory()))
    log = get_run_logger()
    state = context.flow_run.state
    if state is None or is_rule(context.flow):
        log.warning("Not recorded by Sentinel: check_frame records in flows of your own.")
        return Verdict(_measured(check, frame, NoHistory()))
    subject = subject_of_flow(context.flow.name, context.flow_run, state)
    hook = hook.model_copy(update={"ticker": _numbered(subject, hook.ticker)})
    outputs = _measured(check, frame, _Past(subject, hook.ticker))
    done: list[Recorded] = []
    bounded(
        lambda: done.append(_recorded(hook, subject, outputs, log)),
        log,
        "the verdict is returned to the flow all the same",
    )
    if not done:
        return Verdict(outputs)
    return Verdict(outputs, True, tuple(done[0].opened), tuple(done[0].resolved))


def _measured(check: FrameCheck, frame: object, history: History) -> list[AlertOutput]:
    """The outputs; what can't be checked is a problem. Other errors are the caller's."""
    try:
        return as_outputs(check.check_frame(frame, history))
    except SentinelError as error:
        return [AlertOutput(triggered=False, problem="error", message=f"Not checked: {error}")]


def _numbered(subject: Subject, ticker: str) -> str:
    """A name that is used once in an attempt of a run: `orders`, then `orders 2`."""
    key = (subject.run.id, subject.run.run_count, ticker)
    if len(_calls) > _MOST_CALLS:
        _calls.clear()
    _calls[key] += 1
    return ticker if _calls[key] == 1 else f"{ticker} {_calls[key]}"


@dataclass(frozen=True)
class _Past:
    """The earlier verdicts of this check in other runs of the flow."""

    subject: Subject
    name: str

    def latest(self, limit: int, ticker: str | None = None) -> list[PastEvaluation]:
        """The newest ones, newest first. Raises HistoryUnavailableError."""
        rule = watched.identity_of(self.subject.flow_name, self.subject.deployment_id)
        past = history_of(rule)
        if ticker is not None:
            full = _full(self.name, ticker)
            return [replace(one, ticker=ticker) for one in past.latest(limit, full)]
        prefix = f"{self.name}: "
        return [
            replace(one, ticker=one.ticker.removeprefix(prefix) if one.ticker != self.name else "")
            for one in past.latest(limit)
            if one.ticker == self.name or one.ticker.startswith(prefix)
        ]


def _full(name: str, ticker: str) -> str:
    """The series of an output: `data_quality`, or `data_quality: orders`."""
    return f"{name}: {ticker}"[:_LONGEST_TICKER] if ticker else name


def _recorded(hook: Hook, subject: Subject, outputs: Sequence[AlertOutput], log: Log) -> Recorded:
    settings = brief(get_settings())
    with connected(settings) as engine:
        hook = with_rule(engine, hook, log)
        rule = watched.rule_of(
            subject.flow_name, subject.deployment_id, subject.deployment_name, hook.settings
        )
        run = replace(subject.run, state_at=datetime.now(UTC))
        named = [
            output.model_copy(update={"ticker": _full(hook.ticker, output.ticker)})
            for output in outputs
        ]
        _register(engine, rule, hook, named)
        observations = [observed(run, hook.settings, output) for output in named]
        done = record(engine, rule, run, observations, now=datetime.now(UTC))
        if done.opened or done.resolved:
            announce(engine, settings, run, done)
    for output in outputs:
        if output.triggered or output.problem:
            log.warning("Sentinel: %s", output.message)
    return done


def _register(engine: Engine, rule: Any, hook: Hook, outputs: Sequence[AlertOutput]) -> None:
    """Put the check on record, and each of its series that may have an event."""
    for ticker in {hook.ticker, *(o.ticker for o in outputs if o.triggered or o.problem)}:
        one = hook.model_copy(update={"ticker": ticker})
        watched.register(engine, rule, one, datetime.now(UTC))
