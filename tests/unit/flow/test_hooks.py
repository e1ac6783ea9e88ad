"""The hooks while the event store does not answer."""

import pytest

from sentinel_core.base.errors import StoreUnavailableError
from sentinel_core.base.settings import Settings
from sentinel_core.flow.hooks import connect
from tests.support.processes import free_port


@pytest.mark.parametrize("consequence", ["", "; this run will be recorded by the next reconcile"])
def test_a_store_that_does_not_answer_is_named_with_what_follows(consequence: str) -> None:
    url = f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/sentinel"
    settings = Settings(database_url=url, record_timeout_seconds=1)
    with pytest.raises(StoreUnavailableError) as raised:
        connect(settings, consequence)
    sentence = str(raised.value)
    assert sentence.startswith("the event store did not answer within 1 s (")
    assert sentence.endswith(f"){consequence}")
