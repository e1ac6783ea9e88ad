"""What people do to events in a browser. One viewer for all; each test has a rule of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import Engine

from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.db.schema import ensure_schema
from sentinel_core.store.read.event_detail import event_detail
from tests.support.blotter import chromium, listening, select, viewer
from tests.support.patience import patient
from tests.support.prefect import clean_environment
from tests.support.recorded import a_rule, fire


@dataclass(frozen=True)
class Desk:
    """A running viewer, the store behind it, and as many browsers as are opened."""

    url: str
    engine: Engine
    opened: Any

    @contextmanager
    def looking_at(self, rule: str, path: str = "?view=all") -> Iterator[Page]:
        context = self.opened.new_context(viewport={"width": 1600, "height": 900})
        page = context.new_page()
        page.set_default_timeout(patient(60_000))
        page.goto(f"{self.url}/{path}&rule={rule}")
        listening(page)
        yield page
        context.close()

    def event(self, key: int) -> dict[str, Any]:
        whole = event_detail(self.engine, key)
        assert whole is not None
        return dict(whole.event)

    def fire(self, rule: str, count: int) -> list[int]:
        """Events of this rule, the newest first."""
        start = datetime.now(UTC) - timedelta(minutes=count)
        at = [start + n * timedelta(minutes=1) for n in range(count)]
        made = [
            fire(self.engine, a_rule(rule), when, ticker=f"T{n}-{uuid4().hex[:6]}")
            for n, when in enumerate(at)
        ]
        return made[::-1]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("desk")
    engine = open_engine(f"sqlite:///{home / 'sentinel.db'}")
    ensure_schema(engine)
    url = engine.url.render_as_string()
    env = {**clean_environment(home), "SENTINEL_DATABASE_URL": url, "SENTINEL_USER": "ana"}
    # the rules are on record before a page looks: the names in the filters are kept for a while
    for rule in ("stuck", "noisy", "keyed", "walked"):
        fire(engine, a_rule(rule), datetime.now(UTC) - timedelta(days=3))
    with viewer(env, home / "viewer.log") as address, chromium() as browser:
        yield Desk(address, engine, browser)
    log = (home / "viewer.log").read_text()
    assert "Traceback" not in log, log
    engine.dispose()


def choose(page: Page, menu: str, label: str) -> Locator:
    """The dialog that an entry of a menu opens."""
    page.get_by_role("button", name=menu, exact=True).click()
    page.get_by_role("option", name=label, exact=True).or_(
        page.get_by_role("menuitem", name=label, exact=True)
    ).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    return dialog


def confirm(dialog: Locator, button: str, name: str) -> None:
    dialog.get_by_label("Your name").fill(name)
    dialog.get_by_role("button", name=button, exact=True).click()
    expect(dialog).to_be_hidden()


def test_two_people_resolve_the_same_event_and_one_that_arrives_meanwhile_is_left_alone(
    desk: Desk,
) -> None:
    first, second = desk.fire("stuck", 2)
    with desk.looking_at("stuck") as ana, desk.looking_at("stuck") as bo:
        for page in (ana, bo):
            select(page, 0)
        [late] = desk.fire("stuck", 1)
        dialogs = [choose(page, "More", "Resolve") for page in (ana, bo)]
        for dialog, who in zip(dialogs, ("Ana", "Bo"), strict=True):
            cell = dialog.get_by_test_id("stDataFrame").get_by_test_id("glide-cell-0-0")
            expect(cell).to_have_text(str(first))
            confirm(dialog, "Resolve 1 event", who)
        expect(ana.get_by_text("Resolved 1 event.")).to_be_visible()
        told = "Resolved 0 events. 1 event has already been resolved by Ana."
        expect(bo.get_by_text(told)).to_be_visible()
    assert desk.event(first)["acknowledged_by"] == "Ana"
    assert desk.event(late)["resolved_at"] is desk.event(second)["resolved_at"] is None


def test_all_that_match_are_acknowledged_by_number_and_it_is_undone(desk: Desk) -> None:
    made = desk.fire("noisy", 3)
    other = desk.fire("stuck", 1)
    with desk.looking_at("noisy") as page:
        expect(page.get_by_text("3 events of the last 24 hours")).to_be_visible()
        dialog = choose(page, "All matching", "Acknowledge")
        expect(dialog.get_by_text("All 3 events that match the filters now.")).to_be_visible()
        confirm(dialog, "Acknowledge 3 events", "Ana")
        expect(page.get_by_text("Acknowledged 3 events.")).to_be_visible()
        assert [desk.event(key)["is_acknowledged"] for key in made + other] == [True] * 3 + [False]
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_text("Took it back for 3 events.")).to_be_visible()
    assert not any(desk.event(key)["is_acknowledged"] for key in made)


def test_the_key_z_snoozes_what_is_ticked_and_nothing_else(desk: Desk) -> None:
    newest, older = desk.fire("keyed", 2)
    with desk.looking_at("keyed") as page:
        select(page, 0)
        page.keyboard.press("z")
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("button", name="Snooze 1 event")).to_be_visible()
        dialog.get_by_text("4 h", exact=True).click()
        expect(dialog.get_by_text("or until they end")).to_be_visible()
        confirm(dialog, "Snooze 1 event", "Ana")
        expect(page.get_by_text("Snoozed 1 event.")).to_be_visible()
    event = desk.event(newest)
    assert event["acknowledged_until"] - event["acknowledged_at"] > timedelta(hours=3)
    assert not desk.event(older)["is_acknowledged"]


def test_events_are_worked_through_with_the_keyboard_alone(desk: Desk) -> None:
    newest, middle, _oldest = desk.fire("walked", 3)
    with desk.looking_at("walked") as page:
        keys = page.keyboard
        for key in "jjx":
            keys.press(key)
        expect(page.get_by_text("1 selected")).to_be_visible()
        expect(page.get_by_text("row 2 of 3")).to_be_visible()
        search = page.get_by_placeholder("Search message, ticker, rule")
        search.focus()
        keys.type("jxa?")
        expect(search).to_have_value("jxa?")
        for _ in "jxa?":
            keys.press("Backspace")
        search.blur()
        keys.press("a")
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("button", name="Acknowledge 1 event").focus()
        keys.press("j")
        keys.press("?")
        keys.press("Enter")
        expect(dialog).to_be_hidden()
        expect(page.get_by_text("Acknowledged 1 event.")).to_be_visible()
        expect(page.get_by_text("row 2 of 3")).to_be_visible()
        keys.press("s")
        expect(dialog.get_by_label("Rule")).to_have_value("walked")
        keys.press("Escape")
        expect(dialog).to_be_hidden()
        keys.press("?")
        expect(dialog.get_by_text("the row before")).to_be_visible()
        keys.press("Escape")
        expect(dialog).to_be_hidden()
        keys.press("k")
        expect(page.get_by_text("row 1 of 3")).to_be_visible()
        keys.press("Enter")
        expect(page.get_by_text("What was decided, and why")).to_be_visible()
        assert page.url == f"{desk.url}/event?event={newest}"
    assert desk.event(middle)["is_acknowledged"]
    assert not desk.event(newest)["is_acknowledged"]


def test_a_new_critical_event_rings_and_counts_in_the_title_while_nobody_looks(desk: Desk) -> None:
    with desk.looking_at("noisy", "?view=all&alert=sound&alert=title") as page:
        expect(page.get_by_role("button", name="Keys")).to_be_visible()
        plain = page.title()
        # A page has the focus in every headless browser, and no loudspeaker.
        page.evaluate(
            """() => {
                window.tones = 0;
                const create = AudioContext.prototype.createOscillator;
                AudioContext.prototype.createOscillator = function () {
                    window.tones += 1;
                    return create.call(this);
                };
                document.hasFocus = () => window.looks === true;
            }"""
        )
        for count in (1, 2):
            fire(desk.engine, a_rule(f"bad-{count}", "critical"), datetime.now(UTC))
            expect(page).to_have_title(f"({count}) {plain}")
            assert page.evaluate("window.tones") == 2 * count
        page.evaluate("window.looks = true; window.dispatchEvent(new Event('focus'))")
        expect(page).to_have_title(plain)


def test_messages_have_the_width_that_the_window_leaves(desk: Desk) -> None:
    """What is drawn on a canvas has no width to ask for: the window tells when it is understood."""
    desk.fire("noisy", 1)
    with desk.looking_at("noisy") as page:
        for width, told in ((1920, 1780), (1440, 1300)):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function(
                """width => [...document.scripts].some(
                    script => script.textContent.includes(`"width": ${width},`)
                )""",
                arg=told,
            )
