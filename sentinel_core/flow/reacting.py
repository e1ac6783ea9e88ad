"""Starts the reactions that the store holds, and follows their runs to their end.

Hooks start what they recorded; the flows deliver and reconcile start what was left, once a minute.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.logging import get_logger
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from sentinel_core.base.errors import PrefectUnreachableError
from sentinel_core.decide.delivery import MOST_ATTEMPTS
from sentinel_core.model.cleaning import clean_text
from sentinel_core.model.reaction import ReactionCode
from sentinel_core.prefect_io import reactions as prefect
from sentinel_core.prefect_io.client import prefect_api
from sentinel_core.prefect_io.reactions import NotStarted
from sentinel_core.store.db.tables import Row
from sentinel_core.store.outbox import reaction_claims as store
from sentinel_core.store.outbox.reaction_claims import ClaimedReaction
from sentinel_core.store.record.reaction_failure import record_outcome
from sentinel_core.wording.text import counted

logger = get_logger("sentinel")


@dataclass(slots=True)
class Reacted:
    """What became of reactions in one round."""

    started: int = 0
    ended: int = 0
    failed: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """The result in one line; empty if there was nothing to do."""
        parts = [f"{counted(self.started, 'reaction')} started"] if self.started else []
        parts += [f"{counted(self.ended, 'reaction')} ended"] if self.ended else []
        parts += [f"reactions that failed: {', '.join(self.failed)}"] if self.failed else []
        return "; ".join(parts)


def start_reactions(engine: Engine, ids: Sequence[int]) -> Reacted:
    """Start these reactions. Those that can't be started now are tried again later."""
    done = Reacted()
    if not ids:
        return done
    try:
        with prefect_api() as client:
            for reaction_id in ids:
                _start(client, engine, reaction_id, done)
    except PrefectUnreachableError as error:
        logger.warning("Reactions will be started later: %s", error)
    return done


def keep_up_reactions(engine: Engine) -> Reacted:
    """Start what is due, and write down which runs have ended. Once a minute."""
    store.lapse_approvals(engine, datetime.now(UTC))
    done = start_reactions(engine, store.due(engine, datetime.now(UTC)))
    if not (under_way := store.running(engine)):
        return done
    try:
        with prefect_api() as client:
            _follow(client, engine, under_way, done)
    except (PrefectUnreachableError, httpx.HTTPError) as error:
        logger.warning("The runs of reactions will be looked at later: %s", error)
    return done


def _start(client: SyncPrefectClient, engine: Engine, reaction_id: int, done: Reacted) -> None:
    claimed = store.claim(engine, reaction_id, datetime.now(UTC))
    if claimed is None:
        return
    try:
        outcome = _started(client, engine, claimed)
    except OperationalError:
        raise
    except Exception as error:  # if raised, it would be tried forever without a record
        outcome = NotStarted(f"it could not be started: {error!r}"[:1_000])
    now = datetime.now(UTC)
    if not isinstance(outcome, NotStarted):
        name = clean_text(outcome.name) if outcome else None
        store.started(engine, claimed, outcome.id if outcome else None, name, now)
        done.started += 1
        if outcome is None:  # there is no run to wait for
            record_outcome(engine, claimed.id, "", now)
        return
    logger.warning("%s: %s", claimed.identity, outcome.sentence)
    if outcome.code is None and claimed.attempt < MOST_ATTEMPTS:
        store.postponed(engine, claimed, outcome.sentence, now)
        return
    code = outcome.code or ReactionCode.ATTEMPTS_EXHAUSTED
    sentence = outcome.sentence
    if outcome.code is None:
        sentence = f"given up after {MOST_ATTEMPTS} attempts: {sentence}"
    # The event first: whoever dies in between finds the reaction as it was, and does both again.
    record_outcome(engine, claimed.id, sentence, now)
    store.refused(engine, claimed, code, sentence, now)
    done.failed.append(claimed.identity)


def _started(
    client: SyncPrefectClient, engine: Engine, claimed: ClaimedReaction
) -> FlowRun | NotStarted | None:
    """The run that was started, or why none was; None for what has no run."""
    if claimed.code is not None:
        return NotStarted(claimed.sentence, ReactionCode(claimed.code))
    if claimed.action == "resume":
        return prefect.resume_deployment(client, claimed.target)
    if claimed.action == "retry":
        return _retried(client, engine, claimed)
    tags = ["sentinel-reaction", f"sentinel-event-{claimed.event_id}"]
    return prefect.run_deployment(
        client, claimed.target, claimed.parameters, key=claimed.key, tags=tags
    )


def _retried(
    client: SyncPrefectClient, engine: Engine, claimed: ClaimedReaction
) -> FlowRun | NotStarted:
    """The run that was retried: which of its states failed is on record before it is."""
    run_id, state_id = claimed.flow_run_id, claimed.failed_state_id
    if run_id is None or state_id is None:
        found = prefect.failed_run(client, claimed.parameters.get("runs") or [])
        if isinstance(found, NotStarted):
            return found
        run_id, state_id = found.id, found.state_id
        store.note_failed_state(engine, claimed, run_id, state_id)
    return prefect.retry_run(client, run_id, state_id)


def _follow(
    client: SyncPrefectClient, engine: Engine, under_way: Sequence[Row], done: Reacted
) -> None:
    """Write the end of each run that has ended; one that ended badly is an event."""
    runs: list[UUID] = list(dict.fromkeys(row["flow_run_id"] for row in under_way))
    states = prefect.final_states(client, runs)
    for row in under_way:
        if row["flow_run_id"] in states:
            now = datetime.now(UTC)
            end = _end_of(states[row["flow_run_id"]], now)
            record_outcome(engine, row["id"], end.sentence, now)
            store.ended(engine, row, (end.state, end.state_name), end.code, end.at, now)
            done.ended += 1
            if end.sentence:
                done.failed.append(row["identity"])


@dataclass(frozen=True, slots=True)
class _End:
    """How a reaction's run ended; `sentence` and `code` are set when it ended badly."""

    state: str
    state_name: str
    at: datetime
    code: ReactionCode | None = None
    sentence: str = ""


def _end_of(state: State[Any] | None, now: datetime) -> _End:
    if state is None:
        return _End("", "deleted", now, ReactionCode.RUN_DELETED, "its run was deleted in Prefect")
    name = clean_text(state.name or state.type.value.title())
    at = datetime.fromtimestamp(state.timestamp.timestamp(), UTC)
    if state.is_completed():
        return _End(state.type.value, name, at)
    sentence = f"its run ended as {name}. {clean_text(state.message or '')[:500]}".strip()
    return _End(state.type.value, name, at, ReactionCode.RUN_FAILED, sentence)
