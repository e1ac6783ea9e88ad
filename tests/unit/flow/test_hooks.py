"""The hooks while the event store does not answer."""

from pathlib import Path

import pytest
from prefect.states import Completed, Failed
from prefect.utilities.collections import visit_collection

from sentinel_core.base.errors import StoreUnavailableError
from sentinel_core.base.settings import Settings
from sentinel_core.flow.hooks import connected, returned_outputs
from sentinel_core.model.alert import Outputs
from tests.support.processes import free_port
from tests.support.runs import quiet


@pytest.mark.parametrize("consequence", ["", "; this run will be recorded by the next reconcile"])
def test_a_store_that_does_not_answer_is_named_with_what_follows(consequence: str) -> None:
    url = f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/sentinel"
    settings = Settings(database_url=url, record_timeout_seconds=1)
    with pytest.raises(StoreUnavailableError) as raised, connected(settings, consequence):
        pass
    sentence = str(raised.value)
    assert sentence.startswith("the event store postgresql+psycopg://nobody@127.0.0.1:")
    assert "the database server does not answer (" in sentence
    assert sentence.endswith(f"Start it, or correct SENTINEL_DATABASE_URL{consequence}")


def test_a_damaged_store_is_named_at_once_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "sentinel.db"
    file.write_text("no database, though long enough to be read as one" * 9)
    settings = Settings(database_url=f"sqlite:///{file}", record_timeout_seconds=600)
    follows = "; this run will be recorded by the next reconcile"
    with (
        pytest.raises(StoreUnavailableError, match="the file is damaged") as raised,
        connected(settings, follows),
    ):
        pass
    assert "Restore it from a backup" in str(raised.value)
    assert str(raised.value).endswith(follows)


@pytest.mark.parametrize(
    "returned", [{"triggered": "perhaps"}, "nothing triggered", 7, [None], [{"ticker": "A"}]]
)
def test_an_output_that_cannot_be_read_is_unknown_and_not_empty(returned: object) -> None:
    assert returned_outputs(Completed(data=returned)) is None


def test_an_empty_output_is_one_that_was_checked() -> None:
    assert returned_outputs(Completed(data=[])) == []


def test_a_run_that_failed_has_no_output() -> None:
    assert returned_outputs(Failed(message="no")) is None


def test_prefect_does_not_look_through_the_outputs_of_a_run() -> None:
    """It would look at each value of each for a future: with 50,000 tickers for ten seconds."""
    outputs = Outputs([quiet(ticker=f"T{n}") for n in range(100)])
    seen: list[object] = []
    visit_collection(Completed(data=outputs), seen.append, return_data=False)
    assert len(seen) < 100
    assert returned_outputs(Completed(data=outputs)) == list(outputs)
