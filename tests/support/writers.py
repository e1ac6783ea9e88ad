"""The first writers of a store, each a process of its own."""

from prefect.settings import PREFECT_API_URL, temporary_settings

from sentinel_core.base.errors import StoreIdentityError
from sentinel_core.base.settings import Settings
from sentinel_core.flow.opening import open_store


def first_writer(api_url: str, variable: str, url: str) -> bool:
    """True for a process that may use its store."""
    with temporary_settings({PREFECT_API_URL: api_url}):
        try:
            open_store(Settings(database_url=url, store_variable=variable))
        except StoreIdentityError:
            return False
    return True
