"""The blotter in a real browser, over a real store: what is selected is what is acknowledged."""

import csv
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from sentinel_core.model.alert import AlertOutput
from sentinel_core.model.routing import Routes
from sentinel_core.model.silence import Matchers, Silence
from sentinel_core.notify.failing_channels import record_failing_channels
from sentinel_core.store.outbox.settle import retry_failed
from sentinel_core.store.read import event_list
from sentinel_core.store.read.event_detail import event_detail
from sentinel_core.store.read.filters import EventFilter, Status
from sentinel_core.store.record import silences
from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.record.annotate import assign, disposition
from sentinel_core.store.record.resolve import resolve
from tests.support.blotter import ROW, chromium, select, settled, viewer
from tests.support.delivered import EVERYONE, GONE, ONCALL, OPS, attempt, refuse, telling
from tests.support.patience import patient
from tests.support.prefect import clean_environment
from tests.support.processes import wait_for
from tests.support.recorded import a_rule, a_run, calm, fire, observe

HOSTILE = (
    "=HYPERLINK(1) <!channel> <script>window.hurt=1</script><img src=x onerror=window.hurt=1> "
    "**bold** [link](javascript:window.hurt=1) `code` :red[x] $x^2$ \x1b[31m\x00 "
) + "long " * 4_000


@dataclass(frozen=True)
class Blotter:
    """A running viewer and the store behind it."""

    url: str
    engine: Engine
    browser: Browser

    @contextmanager
    def page(self, path: str = "", **context: Any) -> Iterator[Page]:
        opened = self.browser.new_context(
            viewport={"width": 1600, "height": 900}, timezone_id="Asia/Kolkata", **context
        )
        page = opened.new_page()
        page.set_default_timeout(patient(60_000))
        page.goto(f"{self.url}/{path}")
        settled(page)
        yield page
        opened.close()

    def acknowledged(self) -> list[int]:
        rows = event_list.page(
            self.engine, EventFilter(status=frozenset({Status.ACKNOWLEDGED})), now=now(), size=100
        ).rows
        return sorted(row["id"] for row in rows)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def blotter(tmp_path: Path, browser: Browser, store: Engine) -> Iterator[Blotter]:
    """With a viewer of its own for each test: it keeps for a while what it has read."""
    url = store.url.render_as_string()
    env = {**clean_environment(tmp_path), "SENTINEL_DATABASE_URL": url, "SENTINEL_USER": "ana"}
    with viewer(env, tmp_path / "viewer.log") as address:
        yield Blotter(address, store, browser)
    log = (tmp_path / "viewer.log").read_text()
    assert "Traceback" not in log, log


def cell(page: Page, row: int, column: int) -> str:
    """The text of a cell of the events table (0 is the selection column)."""
    found = page.get_by_test_id("stDataFrame").first.get_by_test_id(f"glide-cell-{column}-{row}")
    return found.text_content() or ""


def shown_ids(page: Page, count: int) -> list[int]:
    return [int(cell(page, row, 11).rpartition("=")[2]) for row in range(count)]


def click(page: Page, row: int) -> None:
    """Click a row as people do: again, if the rows changed at that very moment and dropped it."""
    chosen = page.get_by_text("1 selected")
    for _ in range(3):
        page.get_by_test_id("stDataFrame").first.click(
            position={"x": 16, "y": 36 + ROW * (row + 0.5)}
        )
        with suppress(AssertionError):
            expect(chosen).to_be_visible(timeout=patient(10_000))
            return
    expect(chosen).to_be_visible()


def confirm(page: Page, name: str | None = None, comment: str = "") -> None:
    dialog = page.get_by_role("dialog")
    if name is not None:
        dialog.get_by_label("Your name").fill(name)
    if comment:
        dialog.get_by_label("Comment").fill(comment)
    dialog.get_by_role("button", name="Acknowledge").click()
    expect(dialog).to_be_hidden()


