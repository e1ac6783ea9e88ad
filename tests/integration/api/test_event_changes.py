"""Events changed over HTTP, by hostile senders too: as everywhere else, and signed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from sentinel_core.store.read.event_detail import event_detail
from sentinel_core.store.record.acknowledge import acknowledge
from tests.support.deployed import rows
from tests.support.recorded import NOON, a_rule, fire

SIGNED = "operate (API token)"


@pytest.fixture
def operator(http: httpx.Client, bearer: Callable[[str], dict[str, str]]) -> httpx.Client:
    http.headers.update(bearer("operate"))
    return http


def audit(store: Engine) -> list[tuple[Any, ...]]:
    found = rows(
        store, "SELECT actor, action, event_id FROM audit_entry WHERE action <> 'token-created'"
    )
    return [tuple(row.values()) for row in found]


def test_an_event_is_handled_over_http(operator: httpx.Client, store: Engine) -> None:
    event = fire(store, a_rule(), NOON)
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = {"comment": "on it", "until": until}
    done = operator.post(f"/events/{event}/acknowledge", json=body)
    assert (done.status_code, done.json()) == (200, {"event": event, "changed": True})
    again = operator.post(f"/events/{event}/acknowledge").json()
    assert (again["changed"], again["by"]) == (False, SIGNED)
    for step in ("unacknowledge", "resolve"):
        assert operator.post(f"/events/{event}/{step}").json()["changed"], step
        assert not operator.post(f"/events/{event}/{step}", json={}).json()["changed"], step
    said = {"comment": "<b>it\u202e was</b> the disk"}
    assert operator.post(f"/events/{event}/comment", json=said).json()["changed"]
    steps = ("acknowledged", "unacknowledged", "resolved", "commented")
    assert audit(store) == [(SIGNED, step, event) for step in steps]
    detail = event_detail(store, event)
    assert detail is not None
    assert detail.event["comment"] == "<b>it\ufffd was</b> the disk"
    assert detail.event["resolved_at"] is not None


def test_an_event_is_acknowledged_until_a_value_over_http(
    operator: httpx.Client, store: Engine
) -> None:
    event = fire(store, a_rule(), NOON, metrics={"value": 91.0})
    refused = operator.post(f"/events/{event}/acknowledge", json={"above": 90})
    assert refused.status_code == 422
    said = refused.json()["error"]["sentence"]
    assert said == f"of event {event}, the value 91 is above 90 already"
    done = operator.post(f"/events/{event}/acknowledge", json={"above": 95, "below": 12.5})
    assert (done.status_code, done.json()["changed"]) == (200, True)
    detail = event_detail(store, event)
    assert detail is not None
    assert (detail.event["acknowledged_above"], detail.event["acknowledged_below"]) == (95, 12.5)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_a_limit_that_is_no_finite_number_is_refused(
    operator: httpx.Client, store: Engine, number: bytes
) -> None:
    event = fire(store, a_rule(), NOON, metrics={"value": 91.0})
    json = {"Content-Type": "application/json"}
    body = b'{"above": ' + number + b"}"
    answer = operator.post(f"/events/{event}/acknowledge", content=body, headers=json)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["error"]["sentence"]
    assert audit(store) == []


def test_somebody_elses_acknowledgement_stays_theirs(operator: httpx.Client, store: Engine) -> None:
    event = fire(store, a_rule(), NOON)
    acknowledge(store, [event], by="ana", now=NOON)
    told = operator.post(f"/events/{event}/acknowledge", json={"comment": "mine"}).json()
    assert (told["changed"], told["by"]) == (False, "ana")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("999/acknowledge", None, 404),
        ("999/resolve", {}, 404),
        ("999/comment", {"comment": "x"}, 404),
        (f"{2**63 - 1}/unacknowledge", None, 404),
        (f"{2**63}/acknowledge", None, 422),
        ("0/acknowledge", None, 422),
        ("-1/acknowledge", None, 422),
        ("1e1/acknowledge", None, 422),
        ("1_0/acknowledge", None, 422),
        ("%201/acknowledge", None, 422),
        ("\u0661/acknowledge", None, 422),
        ("1%20OR%201=1/acknowledge", None, 422),
        ("1%00/acknowledge", None, 422),
        ("1/../2/acknowledge", None, 404),
        ("1%2F..%2F2/acknowledge", None, 404),
        ("1/acknowledge/", None, 404),
        ("1/delete", None, 404),
        ("1/acknowledge", {"by": "ana"}, 422),
        ("1/acknowledge", {"until": "2020-01-01T00:00:00Z"}, 422),
        ("1/acknowledge", {"until": "2040-01-01T00:00:00"}, 422),
        ("1/acknowledge", {"until": "1e400"}, 422),
        ("1/acknowledge", {"above": "95"}, 422),
        ("1/acknowledge", {"above": True}, 422),
        ("1/acknowledge", {"below": [1]}, 422),
        ("1/acknowledge", {"above": 95}, 422),  # the event has no value
        ("1/acknowledge", {"comment": "a\x00b"}, 422),
        ("1/acknowledge", {"comment": "x" * 2_001}, 422),
        ("1/acknowledge", {"comment": ["x"]}, 422),
        ("1/acknowledge", ["x"], 422),
        ("1/comment", None, 422),
        ("1/comment", {}, 422),
        ("1/comment", {"comment": " "}, 422),
    ],
)
def test_wrong_requests_change_nothing(
    operator: httpx.Client, store: Engine, path: str, body: Any, status: int
) -> None:
    event = fire(store, a_rule(), NOON)
    assert event == 1
    target = f"{operator.base_url}/events/".replace("//events", "/events") + path
    answer = operator.post(httpx.URL(target), json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["sentence"]
    assert audit(store) == []


@pytest.mark.parametrize(
    "content",
    [b"{", b'{"comment": NaN}', b"[" * 20_000, b"\xff", b'{"comment": "\xff"}', b"null x"],
)
def test_what_is_no_json_is_refused(operator: httpx.Client, store: Engine, content: bytes) -> None:
    event = fire(store, a_rule(), NOON)
    json = {"Content-Type": "application/json"}
    answer = operator.post(f"/events/{event}/comment", content=content, headers=json)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["error"]["sentence"]
    form = operator.post(f"/events/{event}/comment", data={"comment": "x"})
    assert form.status_code == 422
    assert audit(store) == []


def test_the_audit_can_not_be_written_under_another_name(
    operator: httpx.Client, store: Engine
) -> None:
    event = fire(store, a_rule(), NOON)
    forged = operator.post(
        f"/events/{event}/resolve?by=ana", headers={"X-Forwarded-User": "ana", "From": "ana"}
    )
    assert forged.status_code == 200
    assert audit(store) == [(SIGNED, "resolved", event)]
