"""Logging in with a real browser at a real OpenID Connect provider: viewer, operator, stranger."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.db.schema import ensure_schema
from sentinel_core.store.read.event_detail import event_detail
from tests.support.blotter import chromium, viewer
from tests.support.oidc import provider
from tests.support.patience import patient
from tests.support.prefect import clean_environment
from tests.support.recorded import a_rule, fire

pytestmark = pytest.mark.slow
BO = "bo@.?example.org"  # a word joiner keeps it from becoming a link
PEOPLE = {
    "operator": {
        "sub": "2",
        "name": "Ana",  # anybody may call themselves that
        "email": "Bo@Example.org",
        "email_verified": True,
    },
    "viewer": {"sub": "3", "name": "Kim", "groups": ["staff"]},
    "stranger": {"sub": "4", "email": "bo@example.org", "email_verified": False},
}


@dataclass(frozen=True)
class Team:
    url: str
    engine: Engine
    event: int
    browser: Browser

    @contextmanager
    def logged_in(self, who: str) -> Iterator[Page]:
        """The blotter's address after somebody has logged in."""
        context = self.browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.set_default_timeout(patient(60_000))
        page.goto(self.url)
        expect(page.get_by_text("Log in to see what needs attention.")).to_be_visible()
        expect(page.get_by_text("active rules")).to_have_count(0)
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("link", name=who).click()
        page.wait_for_url(f"{self.url}/")
        yield page
        context.close()


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("people")
    url = f"sqlite:///{folder / 'sentinel.db'}"
    engine = open_engine(url)
    ensure_schema(engine)
    event = fire(engine, a_rule("price"), datetime.now(UTC), ticker="AAPL")
    with provider(PEOPLE) as login:
        (folder / "secrets.toml").write_text(login.secrets_toml())
        env = {
            **clean_environment(folder),
            "SENTINEL_DATABASE_URL": url,
            "SENTINEL_ROLE_CLAIM": "groups",
            "SENTINEL_OPERATORS": "bo@example.org",
            "SENTINEL_VIEWERS": "staff",
            "STREAMLIT_SECRETS_FILES": str(folder / "secrets.toml"),
        }
        log = folder / "viewer.log"
        with viewer(env, log) as address, chromium() as browser:
            yield Team(address, engine, event, browser)
    engine.dispose()
    assert "Traceback" not in log.read_text(), log.read_text()


def test_an_operator_acknowledges_under_the_address_that_was_verified(team: Team) -> None:
    with team.logged_in("operator") as page:
        expect(page.get_by_text(re.compile(f"{BO}, operator"))).to_be_visible()
        page.goto(f"{team.url}/event?event={team.event}")
        page.get_by_role("button", name="Acknowledge").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_text(re.compile(f"In the name of {BO}"))).to_be_visible()
        expect(dialog.get_by_label("Your name")).to_have_count(0)
        dialog.get_by_role("button", name="Acknowledge 1 event").click()
        expect(dialog).to_have_count(0)
        page.goto(f"{team.url}/activity")
        expect(page.get_by_test_id("stDataFrame").first).to_contain_text("bo@example.org")
    found = event_detail(team.engine, team.event)
    assert found is not None
    assert found.event["acknowledged_by"] == "bo@example.org"


def test_a_viewer_reads_and_is_offered_no_action(team: Team) -> None:
    with team.logged_in("viewer") as page:
        expect(page.get_by_text("Kim (3), viewer")).to_be_visible()
        for path in (f"event?event={team.event}", "rules", "system"):
            page.goto(f"{team.url}/{path}")
            expect(page.get_by_text("Kim (3), viewer")).to_be_visible()
            for name in ("Acknowledge", "Run now", "Sync now"):
                expect(page.get_by_role("button", name=name)).to_have_count(0)


def test_a_stranger_has_no_page_and_can_log_out(team: Team) -> None:
    with team.logged_in("stranger") as page:
        for path in ("", "system", f"event?event={team.event}"):
            page.goto(f"{team.url}/{path}")
            expect(page.get_by_text("have no access here")).to_be_visible()
            expect(page.get_by_text("AAPL")).to_have_count(0)
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_text("Log in to see what needs attention.")).to_be_visible()