def several(blotter: Blotter, count: int, importance: str = "high") -> list[int]:
    """`count` events, the newest first."""
    start = now() - timedelta(minutes=count)
    made = [
        fire(
            blotter.engine,
            a_rule(f"rule-{n}-{uuid4().hex[:6]}", importance),
            start + n * timedelta(minutes=1),
            ticker=f"T{n}",
            message=f"Reading {n}",
        )
        for n in range(count)
    ]
    return made[::-1]


def mute(engine: Engine, rule: str, comment: str) -> None:
    """A silence of ana's for the next hours, which also covers the last ones."""
    silence = Silence(
        matchers=Matchers(rule=rule),
        starts_at=now() - timedelta(hours=3),
        ends_at=now() + timedelta(hours=3),
        author="ana",
        comment=comment,
    )
    silences.create(engine, silence, now=now())


def eventually(condition: Callable[[], object], what: str) -> None:
    wait_for(condition, what=what)


@pytest.mark.slow
def test_events_that_arrive_meanwhile_never_shift_what_is_acknowledged(blotter: Blotter) -> None:
    made = several(blotter, 6)
    with blotter.page() as page:
        assert shown_ids(page, 6) == made
        select(page, 1, 3)
        several(blotter, 3, "critical")
        expect(page.get_by_text("paused, 3 newer events")).to_be_visible()
        page.get_by_role("button", name="Acknowledge").click()
        dialog = page.get_by_role("dialog")
        listed = dialog.get_by_test_id("stDataFrame")
        expect(listed.get_by_test_id("glide-cell-0-0")).to_have_text(str(made[1]))
        expect(listed.get_by_test_id("glide-cell-0-1")).to_have_text(str(made[3]))
        several(blotter, 4, "critical")
        time.sleep(6)  # the page refreshes at least once while the dialog is open
        expect(dialog).to_be_visible()
        confirm(page, comment="on it")
        expect(page.get_by_text("Acknowledged 2 events.")).to_be_visible()
        assert blotter.acknowledged() == sorted([made[1], made[3]])
        eventually(lambda: made[1] not in shown_ids(page, 9), "the rows to leave the live list")
    whole = event_detail(blotter.engine, made[3])
    assert whole is not None
    assert (whole.event["acknowledged_by"], whole.event["comment"]) == ("ana", "on it")


def test_rows_that_arrive_between_looking_and_clicking_do_not_shift_the_click(
    blotter: Blotter,
) -> None:
    made = several(blotter, 5)
    with blotter.page() as page:
        assert shown_ids(page, 5) == made
        for turn in range(3):
            several(blotter, 1, "critical")  # arrives at some point of the refresh
            click(page, 2)
            marked = shown_ids(page, 5)[2]  # the rows stay where they are from now on
            several(blotter, 1, "critical")
            page.get_by_role("button", name="Acknowledge").click()
            listed = page.get_by_role("dialog").get_by_test_id("stDataFrame")
            expect(listed.get_by_test_id("glide-cell-0-0")).to_have_text(str(marked))
            confirm(page)
            expect(page.get_by_text("Acknowledged 1 event.")).to_be_visible()
            assert marked in blotter.acknowledged()
            assert len(blotter.acknowledged()) == turn + 1
            settled(page)


@pytest.mark.slow
def test_a_table_sorted_in_the_browser_still_acknowledges_the_row_that_was_clicked(
    blotter: Blotter,
) -> None:
    made = several(blotter, 4)
    with blotter.page() as page:
        grid = page.get_by_test_id("stDataFrame").first
        grid.click(position={"x": 80, "y": 16})  # the header of Time: oldest first
        eventually(lambda: shown_ids(page, 4) == made[::-1], "the browser to sort the rows")
        select(page, 0)
        page.get_by_role("button", name="Acknowledge").click()
        confirm(page)
        expect(page.get_by_text("Acknowledged 1 event.")).to_be_visible()
        assert blotter.acknowledged() == [made[3]]


