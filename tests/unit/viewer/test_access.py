"""Who may see the pages, and what they may change: decided where it is written."""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine
from streamlit import config
from streamlit.testing.v1 import AppTest

from sentinel_core.base.errors import NotAllowedError
from sentinel_core.base.settings import get_settings
from sentinel_core.store.read.event_detail import event_detail
from tests.support.app_pages import RunPage, words
from tests.support.processes import ROOT
from tests.support.recorded import a_rule, fire
from viewer import access, rule_data, writing
from viewer.roles import Action
from viewer.writing import Given

AUTH = {"auth": {"redirect_uri": "http://127.0.0.1:8501/oauth2callback", "client_id": "x"}}


@pytest.fixture(autouse=True)
def people(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SENTINEL_OPERATORS", "bo@example.org")
    monkeypatch.setenv("SENTINEL_VIEWERS", "kim@example.org")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPERATORS", "VIEWERS"):
        monkeypatch.delenv(f"SENTINEL_{name}")
    monkeypatch.setenv("SENTINEL_VIEWER_READ_ONLY", "true")
    get_settings.cache_clear()


def opened(claims: dict[str, Any], script: str = "navigation") -> AppTest:
    app = AppTest.from_file(str(ROOT / "viewer" / f"{script}.py"), default_timeout=30)
    app.secrets = AUTH
    app.user = claims
    app.run()
    assert not app.exception
    return app


def login(email: str, **claims: Any) -> dict[str, Any]:
    return {"is_logged_in": True, "sub": "u", "email": email, "email_verified": True, **claims}


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"is_logged_in": False}, "Log in to see"),
        ({}, "Log in to see"),
        (login("bo@example.org", is_logged_in="yes"), "Log in to see"),
        (login("eve@example.org"), "**eve@example.org**, and have no access"),
        ({"is_logged_in": True}, "names nobody, and have no access"),
    ],
)
def test_strangers_see_nothing_of_the_pages(
    page: RunPage, store: Engine, claims: dict[str, Any], said: str
) -> None:
    fire(store, a_rule("price"), datetime.now(UTC))
    app = opened(claims)
    assert said in words(app)
    assert not app.dataframe
    assert {button.key for button in app.button} <= {"log-in", "log-out"}


def test_each_provider_has_a_button_of_its_own(page: RunPage, store: Engine) -> None:
    app = AppTest.from_file(str(ROOT / "viewer" / "navigation.py"), default_timeout=30)
    app.secrets = {"auth": {"cookie_secret": "x", "google": {"client_id": "a"}, "corp": {}}}
    app.run()
    assert [button.label for button in app.button] == ["Log in with google", "Log in with corp"]


def test_an_operator_acts_under_the_verified_name_and_sees_no_configuration(
    page: RunPage, store: Engine
) -> None:
    key = fire(store, a_rule("price"), datetime.now(UTC))
    app = AppTest.from_file(str(ROOT / "viewer" / "scripts" / "event.py"), default_timeout=30)
    app.secrets, app.user = AUTH, login("Bo@Example.org", name="Ana")
    app.query_params["event"] = str(key)
    app.run()
    app.button(key="acknowledge").click().run()
    app.button(key="acknowledge").click()  # AppTest closes a dialog when it runs again
    app.button(key="acknowledge-confirm").click().run()
    found = event_detail(store, key)
    assert found is not None
    assert found.event["acknowledged_by"] == "bo@example.org"
    system = opened(login("bo@example.org"), "scripts/system")
    assert not system.dataframe
    assert "Sync now" in [button.label for button in system.button]


def test_a_viewer_is_offered_no_action_and_is_refused_where_it_is_written(
    page: RunPage, store: Engine
) -> None:
    fire(store, a_rule("price"), datetime.now(UTC))
    kim = login("kim@example.org")
    assert "acknowledge" not in {button.key for button in opened(kim, "scripts/blotter").button}
    assert not {"run", "pause"} & {button.key for button in opened(kim, "scripts/rules").button}
    system = opened(kim, "scripts/system")
    assert not [button for button in system.button if button.label == "Sync now"]

    def forced() -> None:
        import streamlit as st

        from sentinel_core.base.errors import NotAllowedError
        from viewer import writing

        try:
            writing.change_events("acknowledge", {1: None}, writing.Given("ana"))
        except NotAllowedError as error:
            st.error(str(error))

    app = AppTest.from_function(forced)
    app.secrets, app.user = AUTH, kim
    app.run()
    assert "kim@example.org has the role viewer" in app.error[0].value


@pytest.mark.usefixtures("read_only", "page")
def test_a_wall_display_offers_and_writes_nothing(store: Engine, page: RunPage) -> None:
    key = fire(store, a_rule("price"), datetime.now(UTC))
    assert "acknowledge" not in {button.key for button in page("blotter").button}
    assert "acknowledge" not in {button.key for button in page("event", event=str(key)).button}
    for write in (
        lambda: writing.change_events("resolve", {key: None}, Given("ana")),
        lambda: writing.approve(key, "ana", ""),
        lambda: rule_data.act("pause", [{"deployment_id": uuid4()}], "ana"),
        lambda: writing.reconcile("ana"),
    ):
        with pytest.raises(NotAllowedError, match="read-only"):
            write()
    found = event_detail(store, key)
    assert found is not None
    assert not found.event["is_acknowledged"]


def test_a_login_that_cannot_be_read_lets_nobody_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("OPERATORS", "VIEWERS"):
        monkeypatch.delenv(f"SENTINEL_{name}")
    get_settings.cache_clear()
    assert not access.login_required()
    broken = tmp_path / "secrets.toml"
    broken.write_text("[auth\n")
    monkeypatch.setattr(
        config, "get_option", {"secrets.files": [str(tmp_path / "none"), str(broken)]}.get
    )
    assert access.login_required()
    with pytest.raises(NotAllowedError, match="log in"):
        access.permit(Action.EVENTS, "ana")


def test_only_one_file_of_the_viewer_writes() -> None:
    """It asks who looks; others import of `store.record` what is no function, such as limits."""
    for file in (ROOT / "viewer").rglob("*.py"):
        if file.name in ("writing.py", "operations.py"):
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        calls = {ast.unparse(one.func) for one in ast.walk(tree) if isinstance(one, ast.Call)}
        assert not {"operations.act", "operations.reconcile"} & calls, file
        assert not _writing(tree), file


def _writing(tree: ast.Module) -> set[str]:
    """The modules and functions of `store.record` that a file imports."""
    imports = [one for one in ast.walk(tree) if isinstance(one, ast.ImportFrom)]
    return {
        alias.name
        for one in imports
        if (one.module or "").startswith("sentinel_core.store.record")
        for alias in one.names
        if alias.name.islower()
    }
