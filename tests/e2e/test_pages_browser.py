"""The pages in a real browser, over a real store and a real Prefect: one test for each page.

They share one viewer. What a page says is tested without a browser in tests/unit/viewer.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from sqlalchemy import Engine

from sentinel_core.prefect_io.facts import rule_facts
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.db.schema import ensure_schema
from sentinel_core.store.record.acknowledge import acknowledge
from sentinel_core.store.state.rules import sync
from tests.support.blotter import ROW, chromium, settled, viewer
from tests.support.deployed import deploy, rule_yaml
from tests.support.patience import patient
from tests.support.prefect import PrefectServer, clean_environment, client_of
from tests.support.processes import wait_for
from tests.support.recorded import a_rule, calm, fire

NAME = "a-page-disk"  # the first of the rules by name
POOL = "a_pool_whose_long_name_has_no_place_at_which_a_line_can_be_broken"


@dataclass(frozen=True)
class Pages:
    """A running viewer, the store and the Prefect behind it, and a browser."""

    url: str
    engine: Engine
    client: SyncPrefectClient
    deployment: UUID
    event: int
    browser: Browser

    @contextmanager
    def page(self, path: str) -> Iterator[Page]:
        opened = self.browser.new_context(
            viewport={"width": 1600, "height": 900}, timezone_id="Asia/Kolkata"
        )
        page = opened.new_page()
        page.set_default_timeout(patient(60_000))
        page.goto(f"{self.url}/{path}")
        settled(page)
        yield page
        opened.close()


def cells(page: Page, column: int) -> list[str]:
    """The texts of a column of the first table, once it is there."""
    found = page.get_by_test_id("stDataFrame").first.locator(
        f'[data-testid^="glide-cell-{column}-"]'
    )
    expect(found.first).to_be_attached()
    return found.all_text_contents()


@pytest.fixture(scope="module")
def pages(
    reconciling_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pages]:
    folder = tmp_path_factory.mktemp("pages")
    url = f"sqlite:///{folder / 'sentinel.db'}"
    engine = open_engine(url)
    ensure_schema(engine)
    now = datetime.now(UTC).replace(microsecond=0)
    other = a_rule("price", "critical", "Market")
    event = fire(engine, other, now - timedelta(minutes=3), ticker="AAPL", message="Too high.")
    acknowledge(engine, [event], by="bo", comment="looking", now=now - timedelta(minutes=2))
    calm(engine, other, now - timedelta(minutes=1), ticker="AAPL")
    env = {
        **clean_environment(folder),
        "SENTINEL_DATABASE_URL": url,
        "SENTINEL_USER": "ana",
        "PREFECT_API_URL": reconciling_server.api_url,
    }
    log = folder / "viewer.log"
    with client_of(reconciling_server) as client:
        deploy(client, rule_yaml(NAME, "flows/system.py:disk_usage", {"path": "/"}, pool=POOL))
        item = client.read_deployment_by_name(f"disk-usage/{NAME}")
        sync(engine, [rule_facts(item, "disk-usage")], now)
        with viewer(env, log) as address, chromium() as browser:
            yield Pages(address, engine, client, item.id, event, browser)
    engine.dispose()
    assert "Traceback" not in log.read_text(), log.read_text()


def test_pages_open_by_their_own_addresses_and_unknown_ones_are_not_found(pages: Pages) -> None:
    with pages.page("rules") as page:  # the very first address that anybody opens
        for title, path in (("History", "history"), ("Activity", "activity"), ("Blotter", "")):
            page.get_by_role("link", name=title).click()
            page.wait_for_url(f"{pages.url}/{path}")
            settled(page)
        expect(page.get_by_text("2 active rules").first).to_be_visible()
        answer = page.goto(f"{pages.url}/health")
        assert answer is not None
        assert answer.status == 404
        page.get_by_role("link", name="Blotter").click()
        page.wait_for_url(f"{pages.url}/")
    assert httpx.get(f"{pages.url}/rules").status_code == 200


def test_a_rule_is_run_paused_and_resumed_from_its_page(pages: Pages) -> None:
    with pages.page("rules?q=page-disk") as page:
        assert cells(page, 1) == [NAME]
        for button, done in (("Run now", "started"), ("Pause", "paused"), ("Resume", "resumed")):
            page.get_by_test_id("stDataFrame").first.click(position={"x": 16, "y": 36 + ROW / 2})
            expect(page.get_by_text("1 rule selected")).to_be_visible()
            page.get_by_role("button", name=button, exact=True).click()
            dialog = page.get_by_role("dialog")
            expect(dialog.get_by_text(NAME, exact=True)).to_be_visible()
            expect(dialog.get_by_label("Your name")).to_have_value("ana")
            dialog.get_by_role("button", name=f"{button}: 1 rule").click()
            expect(dialog).to_be_hidden()
            expect(page.get_by_text(f"1 rule {done}")).to_be_visible()
            settled(page)
            paused = pages.client.read_deployment(pages.deployment).paused
            assert paused == (button == "Pause")
    mine = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[pages.deployment]))
    wait_for(lambda: pages.client.read_flow_runs(flow_run_filter=mine), what="the run")
    with pages.page("activity?q=ana") as page:
        assert cells(page, 2) == ["rule resumed", "rule paused", "rule run"]


def test_history_finds_a_resolved_event_and_leads_to_its_story(pages: Pages) -> None:
    with pages.page("history?importance=critical&q=aapl") as page:
        assert cells(page, 5) == ["Too high."]
        page.goto(f"{pages.url}/event?event={pages.event}")
        settled(page)
        expect(page.get_by_text("What was decided, and why")).to_be_visible()
        expect(page.get_by_text("Too high.").first).to_be_visible()
        back = page.get_by_role("link", name="← Blotter")
        expect(back).to_have_attribute("href", "./")


def test_the_system_page_looks_at_prefect_and_synchronizes(pages: Pages) -> None:
    with pages.page("system") as page:
        expect(page.get_by_text("answers in").first).to_be_visible()
        expect(page.get_by_text("SENTINEL_DATABASE_URL").first).to_be_attached()
        page.get_by_role("button", name="Sync now").click()
        expect(page.get_by_text("runs looked at")).to_be_visible()
        page.set_viewport_size({"width": 400, "height": 900})
        page.locator("td", has_text=POOL).first.wait_for(state="attached")

        def fits() -> bool:  # soon: the page is laid out anew after the window has its width
            boxes = [cell.bounding_box() for cell in page.locator("td").all()]
            return max(box["x"] + box["width"] for box in boxes if box is not None) <= 400

        wait_for(fits, what="sentences of components that are not cut off on a phone", seconds=10)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["history", "rules", "activity", "event", "system", ""])
def test_hostile_parameters_are_harmless_on_every_page(pages: Pages, path: str) -> None:
    hostile = "%3Cimg%20src%3Dx%20onerror%3Dwindow.hurt%3D1%3E'%00%25"
    names = ("q", "range", "sort", "size", "state", "importance", "since", "event", "show", "level")
    for name in names:
        with pages.page(f"{path}?{name}={hostile}") as page:
            assert page.evaluate("window.hurt") is None
            expect(page.get_by_text("Traceback")).to_have_count(0)
