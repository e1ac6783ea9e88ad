"""The page History: what it lists, by time, importance, state and text."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from tests.support.app_pages import RunPage, source, words
from tests.support.recorded import a_rule, a_run, calm, fire, observe

NOW = datetime.now(UTC).replace(microsecond=0)


def rules_listed(app: AppTest) -> list[str]:
    return [*app.dataframe[0].value["Rule"]] if app.dataframe else []


def test_resolved_and_old_events_are_listed_with_how_they_ended(
    page: RunPage, store: Engine
) -> None:
    rule = a_rule("disk")
    fire(store, rule, NOW - timedelta(days=2), message="Disk is full.", ticker="/var")
    calm(store, rule, NOW - timedelta(days=1), ticker="/var")
    [row] = page("history").dataframe[0].value.to_dict("records")
    assert (row["Rule"], row["Ticker"], row["Status"]) == ("disk", "/var", "resolved")
    assert (row["Message"], row["How it ended"]) == ("Disk is full.", "recovered")
    assert row["id"].startswith("./event?event=")


def test_importance_state_and_text_narrow_it(page: RunPage, store: Engine) -> None:
    fire(store, a_rule("disk", "critical"), NOW, ticker="/var")
    fire(store, a_rule("price", "low"), NOW, ticker="AAPL")
    observe(store, a_rule("feed"), a_run(NOW, "FAILED"))
    assert sorted(rules_listed(page("history"))) == ["disk", "feed", "price"]
    assert rules_listed(page("history", importance=["critical"])) == ["disk"]
    assert rules_listed(page("history", state=["FAILED"])) == ["feed"]
    assert rules_listed(page("history", q="aap")) == ["price"]
    assert "No event matches" in words(page("history", q="nowhere"))


def test_events_without_a_run_are_those_of_the_state_none(page: RunPage, store: Engine) -> None:
    fire(store, a_rule("disk"), NOW)
    assert rules_listed(page("history", state=["COMPLETED", "NONE"])) == ["disk"]
    assert rules_listed(page("history", state=["NONE"])) == []


@pytest.mark.parametrize("value", ["'; DROP TABLE alert_event", "<script>", "\x00", "9" * 5000])
@pytest.mark.parametrize("name", ["q", "range", "since", "state", "size", "sort", "importance"])
def test_hostile_parameters_are_harmless(
    page: RunPage, store: Engine, name: str, value: str
) -> None:
    fire(store, a_rule("disk"), NOW)
    shown = page("history", **{name: value})
    assert "<script>" not in source(shown)
