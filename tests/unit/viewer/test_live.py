"""What is new is drawn at once: a second look presses a button of the blotter's."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from sentinel_core.base.settings import get_settings
from sentinel_core.model.alert import AlertOutput
from sentinel_core.store.record.acknowledge import acknowledge
from tests.support.app_pages import RunPage
from tests.support.recorded import a_rule, a_run, calm, fire, observe
from viewer import data


def presses(app: AppTest) -> int:
    """How often the last look pressed the button."""
    assert not app.exception
    return sum("<script>/*" in element.proto.body for element in app.get("html"))


def looked_again(app: AppTest) -> int:
    """The presses of a look that no cached answer keeps from the store."""
    data.forget()
    return presses(app.run())


def test_a_new_event_and_what_people_do_are_drawn_at_once_and_only_once(
    page: RunPage, store: Engine
) -> None:
    rule = a_rule("disk")
    key = fire(store, rule, datetime.now(UTC))
    app = page("blotter")
    assert presses(app) == 0
    assert looked_again(app) == 0
    fire(store, a_rule("other"), datetime.now(UTC))
    assert looked_again(app) == 1
    assert looked_again(app) == 0
    acknowledge(store, [key], by="ann", now=datetime.now(UTC))
    assert looked_again(app) == 1


def test_what_an_open_event_takes_in_waits_for_the_next_refresh(
    page: RunPage, store: Engine
) -> None:
    rule = a_rule("disk")
    fire(store, rule, datetime.now(UTC))
    app = page("blotter")
    again = AlertOutput(triggered=True, message="Still too much.")
    recorded = observe(store, rule, a_run(datetime.now(UTC), name="Triggered"), [again])
    assert (recorded.evaluations, list(recorded.opened)) == (1, [])
    calm(store, a_rule("other"), datetime.now(UTC))
    assert looked_again(app) == 0


def test_nobody_looks_where_refreshing_is_switched_off(page: RunPage, store: Engine) -> None:
    fire(store, a_rule("disk"), datetime.now(UTC))
    app = page("blotter")
    app.toggle(key="auto").set_value(False).run()
    fire(store, a_rule("other"), datetime.now(UTC))
    assert looked_again(app) == 0


def test_a_store_that_goes_away_and_comes_back_is_looked_at_again(
    page: RunPage, store: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fire(store, a_rule("disk"), datetime.now(UTC))
    app = page("blotter")
    here = data.settings().database_url
    look_at(monkeypatch, f"sqlite:///{tmp_path / 'none.db'}")
    assert looked_again(app) == 0
    assert len(app.error) == 1
    fire(store, a_rule("other"), datetime.now(UTC))
    look_at(monkeypatch, here)
    assert looked_again(app) == 1


def look_at(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Read another store from now on."""
    monkeypatch.setenv("SENTINEL_DATABASE_URL", url)
    get_settings.cache_clear()
