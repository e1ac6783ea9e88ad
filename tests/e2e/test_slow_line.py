"""The blotter in a browser that hears of everything late."""

from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import expect
from sqlalchemy import text

from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.db.schema import ensure_schema
from tests.support.blotter import chromium, listening, settled, viewer
from tests.support.patience import patient
from tests.support.prefect import clean_environment
from tests.support.recorded import a_rule, fire
from tests.support.slow_line import SlowLine


def test_an_event_opens_while_store_and_line_are_slow(tmp_path: Path, postgres_url: str) -> None:
    """The blotter asks for news each second, also while the event is on its way."""
    engine = open_engine(postgres_url)
    ensure_schema(engine)
    event = fire(engine, a_rule("slow"), datetime.now(UTC))
    env = {**clean_environment(tmp_path), "SENTINEL_DATABASE_URL": postgres_url}
    with (
        viewer(env, tmp_path / "viewer.log") as address,
        chromium() as browser,
        engine.connect() as other,
    ):
        page = browser.new_page()
        page.set_default_timeout(patient(60_000))
        line = SlowLine(page)
        page.goto(address)
        listening(page)
        page.keyboard.press("j")
        expect(page.get_by_text("row 1 of 1")).to_be_visible()
        settled(page)
        other.execute(text("LOCK TABLE reaction IN ACCESS EXCLUSIVE MODE"))  # only the event reads
        line.hold()
        page.keyboard.press("Enter")
        for _ in range(4):
            page.wait_for_timeout(1_500)
            line.let_through()
        other.rollback()
        line.let_through(hold=False)
        page.wait_for_timeout(1_500)  # it was there for a moment, and then removed
        expect(page.get_by_text("What was decided, and why")).to_be_visible()
        assert page.url == f"{address}/event?event={event}"
    engine.dispose()
