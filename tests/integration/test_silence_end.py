"""The end of an event within a silence: what is sent, at real endpoints, is what is on record."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from sentinel_core.base.settings import Settings
from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.run import Rule
from sentinel_core.model.silence import Matchers, Silence
from sentinel_core.notify.deliver import deliver_due
from sentinel_core.store.record import silences
from tests.support.channels import as_provider, talking_to
from tests.support.endpoint import Endpoint, http_endpoint
from tests.support.faulty import incidents, incoming_webhook, providers_at
from tests.support.prefect import PrefectServer
from tests.support.recorded import a_run
from tests.support.runs import a_rule, rows, told

MUTED = "silenced by ana until "


@pytest.fixture
def collector(server: PrefectServer) -> Iterator[Endpoint]:
    with http_endpoint() as collector, talking_to(server.api_url):
        collector.reply, collector.answer = as_provider, 202  # which PagerDuty answers
        yield collector


def run(store: Engine, rule: Rule, *, triggered: bool) -> None:
    now = datetime.now(UTC)
    output = AlertOutput(triggered=triggered, ticker="AAPL", message="It is so.")
    told(store, rule, a_run(now, name="Triggered" if triggered else ""), [output], now)


def silence(store: Engine) -> None:
    now = datetime.now(UTC)
    mute = Silence(
        matchers=Matchers(rule="*"),
        starts_at=now - timedelta(seconds=1),
        ends_at=now + timedelta(hours=1),
        author="ana",
        comment="works",
    )
    silences.create(store, mute, now=now)


def ended(store: Engine, collector: Endpoint, *routes: Any) -> tuple[str | None, str, list[str]]:
    """A rule fires, is muted and recovers: the event's suppression, the decision, what was sent."""
    settings: Settings = providers_at(collector)
    rule = a_rule(notify={"high": list(routes)}, policy={"notify_resolved": True})
    run(store, rule, triggered=True)
    deliver_due(store, settings)
    collector.received.clear()
    silence(store)
    run(store, rule, triggered=False)
    deliver_due(store, settings)
    [event] = rows(store, "alert_event")
    assert event["resolution"] == "recovered"
    [decision] = [row["decision_reason"] for row in rows(store, "evaluation", decision="resolve")]
    sent = [request.path for request in collector.received]
    return event["suppressed"], decision, sent


def test_an_incident_is_closed_within_a_silence_and_the_record_says_so(
    store: Engine, collector: Endpoint
) -> None:
    suppressed, decision, sent = ended(store, collector, incidents())
    assert sent == ["/v2/enqueue"]
    assert collector.received[0].json["event_action"] == "resolve"
    assert suppressed is None
    assert "not told" not in decision
    assert f"sent to incidents and threads only: {MUTED}" in decision
    [end] = rows(store, "notification", reason="resolved")
    assert end["status"] == "sent"


def test_a_message_about_the_end_is_held_back_and_the_record_says_so(
    store: Engine, collector: Endpoint
) -> None:
    suppressed, decision, sent = ended(store, collector, incoming_webhook(collector.url))
    assert sent == []
    assert str(suppressed).startswith(MUTED)
    assert f"not told: {MUTED}" in decision
    [end] = rows(store, "notification", reason="resolved")
    assert (end["status"], end["last_error"]) == ("suppressed", suppressed)


def test_of_two_channels_each_is_on_record_as_it_was_done(
    store: Engine, collector: Endpoint
) -> None:
    service, webhook = incidents(), incoming_webhook(collector.url)
    suppressed, decision, sent = ended(store, collector, service, webhook)
    assert sent == ["/v2/enqueue"]
    assert suppressed is None
    assert "sent to incidents and threads only" in decision
    ends = rows(store, "notification", reason="resolved")
    status = {row["channel"]: row["status"] for row in ends}
    assert status == {service: "sent", webhook: "suppressed"}