def test_two_people_acknowledge_the_same_event_and_both_are_told(blotter: Blotter) -> None:
    made = several(blotter, 3)
    with blotter.page() as ana, blotter.page() as bo:
        for page, rows in ((ana, (0, 1)), (bo, (1, 2))):
            select(page, *rows)
            page.get_by_role("button", name="Acknowledge").click()
        confirm(ana, "Ana")
        expect(ana.get_by_text("Acknowledged 2 events.")).to_be_visible()
        confirm(bo, "Bo")
        told = "Acknowledged 1 event. 1 event has already been acknowledged by Ana."
        expect(bo.get_by_text(told)).to_be_visible()
    assert blotter.acknowledged() == sorted(made)
    whole = event_detail(blotter.engine, made[1])
    assert whole is not None
    assert whole.event["acknowledged_by"] == "Ana"
    assert [row["actor"] for row in whole.audit] == ["Ana"]


def test_a_hostile_event_is_harmless_wherever_it_is_shown(blotter: Blotter, tmp_path: Path) -> None:
    rule = a_rule("<b>rule</b>", "critical", "**cat**", runbook="javascript:window.hurt=1")
    key = fire(
        blotter.engine,
        rule,
        now(),
        ticker="=1+1 <img src=x onerror=window.hurt=1>",
        message=HOSTILE,
        metadata={"<script>window.hurt=1</script>": ["<img src=x onerror=window.hurt=1>"]},
        metrics={"value": 1e308, "threshold": -1e308, "<i>": 0.0},
    )
    dialogs: list[str] = []
    with blotter.page() as page:
        page.on("dialog", lambda box: dialogs.append(box.message))
        assert shown_ids(page, 1) == [key]
        assert cell(page, 0, 5).startswith("=HYPERLINK(1) <!channel> <script>")
        with page.expect_download() as caught:
            page.get_by_role("button", name="CSV", exact=True).click()
        caught.value.save_as(tmp_path / "events.csv")
        with page.expect_download() as caught:
            page.get_by_role("button", name="Parquet", exact=True).click()
        caught.value.save_as(tmp_path / "events.parquet")
        select(page, 0)
        page.get_by_role("button", name="Acknowledge").click()
        listed = page.get_by_role("dialog").get_by_test_id("stDataFrame")
        expect(listed.get_by_test_id("glide-cell-0-0")).to_have_text(str(key))
        confirm(page, "<b>Eve</b> :red[x]", comment="<img src=x onerror=window.hurt=1>")
        expect(page.get_by_text("Acknowledged 1 event.")).to_be_visible()
        assert page.evaluate("window.hurt") is None
        page.goto(f"{blotter.url}/?event={key}")
        settled(page)
        for text in ("<!channel> <script>", "<b>rule</b>", "<b>Eve</b>"):
            expect(page.get_by_text(text).locator("visible=true").first).to_be_visible()
        assert page.evaluate("window.hurt") is None
        assert page.locator('a[href^="javascript"]').count() == 0
        assert page.locator("img[src=x], .stMarkdown b").count() == 0
    assert dialogs == []
    with (tmp_path / "events.csv").open(encoding="utf-8-sig", newline="") as file:
        [row] = csv.DictReader(file)
    assert row["message"].startswith("'=HYPERLINK(1)")
    assert pd.read_parquet(tmp_path / "events.parquet")["message"][0].startswith("=HYPERLINK(1)")
    assert row["ticker"].startswith("'=1+1")
    assert "\x1b" not in row["message"]


