"""Opens the event store for those who record, notify and acknowledge: the one that is registered.

Prefect knows which store is the team's (prefect_io/registration.py); decide/identity.py decides
whether the one found here may be used.
"""

import socket
import time
from datetime import UTC, datetime
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_API_URL
from sqlalchemy import Engine

from sentinel_core.base.errors import StoreIdentityError
from sentinel_core.base.settings import Settings
from sentinel_core.decide.identity import Known, Verdict, judge_store
from sentinel_core.model.system_actions import SystemAction
from sentinel_core.prefect_io.registration import (
    Answer,
    Registration,
    ask,
    handed_down,
    register,
    replace,
)
from sentinel_core.store.db.engine import masked, open_engine, sqlite_file
from sentinel_core.store.db.schema import ensure_schema, identity_of, schema_revision, upgrade
from sentinel_core.store.state.audit import audit_system

_REMEMBERED_SECONDS = 30.0
_remembered: dict[tuple[str | None, str], tuple[float, Answer]] = {}

_SENTENCES = {
    Verdict.MISSING: (
        "there is no event store at {here}, but one is registered in Prefect ({registered}): "
        "restore it, correct SENTINEL_DATABASE_URL, or begin anew with an empty store by "
        "`sentinel db adopt`"
    ),
    Verdict.OTHER: (
        "the event store at {here} is not the one that is registered in Prefect ({registered}): "
        "correct SENTINEL_DATABASE_URL, or make this store the registered one by "
        "`sentinel db adopt`"
    ),
    Verdict.UNREADABLE: (
        "the Prefect variable {variable}, which names the registered event store, can't be read: "
        "run `sentinel db adopt` where SENTINEL_DATABASE_URL is right"
    ),
    Verdict.UNREACHABLE: (
        "there is no event store at {here}, and Prefect, which knows whether there should be one, "
        "does not answer: start Prefect, or correct PREFECT_API_URL or SENTINEL_DATABASE_URL"
    ),
}


def open_store(
    settings: Settings, *, upgrading: bool = False, using: Engine | None = None
) -> Engine:
    """The registered store; the first writer creates it where Prefect knows of none.

    `upgrading` brings the tables of an older Sentinel up to date; `using` is an engine for it, a
    new one if None. Raises StoreRefusedError, and SQLAlchemy's OperationalError when the database
    does not answer.
    """
    variable = settings.store_variable
    answer, fresh = _known(variable)
    for _ in range(5):  # each turn has created, registered or asked
        engine, identity = look(settings.database_url, upgrading=upgrading, using=using)
        verdict = judge_store(answer.known, answer.identity, identity)
        if verdict is Verdict.USE and engine is not None:
            return engine
        if verdict is Verdict.CREATE:
            create(settings.database_url)
        elif verdict is Verdict.REGISTER and identity is not None:
            answer, fresh = register(variable, registration_of(settings, identity)), True
        elif not fresh:  # it may have changed since it was remembered
            answer, fresh = _ask(variable), True
        else:
            raise refusal(verdict, settings, answer)
    raise StoreIdentityError(
        f"the Prefect variable {variable} changes all the time: see which processes write it"
    )


def refuse_other(settings: Settings, identity: UUID) -> None:
    """Raise StoreIdentityError if Prefect knows another store than the one of this identity."""
    answer = _ask(settings.store_variable)
    verdict = judge_store(answer.known, answer.identity, identity)
    if verdict not in (Verdict.USE, Verdict.REGISTER):
        raise refusal(verdict, settings, answer)


def refusal(verdict: Verdict, settings: Settings, answer: Answer) -> StoreIdentityError:
    """The error for a verdict that refuses the store."""
    registered = answer.registration
    text = _SENTENCES[verdict].format(
        here=masked(settings.database_url),
        variable=settings.store_variable,
        registered=described(registered) if registered else "",
    )
    return StoreIdentityError(text)


def described(registered: Registration) -> str:
    """The registered store in a few words."""
    return (
        f"{registered.place}, identity {registered.identity}, registered on "
        f"{registered.registered_at:%F %R} UTC by {registered.registered_by}"
    )


def look(
    url: str, *, upgrading: bool = False, using: Engine | None = None
) -> tuple[Engine | None, UUID | None]:
    """The store at this address and its identity; None, twice, where there is none."""
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return None, None
    engine = using if using is not None else open_engine(url, create=False)
    if upgrading and schema_revision(engine) is not None:
        upgrade(engine)
    identity = identity_of(engine)
    return (engine, identity) if identity is not None else (None, None)


def create(url: str) -> UUID:
    """The identity of the new store at this address, unless another process is faster."""
    return ensure_schema(open_engine(url))


def adopt(client: SyncPrefectClient, settings: Settings) -> Registration:
    """Register the store at this address in place of whatever is registered, creating it if needed.

    It is an entry of the store's audit. Raises StoreRefusedError for tables of a newer Sentinel.
    """
    engine, identity = look(settings.database_url, upgrading=True)
    if engine is None or identity is None:
        engine = open_engine(settings.database_url)
        identity = ensure_schema(engine)
    former = ask(settings.store_variable).registration
    registration = registration_of(settings, identity)
    replace(client, settings.store_variable, registration)
    _remembered.clear()
    detail = {"host": registration.registered_by}
    if former is not None:
        detail["replaces"] = f"{former.place}, identity {former.identity}"
    audit_system(engine, SystemAction.STORE_ADOPTED, registration.registered_at, detail)
    return registration


def registration_of(settings: Settings, identity: UUID) -> Registration:
    """The registration of the store that this process uses."""
    return Registration(
        identity=identity,
        registered_at=datetime.now(UTC),
        registered_by=socket.gethostname(),
        place=masked(settings.database_url),
    )


def _known(variable: str) -> tuple[Answer, bool]:
    """What Prefect knows, and whether it was asked just now."""
    if (passed := handed_down(variable)) is not None:
        return passed, False
    at, answer = _remembered.get((PREFECT_API_URL.value(), variable), (0.0, None))
    if answer is not None and time.monotonic() - at < _REMEMBERED_SECONDS:
        return answer, False
    return _ask(variable), True


def _ask(variable: str) -> Answer:
    answer = ask(variable)
    if answer.known is Known.REGISTERED:
        _remembered[PREFECT_API_URL.value(), variable] = time.monotonic(), answer
    return answer
