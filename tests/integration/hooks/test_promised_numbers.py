"""The example's promises about numbers in results: each is broken once, by a real run."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from prefect import Flow
from prefect.flows import load_flow_from_entrypoint
from sqlalchemy import Engine

from tests.support.processes import ROOT
from tests.support.runs import rows

EXAMPLE = ROOT / "examples" / "pipelines"
pytestmark = pytest.mark.usefixtures("on_server")


@pytest.fixture(autouse=True)
def _paths() -> Iterator[None]:
    path = list(sys.path)
    with contextlib.chdir(EXAMPLE):
        yield
    sys.path[:] = path  # loading a flow puts its folder there


def loaded(name: str) -> Flow[..., Any]:
    return load_flow_from_entrypoint(f"flows/promised.py:{name}")


def broken(store: Engine) -> dict[str, str]:
    """The message of each open event, by series."""
    found = rows(store, "alert_event")
    return {row["ticker"]: row["message"] for row in found if not row["resolved_at"]}


def test_a_scrape_that_is_too_fast_and_one_that_is_not(store: Engine) -> None:
    scraping = loaded("scraping")
    north = str(EXAMPLE / "data" / "sites" / "north.json")
    assert scraping(north, items_per_minute=6000)["items"] == 5
    assert list(broken(store)) == ["items per minute"]
    assert "more than 100 items a minute" in broken(store)["items per minute"]
    assert scraping(north, items_per_minute=99)["items_per_minute"] <= 100
    assert broken(store) == {}


def test_an_inaccurate_batch_that_is_too_large_and_the_labelled_one(store: Engine) -> None:
    prediction = loaded("prediction")
    kettle = {"title": "Kettle 1.7 l steel", "price": 39.9, "sku": "T-100"}
    assert prediction([kettle] * 1001)["accuracy"] == 0
    assert set(broken(store)) >= {"score: accuracy", "score: batch size"}
    assert prediction() == {"batch": 8, "accuracy": 1, "scored": 8}
    assert {"score: accuracy", "score: batch size"}.isdisjoint(broken(store))