def test_filters_live_in_the_address_and_survive_a_reload(blotter: Blotter) -> None:
    price = fire(blotter.engine, a_rule("price", "high", "Market"), now(), ticker="AAPL")
    disk = fire(blotter.engine, a_rule("disk", "low"), now() - timedelta(minutes=1))
    with blotter.page() as page:
        assert shown_ids(page, 2) == [price, disk]
        page.get_by_text("market", exact=True).click()
        expect(page.get_by_text("1 unacknowledged, times in")).to_be_visible()
        assert shown_ids(page, 1) == [price]
        assert "quick=market" in page.url
        page.reload()
        settled(page)
        expect(page.get_by_text("1 unacknowledged, times in")).to_be_visible()
        assert shown_ids(page, 1) == [price]
    with blotter.page("?importance=low&view=all") as page:
        expect(page.get_by_text("1 event of the last 24 hours")).to_be_visible()
        assert shown_ids(page, 1) == [disk]


def test_an_event_appears_without_anybody_touching_the_page(blotter: Blotter) -> None:
    rule = a_rule("disk", "critical")
    fire(blotter.engine, a_rule("first"), now() - timedelta(minutes=1))
    with blotter.page() as page:
        key = fire(blotter.engine, rule, now())
        eventually(lambda: shown_ids(page, 1) == [key], "the new event on the page")
        calm(blotter.engine, rule, now() + timedelta(seconds=30))
        eventually(lambda: cell(page, 0, 7) == "resolved", "the event to be shown as resolved")
        gone = a_rule("gone", "medium")
        left = fire(blotter.engine, gone, now() - timedelta(minutes=2))
        listed = page.get_by_text(f"?event={left}", exact=True)
        expect(listed).to_have_count(1)
        calm(blotter.engine, gone, now() - timedelta(seconds=50))
        expect(listed).to_have_count(0)


@pytest.mark.slow
def test_paging_goes_to_older_events_and_back(blotter: Blotter) -> None:
    made = several(blotter, 45)
    with blotter.page("?size=20") as page:
        assert shown_ids(page, 1) == made[:1]
        page.get_by_role("button", name="Older").click()
        expect(page.get_by_text("page 2")).to_be_visible()
        eventually(lambda: shown_ids(page, 1) == made[20:21], "the second page")
        page.get_by_role("button", name="Older").click()
        expect(page.get_by_text("page 3")).to_be_visible()
        expect(page.get_by_role("button", name="Older")).to_be_disabled()
        page.get_by_role("button", name="Newest").click()
        eventually(lambda: shown_ids(page, 1) == made[:1], "the first page")


def test_what_news_push_off_the_page_is_on_the_next_one(blotter: Blotter) -> None:
    """News draw the table alone: the buttons below it must neither be of before nor lead there."""
    made = several(blotter, 20)
    with blotter.page("?size=20") as page:
        older = page.get_by_role("button", name="Older")
        expect(older).to_be_disabled()
        for n in (1, 2):
            fire(blotter.engine, a_rule(f"newer-{n}", "high"), now())
            expect(page.get_by_text(f"{20 + n} unacknowledged, times in")).to_be_visible()
        expect(older).to_be_enabled()
        older.click()
        expect(page.get_by_text("page 2")).to_be_visible()
        eventually(lambda: shown_ids(page, 2) == made[-2:], "both on the second page")


def test_selecting_a_row_does_not_move_the_rows(blotter: Blotter) -> None:
    several(blotter, 5)
    with blotter.page() as page:
        grid = page.get_by_test_id("stDataFrame").first
        before = grid.bounding_box()
        select(page, 2)
        assert grid.bounding_box() == before
        page.get_by_role("button", name="Clear selection").click()
        expect(page.get_by_text("5 unacknowledged, times in")).to_be_visible()
        assert blotter.acknowledged() == []


@pytest.mark.slow
def test_tables_offer_no_csv_of_their_own(blotter: Blotter) -> None:
    several(blotter, 1)
    with blotter.page() as page:
        page.get_by_test_id("stDataFrame").first.hover()
        expect(page.get_by_role("button", name="CSV")).to_have_count(1)


