"""Silences made from a page: what they mute is shown before they are made."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from sentinel_core.store.read.silences import all_silences
from tests.support.app_pages import RunPage, words
from tests.support.recorded import a_rule, fire
from viewer.silencing import common


def now() -> datetime:
    return datetime.now(UTC)


def silenced(app: AppTest, **fields: str) -> AppTest:
    """The dialog on the page Rules, filled in and confirmed."""
    app.button(key="silence").click().run()
    for name, value in fields.items():
        app.text_input(key=f"silence-{name}").set_value(value)
    app.button(key="silence").click().run()  # what was filled in enables the button
    app.button(key="silence").click()
    app.button(key="silence-confirm").click().run()
    assert not app.exception
    return app


def test_an_event_prefills_its_rule_and_ticker_and_the_preview_counts_what_is_muted(
    page: RunPage, store: Engine
) -> None:
    key = fire(store, a_rule("disk"), now(), ticker="AAPL")
    fire(store, a_rule("disk"), now(), ticker="MSFT")
    app = page("blotter", event=str(key))
    app.menu_button(key="more-actions").click("Silence").run()
    assert app.text_input(key="silence-rule").value == "disk"
    assert app.text_input(key="silence-ticker").value == "AAPL"
    assert "Mutes now: 1 open event." in words(app)
    app.text_input(key="silence-ticker").set_value("")
    app.menu_button(key="more-actions").click("Silence").run()
    assert "Mutes now: 2 open events." in words(app)
    app.text_input(key="silence-comment").set_value("moving disks")
    app.text_input(key="silence-by").set_value("ana")
    app.menu_button(key="more-actions").click("Silence")
    app.button(key="silence-confirm").click().run()
    assert not app.exception
    [made] = all_silences(store, now=now())
    assert (made.matchers.words(), made.author, made.comment) == (
        "rule disk",
        "ana",
        "moving disks",
    )
    assert (made.ends_at - made.starts_at).total_seconds() == pytest.approx(3600, abs=60)
    assert f"Silence {made.id} mutes rule disk." in words(app)


def test_a_silence_is_made_on_the_page_of_rules_and_listed_there_at_once(
    page: RunPage, store: Engine
) -> None:
    fire(store, a_rule("disk-a"), now())
    app = page("rules")
    assert "No silence is active" in words(app)
    silenced(app, rule="disk-*", comment="moving", by="ana")
    assert "1 rule, 1 series, 1 open event" in words(app)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"rule": "disk", "comment": "  ", "by": "ana"}, "Say why"),
        ({"rule": "disk", "comment": "x", "by": "  "}, "Say who silences"),
    ],
)
def test_a_silence_without_a_reason_or_a_name_is_refused(
    page: RunPage, store: Engine, fields: dict[str, str], why: str
) -> None:
    fire(store, a_rule("disk"), now())
    assert why in words(silenced(page("rules"), **fields))
    assert all_silences(store, now=now()) == []


def test_a_silence_of_nothing_can_not_be_made(page: RunPage, store: Engine) -> None:
    fire(store, a_rule("disk"), now())
    app = page("rules")
    app.button(key="silence").click().run()
    assert "Say what is muted. A * as the rule mutes everything." in words(app)
    assert app.button(key="silence-confirm").disabled


def test_hostile_fields_are_text(page: RunPage, store: Engine) -> None:
    evil = "<b>x</b> :red[y] [z](javascript:0) [!-~]"
    fire(store, a_rule("disk"), now())
    app = silenced(page("rules"), rule=evil, comment=evil, by=evil)
    [made] = all_silences(store, now=now())
    assert made.matchers.rule == evil
    written = "\n".join(str(part.value) for part in app.markdown)
    assert ":red[y]" not in written
    assert "<b>" not in written


def test_only_what_events_have_in_common_is_prefilled() -> None:
    first = {"rule_name": "disk", "ticker": "a"}
    assert common([first, {"rule_name": "disk", "ticker": "b"}]) == {"rule": "disk"}
    assert common([first, {"rule_name": "cpu", "ticker": "a"}]) == {"ticker": "a"}
    assert common([]) == {}
