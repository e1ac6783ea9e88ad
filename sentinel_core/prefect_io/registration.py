"""The registration of the event store: a variable in Prefect that says which store is the team's.

Whoever talks to the same Prefect finds the same registration, whatever SENTINEL_DATABASE_URL says.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectAlreadyExists
from prefect.settings import (
    PREFECT_API_REQUEST_TIMEOUT,
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED,
    temporary_settings,
)
from pydantic import BaseModel, ValidationError

from sentinel_core.decide.identity import Known
from sentinel_core.prefect_io.variables import new_variable, set_variable

HANDED_DOWN = "SENTINEL_REGISTERED_STORE"
"""The environment variable in which a worker hands the registration to its runs."""
# A hook does not wait a minute for a server that is away: the next run asks again.
BRIEF = {
    PREFECT_API_REQUEST_TIMEOUT: 5.0,
    PREFECT_CLIENT_MAX_RETRIES: 0,
    PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED: False,
}


class Registration(BaseModel):
    """Which store it is, who registered it and when, and where it was for them."""

    identity: UUID
    registered_at: datetime
    registered_by: str
    place: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What Prefect knows of the store; `registration` is given when one is registered."""

    known: Known
    registration: Registration | None = None

    @property
    def identity(self) -> UUID | None:
        """The identity of the registered store."""
        return self.registration.identity if self.registration else None


class _HandedDown(BaseModel):
    variable: str
    registration: Registration


def ask(variable: str) -> Answer:
    """Ask Prefect for the registered store, in one call of its API; never raises."""
    if not PREFECT_API_URL.value():
        return Answer(Known.NO_PREFECT)
    try:
        with temporary_settings(BRIEF), get_client(sync_client=True) as client:
            found = client.read_variable_by_name(variable)
    except (httpx.HTTPError, httpx.InvalidURL):
        return Answer(Known.UNREACHABLE)
    return answer_of(found.value if found else None)


def answer_of(value: object) -> Answer:
    """The answer that the variable's value gives; None for a variable that does not exist."""
    if value is None:
        return Answer(Known.NONE)
    try:
        return Answer(Known.REGISTERED, Registration.model_validate(value))
    except ValidationError:
        return Answer(Known.UNREADABLE)


def register(variable: str, registration: Registration) -> Answer:
    """Register a store; the answer is another one when another process was faster."""
    try:
        with temporary_settings(BRIEF), get_client(sync_client=True) as client:
            client.create_variable(new_variable(variable, registration))
    except ObjectAlreadyExists:
        return ask(variable)
    except httpx.HTTPError:  # away, or it lets this user read only
        return Answer(Known.UNREACHABLE)
    return Answer(Known.REGISTERED, registration)


def replace(client: SyncPrefectClient, variable: str, registration: Registration) -> None:
    """Register a store in place of whatever is registered."""
    set_variable(client, variable, registration)


def to_hand_down(variable: str, answer: Answer) -> dict[str, str]:
    """The environment with which a worker's runs need not ask; empty when none is registered."""
    if answer.registration is None:
        return {}
    passed = _HandedDown(variable=variable, registration=answer.registration)
    return {HANDED_DOWN: passed.model_dump_json()}


def handed_down(variable: str) -> Answer | None:
    """The registration that this process's worker handed down; None if there is none."""
    if not (text := os.environ.get(HANDED_DOWN)):
        return None
    passed = _HandedDown.model_validate_json(text)
    return Answer(Known.REGISTERED, passed.registration) if passed.variable == variable else None
