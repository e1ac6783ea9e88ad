"""What browsers are told when they ask whether there is anything new."""

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from streamlit import config
from streamlit.testing.v1 import AppTest

from sentinel_core.base.settings import get_settings
from sentinel_core.model.alert import AlertOutput
from sentinel_core.store.record.acknowledge import acknowledge
from tests.support.app_pages import RunPage
from tests.support.recorded import a_rule, a_run, calm, fire, observe
from viewer import data, news


async def _other(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("a page")(scope, receive, send)


def asked(path: str = "/news", times: int = 1) -> list[httpx.Response]:
    """The answers of one viewer, to so many that ask at once."""

    async def get() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=news.News(_other))
        async with httpx.AsyncClient(transport=transport, base_url="http://viewer") as client:
            return await asyncio.gather(*(client.get(path) for _ in range(times)))

    return asyncio.run(get())


def word() -> str:
    [answer] = asked()
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    return answer.text


def test_the_word_changes_with_a_new_event_and_with_what_people_do(store: Engine) -> None:
    key = fire(store, a_rule("disk"), datetime.now(UTC))
    words = [word(), word()]
    fire(store, a_rule("other"), datetime.now(UTC))
    words.append(word())
    acknowledge(store, [key], by="ann", now=datetime.now(UTC))
    words.append(word())
    assert words[0] == words[1]
    assert len(set(words)) == 3


def test_the_word_changes_when_an_event_resolves(store: Engine) -> None:
    rule = a_rule("disk")
    fire(store, rule, datetime.now(UTC))
    before = word()
    calm(store, rule, datetime.now(UTC))
    assert word() != before


def test_what_an_open_event_takes_in_is_no_news(store: Engine) -> None:
    rule = a_rule("disk")
    fire(store, rule, datetime.now(UTC))
    before = word()
    again = AlertOutput(triggered=True, message="Still too much.")
    observe(store, rule, a_run(datetime.now(UTC), name="Triggered"), [again])
    calm(store, a_rule("other"), datetime.now(UTC))
    assert word() == before


def test_the_word_says_nothing_about_the_store(store: Engine) -> None:
    fire(store, a_rule("disk"), datetime.now(UTC))
    assert word() == news.word("1-0-1")
    assert len(news.word("1-0-1")) == len(news.word("1000000-1000000-1000")) == 16


def test_everybody_who_asks_at_once_is_answered_by_one_look(
    store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    look = data.newest

    def counted() -> str:
        looks.append(1)
        return look()

    monkeypatch.setattr(data, "newest", counted)
    answers = asked(times=50)
    assert {answer.text for answer in answers} == {news.word("0-0-0")}
    assert len(looks) == 1


def test_while_the_store_is_away_nothing_is_said(
    store: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here, before = data.settings().database_url, word()
    look_at(monkeypatch, f"sqlite:///{tmp_path / 'none.db'}")
    [answer] = asked()
    assert (answer.status_code, answer.text) == (503, "")
    look_at(monkeypatch, here)
    assert word() == before
    fire(store, a_rule("other"), datetime.now(UTC))
    assert word() != before


def look_at(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Read another store from now on."""
    monkeypatch.setenv("SENTINEL_DATABASE_URL", url)
    get_settings.cache_clear()


def told(app: AppTest) -> list[str]:
    """The words with which the window of this page asks for more."""
    assert not app.exception
    scripts = "".join(element.proto.body for element in app.get("html"))
    return re.findall(r'"news": (null|"[0-9a-f]{16}")', scripts)


def test_the_window_asks_with_the_word_for_what_is_drawn(page: RunPage, store: Engine) -> None:
    fire(store, a_rule("disk"), datetime.now(UTC))
    app = page("blotter")
    assert told(app) == [f'"{word()}"']
    fire(store, a_rule("other"), datetime.now(UTC))
    assert told(app) != [f'"{word()}"']
    data.forget()
    assert told(app.run()) == [f'"{word()}"']


def test_nobody_asks_where_refreshing_is_switched_off(page: RunPage, store: Engine) -> None:
    fire(store, a_rule("disk"), datetime.now(UTC))
    app = page("blotter")
    app.toggle(key="auto").set_value(False).run()
    assert told(app) == ["null"]


def test_other_addresses_are_the_applications(store: Engine) -> None:
    assert asked("/")[0].text == "a page"
    assert asked("/news/more")[0].text == "a page"
    config.set_option("server.baseUrlPath", "alerts")
    try:
        assert asked("/news")[0].text == "a page"
        assert asked("/alerts/news")[0].status_code == 200
    finally:
        config.set_option("server.baseUrlPath", "")
