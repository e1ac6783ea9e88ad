"""Variables in Prefect that hold one of Sentinel's records as JSON."""

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import VariableCreate, VariableUpdate
from prefect.exceptions import ObjectAlreadyExists
from pydantic import BaseModel


def new_variable(name: str, record: BaseModel) -> VariableCreate:
    """The variable to create; Prefect refuses a name that is taken."""
    return VariableCreate(name=name, value=record.model_dump(mode="json"), tags=["sentinel"])


def set_variable(client: SyncPrefectClient, name: str, record: BaseModel) -> None:
    """Create the variable, or replace its value."""
    new = new_variable(name, record)
    try:
        client.create_variable(new)
    except ObjectAlreadyExists:
        client.update_variable(VariableUpdate(name=name, value=new.value))