@pytest.mark.slow
def test_the_page_of_a_muted_event_says_why_nobody_was_told_and_what_became_of_it(
    blotter: Blotter,
) -> None:
    rule = a_rule("disk", notify={"high": ["slack-incoming-webhook/ops"]})
    at = now() - timedelta(minutes=30)
    mute(blotter.engine, "disk", "moving logs <b>now</b>")
    key = fire(blotter.engine, rule, at, message="Disk is full")
    acknowledge(blotter.engine, [key], by="ana", until=now() + timedelta(hours=2), now=now())
    assign(blotter.engine, [key], by="ana", to="bo", now=now())
    disposition(blotter.engine, [key], by="bo", disposition="noise", now=now())
    resolve(blotter.engine, [key], by="bo", comment="disk replaced", now=now())
    with blotter.page(f"?event={key}") as page:
        facts = page.locator("table", has_text="Occurrences")
        for name, value in (
            ("Muted", "silenced by ana until"),
            ("Muted", "moving logs <b>now</b>"),
            ("Resolved", "by hand"),
            ("Acknowledged", "until"),
            ("Assigned to", "bo"),
            ("Disposition", "noise"),
            ("Comment", "disk replaced"),
        ):
            row = facts.locator("tr", has_text=name).filter(has_text=value)
            expect(row).to_have_count(1)
        told = page.locator("table", has_text="slack-incoming-webhook/ops")
        expect(told.locator("tr", has_text="opened")).to_contain_text("not sent")
        expect(told.locator("tr", has_text="opened")).to_contain_text("silenced by ana until")
        for badge in ("muted", "resolved", "noise"):
            expect(page.get_by_text(badge, exact=True).first).to_be_visible()


@pytest.mark.slow
def test_series_without_a_verdict_are_named_in_words_and_skipped_is_no_kind_to_choose(
    blotter: Blotter,
) -> None:
    rule = a_rule("quotes")
    outputs = [
        AlertOutput(triggered=False, problem=problem, ticker=problem, timestamp=now())
        for problem in ("error", "no_data")
    ]
    first, second = observe(blotter.engine, rule, a_run(now()), outputs).opened
    for key, words in ((first, "not judged"), (second, "no data")):
        with blotter.page(f"?event={key}") as page:
            expect(page.get_by_text(words, exact=True)).to_be_visible()
    with blotter.page("?kind=no_data") as page:
        assert shown_ids(page, 1) == [second]
    with blotter.page("?kind=skipped") as page:
        expect(page.get_by_text("“skipped” is not understood")).to_be_visible()


@pytest.mark.slow
def test_the_list_marks_events_nobody_was_told_of(blotter: Blotter) -> None:
    mute(blotter.engine, "disk", "moving logs")
    fire(blotter.engine, a_rule("price"), now() - timedelta(minutes=2))
    fire(blotter.engine, a_rule("disk"), now() - timedelta(minutes=1))
    with blotter.page() as page:
        assert [cell(page, row, 7) for row in (0, 1)] == ["open, muted", "open"]


