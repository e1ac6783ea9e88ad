"""axe-core over the pages in a real browser: nothing keeps people from reading or using them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.db.schema import ensure_schema
from tests.support.blotter import chromium, settled, viewer
from tests.support.patience import patient
from tests.support.prefect import clean_environment
from tests.support.recorded import a_rule, calm, fire

PATHS = ("", "event?event=1", "event", "history", "rules", "activity", "system")
Theme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Browser]]:
    """The address of a viewer over some events, and a browser."""
    home = tmp_path_factory.mktemp("accessible")
    engine = open_engine(f"sqlite:///{home / 'sentinel.db'}")
    ensure_schema(engine)
    now = datetime.now(UTC)
    for importance in ("critical", "high", "medium", "low"):
        for n in range(2):
            rule = a_rule(f"{importance}-{n}", importance, "Market")
            fire(engine, rule, now - timedelta(minutes=5 + n), ticker=f"T{n}")
    calm(engine, rule, now)
    engine.dispose()
    env = {**clean_environment(home), "SENTINEL_USER": "ana"}
    env["SENTINEL_DATABASE_URL"] = f"sqlite:///{home / 'sentinel.db'}"
    with viewer(env, home / "viewer.log") as address, chromium() as browser:
        yield address, browser


@contextmanager
def opened(sites: tuple[str, Browser], theme: Theme) -> Iterator[Page]:
    context = sites[1].new_context(viewport={"width": 1440, "height": 900}, color_scheme=theme)
    page = context.new_page()
    page.set_default_timeout(patient(60_000))
    yield page
    context.close()


def go(page: Page, address: str) -> None:
    page.goto(address)
    settled(page)
    page.wait_for_timeout(1_500)  # tables and charts are painted after their elements exist


def findings(page: Page) -> list[str]:
    """What axe calls serious or critical, whenever one looks: while Streamlit draws something anew,
    it fades what was there before."""
    found: list[str] = []
    for _ in range(3):
        violations = Axe().run(page).response["violations"]
        found = [
            f"{rule['impact']} {rule['id']}: {node['html'][:200]} {node['failureSummary']}"
            for rule in violations
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]
        if not found:
            break
        page.wait_for_timeout(1_000)
    return found


def test_the_blotter_and_its_dialogs_are_accessible(sites: tuple[str, Browser]) -> None:
    with opened(sites, "light") as page:
        go(page, f"{sites[0]}/?alert=title")
        assert findings(page) == []
        for key, title in (("?", "Keys"), ("s", "Silence")):
            page.keyboard.press(key)
            dialog = page.get_by_role("dialog", name=title)
            expect(dialog).to_be_visible()
            page.wait_for_timeout(500)  # it slides into its place
            assert findings(page) == []
            page.keyboard.press("Escape")
            expect(dialog).to_be_hidden()


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible(sites: tuple[str, Browser], theme: Theme) -> None:
    with opened(sites, theme) as page:
        for path in PATHS:
            go(page, f"{sites[0]}/{path}")
            assert findings(page) == [], path
