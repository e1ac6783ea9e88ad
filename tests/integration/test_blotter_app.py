"""The blotter's script over a real store, without a browser."""

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from sqlalchemy import Engine, text
from streamlit.testing.v1 import AppTest

from sentinel_core.base.errors import NotAllowedError, SentinelError
from sentinel_core.base.settings import get_settings
from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.routing import Routes
from sentinel_core.notify.failing_channels import record_failing_channels
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.db.schema import ensure_schema
from sentinel_core.store.read.event_detail import event_detail
from sentinel_core.store.record.acknowledge import acknowledge
from tests.support.app_pages import labels_of_popovers
from tests.support.delivered import EVERYONE, GONE, ONCALL, OPS, attempt, refuse, telling
from tests.support.processes import ROOT
from tests.support.recorded import a_rule, a_run, calm, fire, observe
from viewer import acknowledging, data, rows, writing

MINUTE = timedelta(minutes=1)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def near(at: datetime) -> str:
    """A time as the pages write it: with its date unless that is today's."""
    return f"{at:%H:%M:%S}" if at.date() == now().date() else f"{at:%Y-%m-%d %H:%M:%S}"


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
    app = AppTest.from_file(str(ROOT / "viewer" / "navigation.py"), default_timeout=30)
    for name, value in params.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    """Everything written on the page, in one string."""
    parts = [*app.markdown, *app.info, *app.warning, *app.error, *app.success, *app.caption]
    return "\n".join(str(part.value) for part in parts)


def read(app: AppTest) -> str:
    """The same as people read it: without what keeps text from being markup."""
    return words(app).replace("\\", "").replace("\N{WORD JOINER}", "")


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


def test_a_shared_link_shows_from_the_first_paint_that_it_is_filtered(store: Engine) -> None:
    fire(store, a_rule("disk", "low"), now())
    app = AppTest.from_file(str(ROOT / "viewer" / "navigation.py"), default_timeout=30)
    app.query_params["importance"] = "low"
    app.query_params["ticker"] = ""
    assert labels_of_popovers(app.run().main) == ["Filters (1)", "Columns", "Views"]


def test_a_filter_nobody_understands_is_named_and_not_swallowed(store: Engine) -> None:
    key = fire(store, a_rule(), now())
    app = blotter(importance=["urgent"], colour="red")
    assert listed(app) == [key]
    [warning] = app.warning
    assert "“urgent” is not understood" in warning.value
    assert "no filter called “colour”" in warning.value


def test_the_columns_to_show_are_in_the_address(store: Engine) -> None:
    fire(store, a_rule("disk"), now())
    [table] = blotter(columns=["Rule", "Message", "Event", "Kind"]).dataframe
    assert list(table.value.columns) == ["Rule", "Message", "id", "Kind"]
    app = blotter(columns=["<script>"])
    assert list(app.dataframe[0].value.columns) == [*rows.COLUMNS[:-1], "id"]
    assert "is not understood" in app.warning[0].value


def test_a_view_is_saved_opened_by_somebody_else_and_deleted(store: Engine) -> None:
    high = fire(store, a_rule("a", "high"), now())
    low = fire(store, a_rule("b", "low"), now() - MINUTE)
    ana = blotter(importance="low", columns=["Event", "Kind"])
    ana.text_input(key="view-name").set_value("<b>Low</b>")
    ana.text_input(key="view-by").set_value("ana")
    ana.button(key="view-save").click().run()
    assert "Saved as “<b>Low</b>”" in read(ana)
    ana.button(key="view-save").click().run()
    assert "Not saved: there is a view of this name already" in read(ana)
    bo = blotter(importance="high", q="a")
    assert listed(bo) == [high]
    bo.button(key="view-1").click().run()
    assert listed(bo) == [low]
    assert list(bo.dataframe[0].value.columns) == ["id", "Kind"]
    assert bo.text_input(key="q").value == ""
    bo.text_input(key="view-by").set_value(" ")
    bo.button(key="view-delete-1").click().run()
    assert "Not deleted: say who deletes the view" in read(bo)
    bo.text_input(key="view-by").set_value("bo")
    bo.button(key="view-delete-1").click().run()
    ana.button(key="view-delete-1").click().run()
    assert "Somebody has already deleted" in read(ana)


