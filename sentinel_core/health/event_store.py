"""The event store: whether it answers, whose it is, and how large. Writes nothing."""

import shutil
from uuid import UUID

from sqlalchemy import Engine

from sentinel_core.base.errors import SchemaAheadError, SchemaBehindError, StoreUnavailableError
from sentinel_core.base.settings import Settings
from sentinel_core.decide.identity import Known, Verdict, judge_store
from sentinel_core.flow import opening
from sentinel_core.health.finding import Finding, Reporter, State
from sentinel_core.prefect_io.registration import Answer, ask
from sentinel_core.store.db.engine import masked, sqlite_file
from sentinel_core.store.db.failure import explained
from sentinel_core.store.db.schema import SCHEMA_HEAD
from sentinel_core.store.retention.size import store_bytes

COMPONENT = "store"
_finding = Reporter(COMPONENT)
_LEAST_FREE = 500 * 2**20
_MIB = 2**20


def look(settings: Settings) -> list[Finding]:
    """The findings on the store; one alone when it can't be used."""
    url = settings.database_url
    place = {"url": masked(url)}
    try:
        with explained(url):
            engine, identity = opening.look(url)
    except (StoreUnavailableError, SchemaBehindError, SchemaAheadError) as error:
        return [_finding("database", State.DOWN, str(error), **place)]
    answer = ask(settings.store_variable)
    if engine is None or identity is None:
        return [_missing(settings, answer)]
    with explained(url):
        size = _size(url, engine)
    engine.dispose()
    sentence = f"{masked(url)} answers, revision {SCHEMA_HEAD}"
    return [
        _finding("database", State.OK, sentence, revision=SCHEMA_HEAD, **place),
        _identity(settings, answer, identity),
        size,
    ]


def _missing(settings: Settings, answer: Answer) -> Finding:
    verdict = judge_store(answer.known, None, None)
    if verdict is not Verdict.CREATE:
        return _finding("database", State.DOWN, str(opening.refusal(verdict, settings, answer)))
    return _finding(
        "database",
        State.DOWN,
        f"there is no event store at {masked(settings.database_url)} yet",
        "`sentinel db upgrade` creates it; if it is elsewhere, set SENTINEL_DATABASE_URL",
    )


def _identity(settings: Settings, answer: Answer, identity: UUID) -> Finding:
    """Whether it is the store that is registered in Prefect as the one of all runs."""
    data = {"identity": str(identity), "registration": answer.known.value}
    verdict = judge_store(answer.known, answer.identity, identity)
    if verdict in (Verdict.OTHER, Verdict.UNREADABLE):
        refusal = str(opening.refusal(verdict, settings, answer))
        return _finding("identity", State.DOWN, refusal, **data)
    if answer.known in (Known.UNREACHABLE, Known.NO_PREFECT):
        sentence = f"{identity}; which store is registered is not known, as Prefect does not answer"
        advice = "see what is said about Prefect"
        return _finding("identity", State.UNKNOWN, sentence, advice, **data)
    registered = answer.registration
    if registered is None:
        sentence = f"{identity}, registered in Prefect by the first run that is recorded"
        return _finding("identity", State.OK, sentence, **data)
    if registered.place != masked(settings.database_url):
        return _finding(
            "identity",
            State.DEGRADED,
            f"{identity}, but it was registered as {registered.place}",
            "of two copies use one only; `sentinel db adopt` registers the address from here",
            **data,
        )
    return _finding("identity", State.OK, f"{identity}, as registered in Prefect", **data)


def _size(url: str, engine: Engine) -> Finding:
    taken = store_bytes(engine)
    words = f"{taken / _MIB:,.1f} MiB"
    file = sqlite_file(url)
    if file is None:
        return _finding("size", State.OK, words, bytes=taken)
    free = shutil.disk_usage(file.parent).free
    return _finding(
        "size",
        State.DEGRADED if free < _LEAST_FREE else State.OK,
        f"{words}, {free / _MIB:,.0f} MiB free on its disk",
        "free some space: nothing is recorded on a full disk" if free < _LEAST_FREE else "",
        bytes=taken,
        free_bytes=free,
    )
