"""Whom nobody answers: steps of an escalation, and the acknowledgement that stops them."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from sentinel_core.base.settings import Settings
from sentinel_core.model.routing import Routes
from sentinel_core.model.silence import Matchers, Silence
from sentinel_core.notify.deliver import deliver_all
from sentinel_core.store.record import silences
from sentinel_core.store.record.acknowledge import acknowledge, unacknowledge
from tests.support.blotter import chromium, settled, viewer
from tests.support.channels import talking_to
from tests.support.clock import Clock, delivery_clock
from tests.support.endpoint import Endpoint, http_endpoint
from tests.support.faulty import incoming_webhook, notifications, owed
from tests.support.killed import deliverers
from tests.support.patience import patient
from tests.support.prefect import PrefectServer
from tests.support.processes import wait_for
from tests.support.runs import T0, a_rule, a_run, fired, quiet, rows, told

PEOPLE = ("team", "lead", "head", "chief")
NINE = T0  # when the run of minute 0 was due
SETTINGS = Settings(notify_timeout_seconds=10)


@pytest.fixture(autouse=True)
def _prefect(server: PrefectServer) -> Iterator[None]:
    with talking_to(server.api_url):
        yield


@dataclass
class Firm:
    """A team, who are told first, and those who are asked when nobody acknowledges.

    Each has a channel of their own: the name before the first slash of what is asked for.
    """

    engine: Engine
    endpoint: Endpoint
    channels: dict[str, str]

    @classmethod
    def of(cls, engine: Engine, endpoint: Endpoint) -> "Firm":
        channels = {name: incoming_webhook(f"{endpoint.url}/{name}") for name in PEOPLE}
        return cls(engine, endpoint, channels)

    def escalation(self, *after: float) -> list[dict[str, Any]]:
        """A step for each of the others, after so many seconds."""
        return [
            {"after_seconds": seconds, "channels": [self.channels[name]]}
            for name, seconds in zip(PEOPLE[1:], after, strict=True)
        ]

    def told(self) -> list[str]:
        """Who was told, in this order."""
        return [request.path.split("/")[1] for request in self.endpoint.received]

    def record(self) -> list[tuple[str, str, str | None]]:
        """What is on record of each message: reason, status, why."""
        return [(r["reason"], r["status"], r["last_error"]) for r in notifications(self.engine)]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with http_endpoint() as running:
        yield running


@pytest.fixture
def firm(engine: Engine, endpoint: Endpoint) -> Firm:
    return Firm.of(engine, endpoint)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return delivery_clock(monkeypatch, NINE)


@pytest.fixture
def rule(firm: Firm) -> Any:
    """Told to the team at once, to the others after 5, 15 and 60 minutes."""
    steps = firm.escalation(300, 900, 3600)
    return a_rule("disk-full", notify={"high": [firm.channels["team"]]}, escalation=steps)


def pass_until(firm: Firm, clock: Clock, minute: float) -> None:
    """The delivery runs each minute, as its schedule says."""
    while clock.moment < NINE + timedelta(minutes=minute):
        clock.moment += timedelta(minutes=1)
        deliver_all(firm.engine, SETTINGS, Routes())


@pytest.mark.slow("postgres")
def test_each_step_is_told_when_its_time_has_come_and_once(
    firm: Firm, rule: Any, clock: Clock
) -> None:
    told(firm.engine, rule, a_run(0), [fired()], clock.moment)
    deliver_all(firm.engine, SETTINGS, Routes())
    assert firm.told() == ["team"]
    for minute, asked in ((4, 1), (5, 2), (14, 2), (15, 3), (59, 3), (60, 4), (90, 4)):
        pass_until(firm, clock, minute)
        assert firm.told() == list(PEOPLE[:asked]), f"at minute {minute}"
    reasons = ["opened", "step-1", "step-2", "step-3"]
    assert firm.record() == [(reason, "sent", None) for reason in reasons]
    at = [(row["sent_at"] - NINE).total_seconds() / 60 for row in notifications(firm.engine)]
    assert at == [0, 5, 15, 60]
    body = firm.endpoint.received[2].body.decode()
    assert "disk-full" in body and "15 min" in body


@pytest.mark.slow("postgres")
def test_who_acknowledges_between_two_steps_stops_the_rest(
    firm: Firm, rule: Any, clock: Clock
) -> None:
    told(firm.engine, rule, a_run(0), [fired()], clock.moment)
    pass_until(firm, clock, 7)
    [event] = rows(firm.engine, "alert_event")
    acknowledge(firm.engine, [event["id"]], by="ana", now=clock.moment)
    pass_until(firm, clock, 90)
    assert firm.told() == ["team", "lead"]
    why = "acknowledged by ana at 2026-11-02 09:07 UTC"
    assert firm.record()[2:] == [("step-2", "suppressed", why), ("step-3", "suppressed", why)]


@pytest.mark.slow("postgres")
def test_what_is_over_escalates_no_further(firm: Firm, rule: Any, clock: Clock) -> None:
    told(firm.engine, rule, a_run(0), [fired()], clock.moment)
    pass_until(firm, clock, 7)
    told(firm.engine, rule, a_run(7), [quiet()], clock.moment)
    pass_until(firm, clock, 90)
    assert firm.told() == ["team", "lead"]
    assert {status for _, status, _ in firm.record()[2:]} == {"suppressed"}
    assert "resolved at" in str(firm.record()[2][2])


@pytest.mark.slow("postgres")
def test_a_step_that_comes_due_in_a_silence_waits_for_its_end(
    firm: Firm, rule: Any, clock: Clock
) -> None:
    told(firm.engine, rule, a_run(0), [fired()], clock.moment)
    deliver_all(firm.engine, SETTINGS, Routes())
    silence = Silence(
        matchers=Matchers(rule="disk-*"),
        starts_at=NINE,
        ends_at=NINE + timedelta(minutes=10),
        author="mira",
        comment="moving disks",
    )
    silences.create(firm.engine, silence, now=NINE)
    pass_until(firm, clock, 9)
    assert firm.told() == ["team"]
    assert "mira" in str(firm.record()[1][2])
    pass_until(firm, clock, 12)
    assert firm.told() == ["team", "lead"]


@pytest.mark.slow("postgres")
def test_an_acknowledgement_taken_back_begins_the_escalation_anew(firm: Firm, clock: Clock) -> None:
    team = {"channel": firm.channels["team"], "acknowledged": True}
    steps = firm.escalation(300, 900, 3600)
    rule = a_rule("disk-full", notify={"high": [team]}, escalation=steps)
    told(firm.engine, rule, a_run(0), [fired()], clock.moment)
    pass_until(firm, clock, 3)
    [event] = rows(firm.engine, "alert_event")
    acknowledge(firm.engine, [event["id"]], by="ana", now=clock.moment)
    pass_until(firm, clock, 10)
    assert firm.told() == ["team", "team"]
    unacknowledge(firm.engine, [event["id"]], by="ana", now=clock.moment)
    pass_until(firm, clock, 90)
    assert firm.told() == ["team", "team", "team", "lead", "head", "chief"]
    steps_at = [
        (row["sent_at"] - NINE).total_seconds() / 60
        for row in notifications(firm.engine)
        if row["reason"].startswith("step")
    ]
    assert steps_at == [15, 25, 70]


@pytest.mark.slow("postgres")
def test_a_step_whose_channel_is_away_is_tried_again_until_somebody_acknowledges(
    firm: Firm, rule: Any, clock: Clock
) -> None:
    told(firm.engine, rule, a_run(0), [fired()], clock.moment)
    pass_until(firm, clock, 4)
    firm.endpoint.answer = 500
    pass_until(firm, clock, 9)
    tries = len(firm.told()) - 1
    assert tries >= 2
    assert set(firm.told()[1:]) == {"lead"}
    [event] = rows(firm.engine, "alert_event")
    acknowledge(firm.engine, [event["id"]], by="ana", now=clock.moment)
    firm.endpoint.answer = 200
    pass_until(firm, clock, 30)
    assert len(firm.told()) - 1 == tries
    assert [status for _, status, _ in firm.record()] == ["sent"] + ["suppressed"] * 3


# -- in real time, with a real browser -------------------------------------------------------

STEPS = (3.0, patient(25), patient(26))  # seconds; somebody acknowledges after the first


@pytest.fixture
def database(store: Engine) -> tuple[str, Engine]:
    return store.url.render_as_string(), store


@pytest.fixture
def page(server: PrefectServer, database: tuple[str, Engine], tmp_path: Path) -> Iterator[Page]:
    """The blotter, in a browser."""
    env = {**server.env, "SENTINEL_DATABASE_URL": database[0], "SENTINEL_USER": "ana"}
    with viewer(env, tmp_path / "viewer.log") as address, chromium() as browser:
        opened = browser.new_page(viewport={"width": 1600, "height": 900})
        opened.set_default_timeout(patient(60_000))
        opened.goto(address)
        settled(opened)
        yield opened


@pytest.mark.slow
def test_acknowledged_in_the_browser_after_the_first_step_the_second_is_never_sent(
    server: PrefectServer,
    database: tuple[str, Engine],
    page: Page,
    endpoint: Endpoint,
    tmp_path: Path,
) -> None:
    url, engine = database
    firm = Firm.of(engine, endpoint)
    env = {**server.env, "SENTINEL_DATABASE_URL": url}
    with deliverers(env, str(tmp_path / "deliverer.log")) as several:
        deliverer = several.start()
        began = time.monotonic()
        owed(
            engine,
            firm.channels["team"],
            name="disk-full",
            escalation=firm.escalation(*STEPS),
        )
        wait_for(lambda: firm.told() == ["team", "lead"], what="the first step")
        assert time.monotonic() - began >= STEPS[0]
        acknowledge_first_row(page)
        [event] = rows(engine, "alert_event")
        assert event["acknowledged_by"] == "ana"
        assert time.monotonic() - began < STEPS[1], "too late: raise SENTINEL_TEST_PATIENCE"
        time.sleep(max(0, began + STEPS[2] + 1.5 - time.monotonic()))
        several.kill(deliverer)  # it was alive all the time
    assert firm.told() == ["team", "lead"]
    at = event["acknowledged_at"].strftime("%Y-%m-%d %H:%M:%S UTC")
    assert firm.record() == [
        ("opened", "sent", None),
        ("step-1", "sent", None),
        ("step-2", "suppressed", f"acknowledged by ana at {at}"),
        ("step-3", "suppressed", f"acknowledged by ana at {at}"),
    ]


def acknowledge_first_row(page: Page) -> None:
    """As ana does: select the row that has come, acknowledge, confirm."""
    grid = page.get_by_test_id("stDataFrame").first
    expect(grid.get_by_test_id("glide-cell-3-0")).to_have_text("disk-full")
    grid.click(position={"x": 16, "y": 36 + 14})
    expect(page.get_by_text("1 selected")).to_be_visible()
    page.get_by_role("button", name="Acknowledge").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Acknowledge").click()
    expect(dialog).to_be_hidden()
