"""What the record says of the channels, on each kind of database."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Engine

from sentinel_core.model.rule import RuleSettings
from sentinel_core.model.run import Rule
from sentinel_core.store.outbox import storm_upkeep
from sentinel_core.store.outbox.channels import (
    ChannelState,
    FailingChannel,
    failed_since,
    failing_channels,
    sent_since,
    standing,
    states,
)
from sentinel_core.store.outbox.claim import claim
from sentinel_core.store.outbox.enqueue import FAILED, PENDING, SENT
from sentinel_core.store.outbox.settle import settle
from tests.support.recorded import NOON, a_rule, fire
from tests.support.runs import rows

OPS, LEAD = "slack-incoming-webhook/ops", "pager-duty-webhook/lead"


def a_told_rule(name: str = "disk") -> Rule:
    rule = a_rule(name)
    settings = RuleSettings.model_validate(
        {
            "importance": "high",
            "notify": {"high": [{"channel": OPS, "group_by": []}]},
            "escalation": [{"after_seconds": 600, "channels": [LEAD]}],
        }
    )
    return Rule(rule.deployment_id, name, name, settings)


def finish(engine: Engine, key: int, status: str, seconds: float, error: str | None = None) -> None:
    now = NOON + timedelta(seconds=seconds)
    owed = claim(engine, key, now)
    assert owed is not None
    settle(
        engine,
        owed.ids,
        status=status,
        error=error,
        now=now,
        next_attempt_at=now + timedelta(minutes=1),
    )


def test_a_store_without_messages_knows_no_channels(engine: Engine) -> None:
    assert states(engine) == {}


def test_what_was_sent_waits_and_failed_is_counted_by_channel(engine: Engine) -> None:
    rule = a_told_rule()
    for ticker in "abcde":
        fire(engine, rule, NOON, ticker=ticker)
    sent, failed, tried, *_ = (row["id"] for row in rows(engine, "notification", channel=OPS))
    finish(engine, sent, SENT, 10)
    finish(engine, failed, FAILED, 20, "gone")
    finish(engine, tried, PENDING, 30, "busy")
    found = states(engine)
    assert found[OPS] == ChannelState(
        OPS,
        sent=1,
        last_sent_at=NOON + timedelta(seconds=10),
        pending=3,
        failed=1,
        last_failed_at=NOON + timedelta(seconds=20),
        last_error="busy",
    )
    assert found[LEAD] == ChannelState(LEAD, steps=5)
    assert failed_since(engine, OPS, NOON) == [failed]
    assert failed_since(engine, OPS, NOON + timedelta(seconds=21)) == []
    assert standing(engine, [sent, failed, tried]) == {"sent": 1, "failed": 1, "pending": 1}
    assert standing(engine, []) == {}


def test_a_storm_is_known_until_it_ends(engine: Engine) -> None:
    rule = a_rule("disk", notify={"high": [{"channel": OPS, "storm": {"events": 2}}]})  # type: ignore[list-item]
    for ticker in "abc":
        fire(engine, rule, NOON, ticker=ticker)
    first = rows(engine, "notification", channel=OPS)[0]["id"]
    claim(engine, first, NOON + timedelta(seconds=9))
    assert states(engine)[OPS].storm_since == NOON + timedelta(seconds=9)
    later = NOON + timedelta(minutes=5)
    storm_upkeep.end_storms(engine, later)
    assert states(engine)[OPS].storm_since is None


def test_a_channel_has_sent_since_a_time_if_its_newest_message_is_no_older(engine: Engine) -> None:
    fire(engine, a_told_rule(), NOON)
    [key] = (row["id"] for row in rows(engine, "notification", channel=OPS))
    assert not sent_since(engine, OPS, NOON)
    finish(engine, key, SENT, 10)
    sent = NOON + timedelta(seconds=10)
    assert sent_since(engine, OPS, sent)
    assert not sent_since(engine, OPS, sent + timedelta(seconds=1))
    assert not sent_since(engine, LEAD, NOON)


def test_a_channel_that_fails_is_named_with_its_own_newest_error(engine: Engine) -> None:
    disk = a_told_rule()
    for ticker in "AB":
        fire(engine, disk, NOON, ticker=ticker)
    fire(engine, a_rule("load", notify={"high": [LEAD]}), NOON)
    first, second = (row["id"] for row in rows(engine, "notification", channel=OPS))
    [other] = (row["id"] for row in rows(engine, "notification", channel=LEAD, reason="opened"))
    finish(engine, first, FAILED, 5, "busy")
    finish(engine, second, FAILED, 10)
    finish(engine, other, FAILED, 10, "gone")
    failed = NOON + timedelta(seconds=10)
    lead = FailingChannel(LEAD, 1, failed, "gone")
    ops = FailingChannel(OPS, 1, failed, "no reason given")
    assert failing_channels(engine, failed + timedelta(seconds=1)) == []
    assert failing_channels(engine, failed) == [lead, ops]
    fire(engine, disk, NOON + timedelta(minutes=1), ticker="C")
    [*_, late] = (row["id"] for row in rows(engine, "notification", channel=OPS))
    finish(engine, late, SENT, 70)
    assert failing_channels(engine, NOON) == [lead, replace(ops, failed=2, recovered=True)]
