"""Opening the event store within one process: what a refusal says, what an adoption notes."""

import re
import uuid
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient

from sentinel_core.base.errors import StoreIdentityError
from sentinel_core.base.settings import Settings
from sentinel_core.flow.opening import adopt, create, open_store, refuse_other
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.db.schema import require_schema
from tests.support.runs import rows


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a store that does not exist yet, and that Prefect does not know."""
    return at(tmp_path / "first.db", f"store_{uuid.uuid4().hex}")


def at(file: Path, variable: str) -> Settings:
    return Settings(database_url=f"sqlite:///{file}", store_variable=variable)


def identity_at(settings: Settings) -> UUID:
    return require_schema(open_engine(settings.database_url, create=False))


def test_a_new_store_has_the_identity_that_its_maker_is_told(settings: Settings) -> None:
    assert create(settings.database_url) == identity_at(settings)


def test_a_refusal_names_the_store_that_is_registered_and_where_it_is(
    client: SyncPrefectClient, settings: Settings, tmp_path: Path
) -> None:
    open_store(settings)
    first = f"{settings.database_url}, identity {identity_at(settings)}, registered on "
    missing = at(tmp_path / "missing.db", settings.store_variable)
    with pytest.raises(StoreIdentityError, match=re.escape(f"is registered in Prefect ({first}")):
        open_store(missing)
    other = at(tmp_path / "other.db", settings.store_variable)
    own = create(other.database_url)
    with pytest.raises(StoreIdentityError, match=re.escape(f"is registered in Prefect ({first}")):
        refuse_other(other, own)
    refuse_other(settings, identity_at(settings))  # the registered one is not refused


def test_an_adoption_notes_which_store_it_replaces(
    client: SyncPrefectClient, settings: Settings, tmp_path: Path
) -> None:
    first = open_store(settings)
    second = at(tmp_path / "second.db", settings.store_variable)
    registration = adopt(client, second)
    assert registration.identity == identity_at(second)
    [entry] = rows(open_store(second), "audit_entry", action="store-adopted")
    assert entry["detail"] == {
        "host": registration.registered_by,
        "replaces": f"{settings.database_url}, identity {require_schema(first)}",
    }
    with pytest.raises(StoreIdentityError, match="is not the one that is registered in Prefect"):
        refuse_other(settings, require_schema(first))
