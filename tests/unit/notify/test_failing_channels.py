"""A channel that takes no messages is itself an event: named once, over when it works again.

The outcome of each attempt is given; who is told what of it is looked up in the outbox.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from sentinel_core.model.routing import Routes
from sentinel_core.notify.failing_channels import record_failing_channels
from sentinel_core.store.outbox.settle import retry_failed
from sentinel_core.store.record.resolve import resolve
from sentinel_core.store.state import system_rule
from tests.support.posted import deliver_at
from tests.support.runs import a_rule, a_run, fired, rows, told

BROKEN, WORKING = "slack-webhook/broken", "slack-webhook/working"
RULE = a_rule(notify={"high": [BROKEN]})
HEARD_BY = Routes.model_validate({"high": [WORKING, BROKEN]})
MINUTE = timedelta(minutes=1)
START = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)


def at(minute: float) -> datetime:
    return START + minute * MINUTE


def fail(engine: Engine, minute: float, ticker: str = "AAPL") -> None:
    """The channel refuses a message for good."""
    told(engine, RULE, a_run(minute), [fired(ticker)], now=at(minute))
    [_] = deliver_at(engine, at(minute), status="failed", error="404: no such hook.")


def own_events(engine: Engine) -> list[dict[str, object]]:
    return rows(engine, "alert_event", rule_name=system_rule.NAME)


def test_a_channel_that_failed_for_good_is_an_event_that_names_it_and_says_what_to_do(
    engine: Engine,
) -> None:
    fail(engine, 0)
    assert record_failing_channels(engine, HEARD_BY, at(1)) == [BROKEN]
    [event] = own_events(engine)
    assert (event["kind"], event["ticker"], event["importance"]) == ("failure", BROKEN, "high")
    assert event["message"] == (
        f"{BROKEN} does not take messages: 1 notification failed for good. 404: no such hook. "
        f"Once the channel is repaired: sentinel channels retry {BROKEN}"
    )


def test_whoever_hears_of_it_does_not_hear_by_the_channel_that_fails(engine: Engine) -> None:
    fail(engine, 0)
    record_failing_channels(engine, HEARD_BY, at(1))
    assert [message.channel for message in deliver_at(engine, at(1))] == ["working"]


def test_it_is_one_event_however_often_it_is_looked_at_and_however_much_fails(
    engine: Engine,
) -> None:
    fail(engine, 0)
    for minute in (1, 2, 3):
        record_failing_channels(engine, HEARD_BY, at(minute))
    assert len(deliver_at(engine, at(3))) == 1
    fail(engine, 4, "NVDA")
    record_failing_channels(engine, HEARD_BY, at(5))
    record_failing_channels(engine, HEARD_BY, at(6))
    [event] = own_events(engine)
    assert (event["occurrences"], event["resolved_at"]) == (2, None)
    assert "2 notifications failed" in str(event["message"])
    assert deliver_at(engine, at(6)) == [], "told once"


def test_it_is_over_when_the_channel_takes_a_message_and_those_who_heard_hear_that(
    engine: Engine,
) -> None:
    fail(engine, 0)
    record_failing_channels(engine, HEARD_BY, at(1))
    assert len(deliver_at(engine, at(1))) == 1
    told(engine, RULE, a_run(2), [fired("NVDA")], now=at(2))
    assert len(deliver_at(engine, at(2))) == 1
    assert record_failing_channels(engine, HEARD_BY, at(3)) == []
    [event] = own_events(engine)
    assert event["resolved_at"] == at(3)
    assert [(m.channel, m.reason) for m in deliver_at(engine, at(3))] == [("working", "resolved")]


def test_that_somebody_wants_it_tried_again_does_not_mean_that_it_works(engine: Engine) -> None:
    fail(engine, 0)
    record_failing_channels(engine, HEARD_BY, at(1))
    assert retry_failed(engine, BROKEN, at(0), at(2)) == 1
    assert record_failing_channels(engine, HEARD_BY, at(2)) == []
    [event] = own_events(engine)
    assert event["resolved_at"] is None
    assert "broken" in {message.channel for message in deliver_at(engine, at(2))}
    record_failing_channels(engine, HEARD_BY, at(3))
    [event] = own_events(engine)
    assert event["resolved_at"] == at(3)


def test_that_nothing_was_sent_for_a_week_does_not_mean_that_it_works(engine: Engine) -> None:
    fail(engine, 0)
    record_failing_channels(engine, HEARD_BY, at(1))
    record_failing_channels(engine, HEARD_BY, at(8 * 24 * 60))
    [event] = own_events(engine)
    assert event["resolved_at"] is None


def test_where_those_fail_who_should_hear_of_it_nothing_goes_round_in_circles(
    engine: Engine,
) -> None:
    fail(engine, 0)
    for minute in range(1, 12):
        record_failing_channels(engine, HEARD_BY, at(minute))
        deliver_at(engine, at(minute), status="failed", error="410: gone.")
    assert {event["ticker"] for event in own_events(engine)} == {BROKEN, WORKING}
    about_itself = [row for row in rows(engine, "notification") if row["event_id"] > 1]
    assert len(about_itself) == 1, "what failed was told once, and then there was nobody to tell"


def test_an_event_that_a_person_resolved_opens_again_with_the_next_failure_only(
    engine: Engine,
) -> None:
    fail(engine, 0)
    record_failing_channels(engine, Routes(), at(1))
    [event] = own_events(engine)
    resolve(engine, [event["id"]], by="ann", now=at(2))  # type: ignore[list-item]
    for minute in (3, 4):
        assert record_failing_channels(engine, Routes(), at(minute)) == [BROKEN]
    assert len(own_events(engine)) == 1
    fail(engine, 5, "IBM")
    record_failing_channels(engine, Routes(), at(6))
    assert len(own_events(engine)) == 2


def test_a_channel_that_works_is_no_event(engine: Engine) -> None:
    told(engine, RULE, a_run(0), [fired()], now=at(0))
    assert len(deliver_at(engine, at(0))) == 1
    assert record_failing_channels(engine, HEARD_BY, at(1)) == []
    assert own_events(engine) == []


def test_an_attempt_that_failed_before_the_channel_worked_is_no_event(engine: Engine) -> None:
    fail(engine, 0)
    told(engine, RULE, a_run(1), [fired("NVDA")], now=at(1))
    assert len(deliver_at(engine, at(1))) == 1
    assert record_failing_channels(engine, HEARD_BY, at(2)) == []
    assert own_events(engine) == []
