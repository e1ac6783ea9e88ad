"""The blotter's script over a real store, without a browser."""

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import streamlit as st
from sqlalchemy import Engine, text
from streamlit.testing.v1 import AppTest

from sentinel_core.errors import SentinelError
from sentinel_core.settings import get_settings
from sentinel_core.store import events
from sentinel_core.store.acknowledging import acknowledge
from sentinel_core.store.engine import ensure_schema, open_engine
from tests.support.processes import ROOT
from tests.support.recorded import a_rule, a_run, calm, fire, observe
from viewer import acknowledging, data


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def store() -> Iterator[Engine]:
    st.cache_data.clear()
    st.cache_resource.clear()
    engine = open_engine(get_settings().database_url)
    ensure_schema(engine)
    yield engine
    engine.dispose()
    with contextlib.suppress(SentinelError):
        data.engine().dispose()


def blotter(**params: str | list[str]) -> AppTest:
    app = AppTest.from_file(str(ROOT / "viewer" / "app.py"), default_timeout=30)
    for name, value in params.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    """Everything written on the page, in one string."""
    parts = [*app.markdown, *app.info, *app.warning, *app.error, *app.success, *app.caption]
    return "\n".join(str(part.value) for part in parts)


def listed(app: AppTest) -> list[int]:
    [table] = app.dataframe
    return [int(link.partition("=")[2]) for link in table.value["id"]]


def test_an_empty_store_says_what_to_do_first(store: Engine) -> None:
    assert "No events yet" in words(blotter())
    assert "sentinel up" in words(blotter())


def test_live_events_are_listed_newest_first(store: Engine) -> None:
    old = fire(store, a_rule("old"), now() - timedelta(hours=50))
    new = fire(store, a_rule("new", "critical"), now())
    gone = fire(store, a_rule("gone", "low", display_minutes=5), now() - timedelta(hours=1))
    app = blotter()
    assert listed(app) == [new, old]
    assert gone not in listed(app)
    assert ":red-badge[1 critical] :orange-badge[1 high] unacknowledged" in words(app)
    assert "No rule has a notification channel yet" in words(app)


def test_the_channel_hint_is_gone_once_there_is_a_channel(store: Engine) -> None:
    fire(store, a_rule(notify={"high": ["slack-incoming-webhook/ops"]}), now())
    assert "notification channel" not in words(blotter())


def test_the_address_bar_filters(store: Engine) -> None:
    price = fire(store, a_rule("price", "high", "Market"), now(), ticker="AAPL")
    disk = fire(store, a_rule("disk", "low"), now())
    assert listed(blotter(view="all", importance=["low", "medium"])) == [disk]
    assert listed(blotter(ticker="AAPL")) == [price]
    assert listed(blotter(rule="disk")) == [disk]
    assert listed(blotter(q="pri")) == [price]
    assert listed(blotter(quick="market")) == [price]


def test_a_filter_nobody_understands_is_named_and_not_swallowed(store: Engine) -> None:
    key = fire(store, a_rule(), now())
    app = blotter(importance=["urgent"], colour="red")
    assert listed(app) == [key]
    [warning] = app.warning
    assert "“urgent” is not understood" in warning.value
    assert "no filter called “colour”" in warning.value


def test_a_control_changes_what_is_listed(store: Engine) -> None:
    high = fire(store, a_rule("a", "high"), now())
    fire(store, a_rule("b", "low"), now())
    app = blotter()
    app.button_group(key="importance").set_value(["high"]).run()
    assert listed(app) == [high]


def test_a_filter_without_hits_says_so(store: Engine) -> None:
    fire(store, a_rule(), now())
    assert "No event matches these filters" in words(blotter(q="nothing like it"))


def test_a_quiet_day_is_said_to_be_quiet(store: Engine) -> None:
    key = fire(store, a_rule(), now())
    acknowledge(store, [key], by="ana", now=now())
    app = blotter()
    assert "Nothing asks for attention" in words(app)
    assert "Nothing unacknowledged" in words(app)


def test_an_overdue_rule_is_named(store: Engine) -> None:
    fire(store, a_rule("stuck", cron="* * * * *"), now() - timedelta(hours=1))
    assert ":orange-badge[1 overdue: stuck]" in words(blotter())


