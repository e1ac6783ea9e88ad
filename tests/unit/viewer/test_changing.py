"""What people do to events from a page, without a browser."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from sentinel_core.store.read.event_detail import event_detail
from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.record.annotate import assign
from sentinel_core.store.record.resolve import resolve
from tests.support.app_pages import RunPage, words
from tests.support.recorded import a_rule, fire
from viewer import changing, data, writing
from viewer.outcomes import sentence
from viewer.writing import Given


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def key(store: Engine) -> int:
    """An event that fires."""
    return fire(store, a_rule("disk"), now())


def event(store: Engine, key: int) -> dict[str, Any]:
    whole = event_detail(store, key)
    assert whole is not None
    return dict(whole.event)


def opened(page: RunPage, key: int, label: str) -> AppTest:
    """The page of an event with the dialog of this name open."""
    app = page("blotter", event=str(key))
    app.menu_button(key="more-actions").click(label).run()
    return app


def confirmed(app: AppTest, label: str, action: str, **fields: str) -> AppTest:
    """The dialog filled in, and its button pressed; opener and button belong to the same run."""
    for name, value in fields.items():
        app.text_input(key=f"{action}-{name}").set_value(value)
    app.menu_button(key="more-actions").click(label)
    app.button(key=f"{action}-confirm").click().run()
    assert not app.exception
    return app


def test_an_event_is_assigned_from_its_page(page: RunPage, store: Engine, key: int) -> None:
    app = opened(page, key, "Assign")
    assert app.button(key="assign-confirm").label == "Assign 1 event"
    confirmed(app, "Assign", "assign", to="bo", by="ana", comment="yours")
    assert (event(store, key)["assigned_to"], event(store, key)["comment"]) == ("bo", "yours")
    assert "Assigned 1 event." in words(app)


def test_an_event_is_resolved_and_unacknowledged_from_its_page(
    page: RunPage, store: Engine, key: int
) -> None:
    acknowledge(store, [key], by="bo", now=now())
    confirmed(opened(page, key, "Unacknowledge"), "Unacknowledge", "unacknowledge", by="ana")
    assert not event(store, key)["is_acknowledged"]
    confirmed(opened(page, key, "Resolve"), "Resolve", "resolve", by="ana")
    assert event(store, key)["resolution"] == "by-hand"


def test_an_event_is_rated_and_the_rating_taken_back(
    page: RunPage, store: Engine, key: int
) -> None:
    for chosen, stored in (("noise", "noise"), ("none", None)):
        app = opened(page, key, "Rate")
        app.button_group(key="rate-as").set_value(chosen)
        confirmed(app, "Rate", "rate", by="ana")
        assert event(store, key)["disposition"] == stored


@pytest.mark.parametrize(
    ("by", "comment", "refusal"),
    [("  ", "seen", "Say who comments"), ("ana", "  ", "Nothing was changed: the comment is emp")],
)
def test_a_comment_needs_a_name_and_a_text(
    page: RunPage, store: Engine, key: int, by: str, comment: str, refusal: str
) -> None:
    app = confirmed(opened(page, key, "Comment"), "Comment", "comment", by=by, comment=comment)
    assert refusal in words(app)
    assert event(store, key)["comment"] is None


def test_a_hostile_comment_is_text(page: RunPage, store: Engine, key: int) -> None:
    evil = "<script>x</script> :red[y] [z](javascript:0)"
    app = confirmed(opened(page, key, "Comment"), "Comment", "comment", by=evil, comment=evil)
    assert event(store, key)["comment"] == evil
    written = "\n".join(str(part.value) for part in app.markdown)
    assert ":red[y]" not in written
    assert "<script>" not in written


def test_the_second_who_acts_is_told_who_was_first(page: RunPage, store: Engine, key: int) -> None:
    app = opened(page, key, "Resolve")
    resolve(store, [key], by="Bo", now=now())
    confirmed(app, "Resolve", "resolve", by="ana")
    assert "1 event has already been resolved by Bo." in words(app)


def test_an_assignment_that_was_not_seen_is_not_overwritten(
    page: RunPage, store: Engine, key: int
) -> None:
    assign(store, [key], by="Bo", to="Cy", now=now())
    outcome = writing.change_events("assign", {key: None}, Given("ana", to="ana"))
    assert event(store, key)["assigned_to"] == "Cy"
    assert sentence("assign", outcome).endswith("has already been assigned by Bo, which stays.")


def test_an_acknowledgement_is_undone_and_the_undoing_is_on_record(
    page: RunPage, store: Engine, key: int
) -> None:
    app = page("blotter", event=str(key))
    app.button(key="acknowledge").click().run()
    app.text_input(key="acknowledge-by").set_value("ana")
    app.button(key="acknowledge").click()
    app.button(key="acknowledge-confirm").click().run()
    assert event(store, key)["acknowledged_by"] == "ana"
    app.button(key="undo").click().run()
    assert "Took it back for 1 event." in words(app)
    assert not event(store, key)["is_acknowledged"]


def test_a_snooze_has_an_end_and_one_without_a_time_is_refused(
    page: RunPage, store: Engine, key: int
) -> None:
    app = page("blotter", event=str(key))
    for chosen, snoozed in (("until a time", False), ("4 h", True)):
        app.button(key="snooze").click().run()
        app.button_group(key="snooze-for").set_value(chosen)
        app.button(key="snooze").click()
        app.button(key="snooze-confirm").click().run()
        assert not app.exception
        assert event(store, key)["is_acknowledged"] == snoozed
        assert ("say until when" in words(app)) is not snoozed
    length = event(store, key)["acknowledged_until"] - event(store, key)["acknowledged_at"]
    assert length.total_seconds() == pytest.approx(4 * 3600, abs=60)


def test_a_snooze_until_a_value_shows_the_value_and_refuses_one_that_is_crossed(
    page: RunPage, store: Engine
) -> None:
    more = {"metrics": {"value": 91.5}, "metadata": {"unit": "%"}}
    key = fire(store, a_rule("logs"), now(), **more)
    app = page("blotter", event=str(key))
    for typed, refusal in (
        (None, "say the value"),
        (90.0, "the value 91.5 is above 90 already"),
        (95.0, ""),
    ):
        app.button(key="snooze").click().run()
        app.button_group(key="snooze-for").set_value("until a value")
        app.button(key="snooze").click().run()
        assert "The value is 91.5% now." in words(app)
        app.number_input(key="snooze-value").set_value(typed)
        app.button(key="snooze").click()
        app.button(key="snooze-confirm").click().run()
        assert not app.exception
        assert event(store, key)["is_acknowledged"] is not bool(refusal), typed
        assert refusal in words(app)
    assert event(store, key)["acknowledged_above"] == 95
    app = page("blotter", event=str(key))
    assert "until the value is above 95" in words(app)


def test_a_snooze_until_a_value_of_an_event_without_one_is_refused(
    page: RunPage, store: Engine, key: int
) -> None:
    app = page("blotter", event=str(key))
    app.button(key="snooze").click().run()
    app.button_group(key="snooze-for").set_value("until a value")
    app.button(key="snooze").click().run()
    app.button_group(key="snooze-side").set_value("below")
    app.number_input(key="snooze-value").set_value(5.0)
    app.button(key="snooze").click()
    app.button(key="snooze-confirm").click().run()
    assert f"Nothing was changed: event {key} has no value" in words(app)
    assert not event(store, key)["is_acknowledged"]


def test_all_that_match_are_changed_in_parts_and_others_are_not(
    page: RunPage, store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changing, "STEP", 2)
    rule = a_rule("price", "high", "Market")
    start = now()
    made = [fire(store, rule, start, ticker=f"T{n}") for n in range(5)]
    other = fire(store, a_rule("disk"), start)
    acknowledge(store, made[:1], by="Bo", now=now())
    app = page("blotter", category="Market", view="all")
    app.menu_button(key="all-actions").click("Acknowledge").run()
    assert "All 5 events that match the filters now." in words(app)
    assert app.button(key="acknowledge-confirm").label == "Acknowledge 5 events"
    app.text_input(key="acknowledge-by").set_value("ana")
    app.menu_button(key="all-actions").click("Acknowledge")
    app.button(key="acknowledge-confirm").click().run()
    told = "Acknowledged 4 events. 1 event has already been acknowledged by Bo."
    assert told in words(app)
    assert not event(store, other)["is_acknowledged"]
    assert [event(store, key)["acknowledged_by"] for key in made] == ["Bo", *["ana"] * 4]
    app.button(key="undo").click().run()
    assert "Took it back for 4 events." in words(app)
    assert event(store, made[0])["is_acknowledged"]


def test_what_is_too_late_to_undo_stays(page: RunPage, store: Engine, key: int) -> None:
    app = page("blotter", event=str(key))
    app.button(key="acknowledge").click().run()
    app.text_input(key="acknowledge-by").set_value("ana")
    app.button(key="acknowledge").click()
    app.button(key="acknowledge-confirm").click().run()
    with pytest.MonkeyPatch.context() as later:
        later.setattr(data, "now", lambda: now() + timedelta(seconds=30))
        app.button(key="undo").click().run()
    assert "Too late to undo this." in words(app)
    assert event(store, key)["is_acknowledged"]