def test_a_read_only_page_opens_views_and_changes_none(
    store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fire(store, a_rule("a"), now())
    writing.save_view("mine", "q=nothing", "ana")
    monkeypatch.setenv("SENTINEL_VIEWER_READ_ONLY", "true")
    get_settings.cache_clear()
    app = blotter()
    keys = [button.key for button in app.button]
    assert "view-1" in keys
    assert not {"view-delete-1", "view-save"} & {*keys}
    with pytest.raises(NotAllowedError):
        writing.delete_view(1, "ana")


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
    assert "Nothing needs attention" in words(app)


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
    key = fire(store, a_rule(), now())
    app = blotter()
    with store.begin() as connection:
        connection.execute(text("ALTER TABLE alert_event RENAME TO elsewhere"))
    st.cache_data.clear()
    app.run()
    assert not app.exception
    assert "Events can't be shown" in words(app)
    assert "The table is of" in words(app)
    assert listed(app) == [key]
    assert "acknowledge" not in [button.key for button in app.button]


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
    assert ":blue-badge[due] **opened** · slack-incoming-webhook/ops" in shown
    who = next(table.value for table in app.dataframe if "Who" in table.value.columns)
    assert list(who["Comment"]) == ["cleaning up"]


def test_a_failed_check_has_a_page_without_a_chart(store: Engine) -> None:
    run = a_run(now(), "CRASHED", message="killed by signal 9")
    [key] = observe(store, a_rule(), run).opened
    app = blotter(event=str(key))
    assert "killed by signal 9" in app.code[0].value
    assert "check failed" in words(app)


# -- what became of messages -----------------------------------------------------------------

SOON = timedelta(seconds=2)  # when what a run found is on record
STEPS = [
    {"after_seconds": 3600, "channels": [ONCALL]},
    {
        "after_seconds": 7200,
        "channels": [{"channel": "email-server-credentials/mail", "to": ["head@example.com"]}],
    },
]


def test_the_next_step_of_an_escalation_is_named_until_somebody_takes_the_event(
    store: Engine,
) -> None:
    at = now() - MINUTE
    key = fire(store, telling("disk", "critical", escalation=STEPS), at)
    attempt(store, at + SOON)
    due = at + SOON + timedelta(hours=1)
    shown = read(blotter(event=str(key)))
    assert f"| Escalates | step 1 to {ONCALL} at {near(due)}, unless acknowledged |" in shown
    assert f":green-badge[sent] **opened** · {OPS}" in shown
    assert ":violet-badge[escalates] **step 1 of the escalation** · pager-duty" in shown
    assert "**step 2 of the escalation** · email-server-credentials/mail → head@ex" in shown
    acknowledge(store, [key], by="ann", now=now())
    shown = read(blotter(event=str(key)))
    assert "| Escalates |" not in shown
    assert "violet-badge" not in shown
    assert shown.count("acknowledged by ann at") == 2


def test_the_suggested_action_stands_with_the_message(store: Engine) -> None:
    rule = telling(suggestions={"refused": "Check the **gateway**."})
    key = fire(store, rule, now(), message="connection refused")
    [info] = blotter(event=str(key)).info
    assert info.value == r"**Next step:** Check the \*\*gateway\*\*\."
    other = fire(store, telling("other"), now(), message="connection refused")
    assert not blotter(event=str(other)).info


def test_messages_that_failed_are_said_on_the_blotter_and_open_an_event_of_its_own_rule(
    store: Engine,
) -> None:
    at = now() - 10 * MINUTE
    lost = fire(store, telling(notify={"high": [EVERYONE]}), at)
    refuse(store, at + SOON, channel=EVERYONE)
    record_failing_channels(store, Routes.model_validate({"high": [OPS]}), at + MINUTE)
    attempt(store, at + MINUTE)
    app = blotter()
    shown = read(app)
    assert f":red-badge[1 message not delivered] by {EVERYONE}" in shown
    assert GONE in shown
    assert f"`sentinel channels retry {EVERYONE}`" in shown
    assert "never evaluated: sentinel-notifications" not in shown
    [table] = app.dataframe
    said = dict(zip(table.value["Rule"], table.value["Status"], strict=True))
    assert said == {"sentinel-notifications": "open", "disk": "open, not delivered"}
    own, of_disk = listed(app)
    assert of_disk == lost
    assert list(table.value["Run"].isna()) == [True, False]
    assert listed(blotter(rule="sentinel-notifications", kind="failure")) == [own]
    whole = blotter(event=str(own))
    assert "sentinel channels retry" in whole.code[0].value
    assert "Sentinel says this itself" in words(whole)
    assert not [link for link in whole.get("link_button") if "Prefect" in str(link.proto.label)]
    assert list(blotter(event=str(lost)).get("link_button"))
    failed = read(blotter(event=str(lost)))
    assert ":red-badge[not delivered]" in failed
    assert f":red-badge[failed] **opened** · {EVERYONE}: for good: {GONE}" in failed


def test_an_open_storm_is_said_on_the_blotter_and_its_address_lists_its_events(
    store: Engine,
) -> None:
    at = now() - 10 * MINUTE
    stormy = {"high": [{"channel": OPS, "storm": {"events": 3, "window_seconds": 60}}]}
    outputs = [
        AlertOutput(triggered=True, ticker=f"T{n}", message="moved", timestamp=at) for n in range(5)
    ]
    keys = observe(store, telling(notify=stormy), a_run(at, name="Triggered"), outputs).opened
    fire(store, telling("other", notify={}), at)
    for _ in range(2):
        attempt(store, at + SOON)
    shown = read(blotter())
    assert f":orange-badge[storm] on {OPS} since {at + SOON:%H:%M:%S}: [5 events]" in shown
    assert "in one message" in shown
    asked: dict[str, Any] = {"view": "all", "range": "any", "storm": "1"}
    app = blotter(**asked)
    assert sorted(listed(app)) == sorted(keys)
    assert "5 events of any age, of storm 1" in words(app)
    assert not app.warning
    detail = read(blotter(event=str(keys[0])))
    assert ":gray-badge[in a storm] **opened**" in detail
    assert "[storm 1](./?view=all&range=any&storm=1)" in detail


def test_a_message_that_is_tried_again_says_how_often_and_when(store: Engine) -> None:
    at = now() - MINUTE
    key = fire(store, telling(), at)
    attempt(store, at + SOON, status="pending", error="500", again=timedelta(seconds=5))
    attempt(
        store,
        at + 10 * SOON,
        status="pending",
        error="no answer within 10 s",
        again=timedelta(hours=1),
        unknown=True,
    )
    due = at + 10 * SOON + timedelta(hours=1)
    assert (
        f":orange-badge[retrying] **opened** · {OPS}: tried twice, next at {near(due)}; "
        "last error: no answer within 10 s; arrival unknown once"
    ) in read(blotter(event=str(key)))


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
    whole = event_detail(store, key)
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
    whole = event_detail(store, key)
    assert whole is not None
    assert not whole.event["is_acknowledged"]


def test_without_authentication_nobody_is_signed_in(store: Engine) -> None:
    assert not Path(ROOT / ".streamlit" / "secrets.toml").exists()
    assert acknowledging.signed_in() is None