def test_a_store_that_is_away_is_an_error_and_not_an_empty_list(
    store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTINEL_DATABASE_URL", "postgresql://me:secret@127.0.0.1:1/events")
    get_settings.cache_clear()
    st.cache_resource.clear()
    app = blotter()
    assert not app.dataframe
    [error] = app.error
    assert "Events can't be shown" in error.value
    assert "SENTINEL" in error.value
    assert "secret" not in error.value


def test_a_store_that_goes_away_later_is_an_error_too(store: Engine) -> None:
    fire(store, a_rule(), now())
    app = blotter()
    with store.begin() as connection:
        connection.execute(text("ALTER TABLE alert_event RENAME TO elsewhere"))
    st.cache_data.clear()
    app.run()
    assert not app.exception
    assert "Events can't be shown" in words(app)


def test_a_store_of_an_older_sentinel_names_the_command(store: Engine) -> None:
    with store.begin() as connection:
        connection.execute(text("UPDATE sentinel_version SET version_num = '0000'"))
    assert "sentinel db upgrade" in words(blotter()).replace("\\", "")


# -- one event -----------------------------------------------------------------------------


def test_the_page_of_an_event_shows_all_of_it(store: Engine) -> None:
    rule = a_rule("disk", "critical", notify={"critical": ["slack-incoming-webhook/ops"]})
    rule_calm = {"metrics": {"value": 80.0, "threshold": 90.0}}
    calm(store, rule, now() - timedelta(minutes=10), **rule_calm)
    key = fire(
        store,
        rule,
        now() - timedelta(minutes=5),
        ticker="",
        message="Disk is full",
        metrics={"value": 97.5, "threshold": 90.0},
        metadata={"unit": "%", "path": "/srv"},
    )
    acknowledge(store, [key], by="Bo", comment="cleaning up", now=now())
    app = blotter(event=str(key))
    assert [block.value for block in app.code] == ["Disk is full"]
    assert [json.loads(block.value) for block in app.json] == [{"unit": "%", "path": "/srv"}]
    shown = words(app).replace("\\", "")
    assert "disk :red-badge[critical]" in shown
    assert "against threshold 90" in shown
    assert "cleaning up" in shown
    tables = [list(table.value.columns) for table in app.dataframe]
    assert ["Metric", "Value"] in tables
    decided = app.dataframe[0].value
    assert list(decided["Decision"]) == ["open"]
    told = next(table.value for table in app.dataframe if "Channel" in table.value.columns)
    assert list(told["Status"]) == ["pending"]
    who = next(table.value for table in app.dataframe if "Who" in table.value.columns)
    assert list(who["Comment"]) == ["cleaning up"]


def test_a_failed_check_has_a_page_without_a_chart(store: Engine) -> None:
    run = a_run(now(), "CRASHED", message="killed by signal 9")
    [key] = observe(store, a_rule(), run).opened
    app = blotter(event=str(key))
    assert "killed by signal 9" in app.code[0].value
    assert "check failed" in words(app)


@pytest.mark.parametrize(
    "asked", ["", "abc", "1 OR 1=1", "-1", "²", "9" * 99, "<script>", "999", "0", "1.5"]
)
def test_an_id_that_is_none_is_a_sentence(store: Engine, asked: str) -> None:
    app = blotter(event=asked)
    assert len(app.warning) == 1
    assert "event" in app.warning[0].value
    assert "<script>" not in app.warning[0].value


def test_an_event_is_acknowledged_from_its_page(store: Engine) -> None:
    key = fire(store, a_rule(), now())
    app = blotter(event=str(key))
    app.button(key="acknowledge").click().run()
    app.text_input(key="acknowledge-by").set_value("Ana")
    app.text_input(key="acknowledge-comment").set_value("seen")
    app.button(key="acknowledge").click()
    app.button(key="acknowledge-confirm").click().run()
    assert not app.exception
    whole = events.event(store, key)
    assert whole is not None
    assert (whole.event["acknowledged_by"], whole.event["comment"]) == ("Ana", "seen")


def test_nobody_acknowledges_without_a_name(store: Engine) -> None:
    key = fire(store, a_rule(), now())
    app = blotter(event=str(key))
    app.button(key="acknowledge").click().run()
    app.text_input(key="acknowledge-by").set_value("  ")
    app.button(key="acknowledge").click()
    app.button(key="acknowledge-confirm").click().run()
    assert "Say who acknowledges" in words(app)
    whole = events.event(store, key)
    assert whole is not None
    assert not whole.event["is_acknowledged"]


def test_without_authentication_nobody_is_signed_in(store: Engine) -> None:
    assert not Path(ROOT / ".streamlit" / "secrets.toml").exists()
    assert acknowledging.signed_in() is None
