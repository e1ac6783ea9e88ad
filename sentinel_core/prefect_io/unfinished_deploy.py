"""The mark of a deploy that has begun to change something: it stays if that deploy is killed.

A variable in Prefect, written by the holder of the deploy's lease alone (deploy_lease.py), and
deleted when everything is deployed. The next deploy names it and finishes what is missing.
"""

from contextlib import suppress
from datetime import datetime

from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound
from pydantic import BaseModel, ValidationError

from sentinel_core.prefect_io.deploy_lease import Holder, current_holder, variable_of
from sentinel_core.prefect_io.variables import set_variable
from sentinel_core.wording.times import stamp

ADVICE = "run `sentinel rules deploy` to finish it"


class UnfinishedDeploy(BaseModel):
    """A deploy's begin, and how many of its deployments were done when it was last seen."""

    by: str
    file: str
    began_at: datetime
    done: int = 0
    total: int

    @classmethod
    def of(cls, holder: Holder, total: int) -> "UnfinishedDeploy":
        """The deploy of a lease's holder, at its beginning."""
        return cls(by=holder.by, file=holder.file, began_at=holder.began_at, total=total)

    def sentence(self) -> str:
        """Whose deploy did not finish, and how far it came."""
        return (
            f"the deploy of {self.file} by {self.by}, begun at {stamp(self.began_at)} UTC, did not "
            f"finish: {self.done} of {self.total} were done"
        )


def mark_of(store_variable: str) -> str:
    """The name of the mark's variable."""
    return f"{store_variable[:240]}_unfinished"


def read_mark(client: SyncPrefectClient, variable: str) -> UnfinishedDeploy | None:
    """The deploy that did not finish; None if there is none."""
    found = client.read_variable_by_name(variable)
    try:
        return UnfinishedDeploy.model_validate(found.value) if found else None
    except ValidationError:  # the variable is somebody else's
        return None


def write_mark(client: SyncPrefectClient, variable: str, mark: UnfinishedDeploy | None) -> None:
    """Write the mark; None deletes it."""
    if mark is not None:
        set_variable(client, variable, mark)
        return
    with suppress(ObjectNotFound):
        client.delete_variable_by_name(variable)


def unfinished_note(client: SyncPrefectClient, store_variable: str) -> str | None:
    """A sentence on a deploy that did not finish, with what to do; None if all have.

    While another deploy is under way, there is nothing to do.
    """
    mark = read_mark(client, mark_of(store_variable))
    if mark is None or current_holder(client, variable_of(store_variable)) is not None:
        return None
    return f"{mark.sentence()}; {ADVICE}"
