"""The keys on the blotter, as the window reports them."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from sentinel_core.base.settings import get_settings
from tests.support.app_pages import RunPage, words
from tests.support.recorded import a_rule, fire
from viewer import data


@pytest.fixture
def three(store: Engine) -> list[int]:
    """Three events, the newest first."""
    start = datetime.now(UTC) - timedelta(minutes=3)
    made = [fire(store, a_rule(f"rule-{n}"), start + n * timedelta(minutes=1)) for n in range(3)]
    return made[::-1]


def press(app: AppTest, *pressed: str, earlier: int = 0) -> AppTest:
    """Press these keys after so many others."""
    told = [[earlier + n, key] for n, key in enumerate(pressed, start=1)]
    app.text_input(key="window").set_value(json.dumps({"width": 1_200, "keys": told})).run()
    assert not app.exception
    return app


def asked(app: AppTest, button: str) -> list[int]:
    """The events on which the open dialog acts."""
    assert [b.label for b in app.button if (b.key or "").endswith("-confirm")] == [button]
    return list(app.dataframe[-1].value["id"])


def test_the_cursor_moves_and_selects(page: RunPage, three: list[int]) -> None:
    app = press(page("blotter"), "j", "j", "x")
    assert "**1 selected**" in words(app)
    assert "row 2 of 3" in words(app)
    app = press(app, "j", "x", "k", "k", "a", earlier=10)
    assert asked(app, "Acknowledge 2 events") == three[1:]


def test_without_a_selection_the_keys_act_on_the_row(page: RunPage, three: list[int]) -> None:
    assert asked(press(page("blotter"), "j", "z"), "Snooze 1 event") == three[:1]


def test_the_cursor_stays_with_its_event(page: RunPage, three: list[int], store: Engine) -> None:
    app = press(page("blotter"), "j", "j")
    fire(store, a_rule("newer"), datetime.now(UTC))
    data.forget()
    assert "row 3 of 4" in words(app.run())


def test_a_key_is_answered_once_however_often_it_is_sent(page: RunPage, three: list[int]) -> None:
    app = press(page("blotter"), "j", "x")
    assert "**1 selected**" in words(press(app, "j", "x"))
    assert "**1 selected**" in words(app.run())


def test_a_silence_is_filled_in_for_the_row(page: RunPage, three: list[int]) -> None:
    app = press(page("blotter"), "j", "s")
    assert app.text_input(key="silence-rule").value == "rule-2"
    assert press(page("blotter"), "s").text_input(key="silence-rule").value == ""


def test_the_keys_are_shown(page: RunPage, three: list[int]) -> None:
    assert "| `j` | the next row |" in words(press(page("blotter"), "?"))


def test_who_may_only_read_walks_and_changes_nothing(
    page: RunPage, three: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTINEL_VIEWER_READ_ONLY", "true")
    get_settings.cache_clear()
    for key in ("a", "z", "s"):
        app = press(page("blotter"), "j", key)
        assert "row 1 of 3" in words(app)
        assert not [b for b in app.button if (b.key or "").endswith("-confirm")]
