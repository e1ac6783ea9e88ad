"""Handles the end of a rule's run: judge, decide, record, notify.

Hooks are the fast path. Prefect only logs what they raise; reconcile is the guarantee.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.logging.loggers import flow_run_logger
from pydantic import ValidationError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from sentinel_core.base.errors import StoreRefusedError, StoreUnavailableError
from sentinel_core.base.settings import Settings, get_settings
from sentinel_core.decide.observe import judge
from sentinel_core.flow.host import sample_host
from sentinel_core.flow.opening import open_store
from sentinel_core.flow.reacting import start_reactions
from sentinel_core.model.alert import AlertOutput, Outputs, as_outputs, describe
from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule, Run, StateType
from sentinel_core.notify.deliver import deliver
from sentinel_core.notify.prefect_events import announce
from sentinel_core.prefect_io.facts import read_rule, rule_settings, run_facts
from sentinel_core.prefect_io.planned import handed_down
from sentinel_core.store.db.engine import retrying
from sentinel_core.store.db.failure import explained, is_failure, unavailable
from sentinel_core.store.db.kept import kept_engine
from sentinel_core.store.record.recording import Recorded, record
from sentinel_core.store.state.rules import rule_of_deployment
from sentinel_core.wording.text import counted

T = TypeVar("T")

_RECORDED_LATER = "; this run will be recorded by the next reconcile"


def record_run(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """The completion, failure, crash and cancellation hook of every rule.

    (Prefect calls it by keyword in places: the three names are part of its interface.)
    """
    log = flow_run_logger(flow_run, flow)
    if flow_run.deployment_id is None:
        log.info("Not recorded: this run has no deployment, so it belongs to no rule.")
        return
    settings = get_settings()
    if flow_run.start_time is None and (state.is_crashed() or state.is_cancelling()):
        with get_client(sync_client=True) as client:  # hooks of such runs may lack the start time
            flow_run = client.read_flow_run(flow_run.id)
    run = replace(run_facts(flow_run, state), planned_start=handed_down(flow_run.id))
    with connected(settings, _RECORDED_LATER) as engine, explained(settings.database_url):
        rule = _rule(engine, flow, flow_run)
        if not rule.trigger:
            log.error(
                "Not recorded: the flow %s is not a rule, as no rule_flow made it. To be alerted "
                "about runs of your own flows, use alert_on_failure, alert_on_timeout, "
                "alert_on_crash, alert_on_slow and alert_on_result of sentinel_core.hooks in "
                "place of record_run.",
                flow.name,
            )
            return
        if (why := unreadable_settings(flow_run.parameters)) is not None:
            log.warning("Default settings replace those that can't be read: %s", why)
        recorded = record_facts(engine, rule, run, returned_outputs(state))
        quiet = not (recorded.opened or recorded.resolved or recorded.notifications)
        log.log(logging.DEBUG if quiet else logging.INFO, _summary(recorded))
        deliver(engine, settings, recorded.notifications)
        start_reactions(engine, recorded.reactions)
        sample_host(engine, datetime.now(UTC))


def returned_outputs(state: State[Any]) -> list[AlertOutput] | None:
    """The outputs returned by the flow; None if there are none or they can't be read."""
    if state.type.value != StateType.COMPLETED.value:
        return None
    try:
        result = state.result(raise_on_failure=False)
        return list(result) if isinstance(result, Outputs) else as_outputs(result)
    except Exception:
        return None


def _rule(engine: Engine, flow: Flow[..., Any], flow_run: FlowRun) -> Rule:
    """The rule with this run's parameters; its row in the store saves a call of Prefect's API."""
    assert flow_run.deployment_id is not None
    row = rule_of_deployment(engine, flow_run.deployment_id)
    if row is None:
        with get_client(sync_client=True) as client:
            return read_rule(client, flow_run.deployment_id)
    schema = flow.parameters.model_dump() if flow.parameters else {}
    return Rule(
        deployment_id=flow_run.deployment_id,
        name=row["name"],
        flow_name=row["flow_name"],
        settings=rule_settings(flow_run.parameters, schema),
        trigger=row["trigger"],
        tags=tuple(row["tags"]),
    )


def unreadable_settings(parameters: Mapping[str, Any]) -> str | None:
    """The error in a rule's settings, which defaults replace then; None if all are valid.

    Prefect validates each field by its schema, but not that fields fit together.
    """
    try:
        RuleSettings.model_validate({k: v for k, v in parameters.items() if v is not None})
    except ValidationError as error:
        return describe(error)
    return None


@contextmanager
def connected(settings: Settings, consequence: str = "") -> Iterator[Engine]:
    """The registered event store, ready for writing; waits a bounded time while it restarts.

    Many transactions use few connections, which are closed afterwards. Raises
    StoreUnavailableError, and StoreRefusedError for a store of another Sentinel.
    """
    with ExitStack() as stack:

        def opened() -> Engine:
            engine = stack.enter_context(kept_engine(settings.database_url))
            return open_store(settings, using=engine)

        yield _once_available(settings, opened, consequence)


def record_facts(
    engine: Engine, rule: Rule, run: Run, outputs: Sequence[AlertOutput] | None
) -> Recorded:
    """Judge, decide and store one run. Raises StoreUnavailableError and StoreRefusedError."""
    settings = get_settings()
    observations = judge(run, rule.settings, outputs)
    recorded = _once_available(
        settings,
        lambda: record(engine, rule, run, observations, now=datetime.now(UTC)),
        _RECORDED_LATER,
    )
    announce(engine, settings, run, recorded)
    return recorded


def _once_available(settings: Settings, call: Callable[[], T], consequence: str = "") -> T:
    """The result of a call that is repeated for a bounded time while the store does not answer.

    Raises StoreUnavailableError or StoreRefusedError, whose sentence ends with `consequence`.
    """
    seconds = settings.record_timeout_seconds
    try:
        return retrying(seconds)(call)
    except StoreRefusedError as error:
        raise type(error)(f"{error}{consequence}") from error
    except (DBAPIError, OSError) as error:
        if not is_failure(error):
            raise
        said = unavailable(error, settings.database_url)
        raise StoreUnavailableError(f"{said}{consequence}") from error


def _summary(recorded: Recorded) -> str:
    if not recorded.evaluations:
        return "Already recorded."
    parts = [f"Recorded {counted(recorded.evaluations, 'evaluation')}"]
    if recorded.opened:
        parts.append(f"opened {counted(len(recorded.opened), 'event')}")
    if recorded.resolved:
        parts.append(f"resolved {len(recorded.resolved)}")
    return ", ".join(parts) + "."