@pytest.mark.slow
def test_a_channel_that_fails_is_seen_without_opening_anything_and_gone_once_tried_again(
    blotter: Blotter,
) -> None:
    at = now() - timedelta(minutes=5)
    fire(blotter.engine, telling("disk", notify={"high": [EVERYONE]}), at)
    refuse(blotter.engine, at + timedelta(seconds=2), channel=EVERYONE)
    notify = Routes.model_validate({"high": [OPS]})
    record_failing_channels(blotter.engine, notify, at + timedelta(seconds=10))
    attempt(blotter.engine, at + timedelta(seconds=10))
    with blotter.page() as page:
        expect(page.get_by_text("1 message not delivered")).to_be_visible()
        expect(page.get_by_text(f"sentinel channels retry {EVERYONE}", exact=True)).to_be_visible()
        assert [cell(page, row, 3) for row in (0, 1)] == ["sentinel-notifications", "disk"]
        assert [cell(page, row, 7) for row in (0, 1)] == ["open", "open, not delivered"]
        assert cell(page, 0, 10) == ""
        [own, lost] = shown_ids(page, 2)
        retry_failed(blotter.engine, EVERYONE, at, now())
        expect(page.get_by_text("1 message not delivered")).to_be_hidden()
        eventually(lambda: cell(page, 1, 7) == "open", "the event to be owed again")
    with blotter.page(f"?event={own}") as page:
        expect(page.get_by_text("Sentinel says this itself")).to_be_visible()
        expect(page.get_by_text("Notification channels that do not take messages.")).to_be_visible()
        assert page.locator("a", has_text="in Prefect").count() == 0
        assert page.locator('a[href*="None"]').count() == 0
    refuse(blotter.engine, now() + timedelta(seconds=5), channel=EVERYONE)
    with blotter.page(f"?event={lost}") as page:
        told = page.locator("table", has_text=EVERYONE)
        expect(told.locator("tr", has_text="opened")).to_contain_text("failed")
        expect(told.locator("tr", has_text="opened")).to_contain_text(GONE.partition(": ")[2])
        expect(page.get_by_text("not delivered", exact=True)).to_be_visible()


@pytest.mark.slow
def test_an_open_storm_leads_to_its_events(blotter: Blotter) -> None:
    at = now() - timedelta(minutes=5)
    stormy = {"high": [{"channel": OPS, "storm": {"events": 10, "window_seconds": 60}}]}
    outputs = [
        AlertOutput(triggered=True, ticker=f"T{n}", message="moved", timestamp=at)
        for n in range(40)
    ]
    made = observe(blotter.engine, telling(notify=stormy), a_run(at, name="Triggered"), outputs)
    other = fire(blotter.engine, telling("other", notify={}), now())
    for _ in range(2):
        attempt(blotter.engine, at + timedelta(seconds=2))
    with blotter.page() as page:
        expect(page.get_by_text("41 unacknowledged, times in")).to_be_visible()
        assert shown_ids(page, 1) == [other]
        link = page.get_by_role("link", name="40 events")
        page.goto(f"{blotter.url}/{(link.get_attribute('href') or '').removeprefix('./')}")
        settled(page)
        expect(page.get_by_text("40 events of any age, of storm 1")).to_be_visible()
        assert set(shown_ids(page, 20)) <= set(made.opened)
        page.goto(f"{blotter.url}/?event={made.opened[0]}")
        settled(page)
        expect(page.get_by_text("part of the message of storm 1")).to_be_visible()


@pytest.mark.slow
def test_the_next_step_of_an_escalation_is_gone_once_it_is_acknowledged_in_the_browser(
    blotter: Blotter,
) -> None:
    at = now() - timedelta(minutes=1)
    steps = [{"after_seconds": 3600, "channels": [ONCALL]}]
    action = {"refused": "Call the vendor <b>now</b>."}
    rule = telling("gateway", "critical", escalation=steps, suggestions=action)
    key = fire(blotter.engine, rule, at, message="connection refused")
    attempt(blotter.engine, at + timedelta(seconds=2))
    with blotter.page(f"?event={key}") as page:
        facts = page.locator("table", has_text="Occurrences")
        expect(facts.locator("tr", has_text="Escalates")).to_contain_text(f"step 1 to {ONCALL} at")
        expect(page.get_by_text("Call the vendor <b>now</b>.")).to_be_visible()
        page.get_by_role("button", name="Acknowledge").click()
        confirm(page, "ann")
        expect(facts.locator("tr", has_text="Escalates")).to_have_count(0)
        told = page.locator("table", has_text="step 1 of the escalation")
        expect(told.locator("tr", has_text="step 1")).to_contain_text("acknowledged by ann")
    assert attempt(blotter.engine, now() + timedelta(hours=2), channel=ONCALL) == []
