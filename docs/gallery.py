"""Every page in every state, theme and width, to be looked at.

    python docs/gallery.py FOLDER [PAGE ...]

starts three viewers: over an empty store, over a busy one (what real triggers measured, see
tests/support/measured.py), and over one that is gone while Prefect is away. It writes a picture of
each page and index.html with all of them, and says what is wrong for sure: a page that is wider
than its window, an exception, text that is cut off. It ends with 1 if something is.
"""

import argparse
import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import Engine, text

from docs.screenshots import Theme, opened
from sentinel_core.decide.hosts import Sample
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.db.schema import ensure_schema
from sentinel_core.store.record.hosts import note_host
from tests.support.blotter import settled, viewer
from tests.support.measured import fill
from tests.support.prefect import clean_environment, prefect_server
from tests.support.processes import free_port

PAGES = ("blotter", "event", "history", "rules", "activity", "system")
STATES = ("busy", "empty", "broken")
THEMES: tuple[Theme, ...] = ("light", "dark")
WIDTHS = (400, 800, 1440, 1920)
HEIGHT = 900
_WIDER = """document.documentElement.scrollWidth > window.innerWidth + 1 ||
  [...document.querySelectorAll('.stMarkdown td')]
    .some(e => e.offsetParent && e.getBoundingClientRect().right > window.innerWidth + 1)"""
_CUT = """[...document.querySelectorAll('.stButton button, [role=radio] p, [role=tab] p')]
  .filter(e => e.offsetParent && e.scrollWidth > e.clientWidth + 2)
  .map(e => e.innerText.slice(0, 40))"""


@contextmanager
def viewers(folder: Path) -> Iterator[dict[str, str]]:
    """The addresses of the three viewers, by state."""
    with ExitStack() as stack:
        (folder / "prefect").mkdir()
        server = stack.enter_context(prefect_server(folder / "prefect"))
        away = f"http://127.0.0.1:{free_port()}/api"
        addresses = {}
        for state in STATES:
            store = f"sqlite:///{folder / f'{state}.db'}"
            if state != "broken":
                engine = open_engine(store)
                ensure_schema(engine)
                if state == "busy":
                    fill(engine)
                    fill_hosts(engine, datetime.now(UTC))
                engine.dispose()
            api = away if state == "broken" else server.api_url
            env = {**clean_environment(folder), "PREFECT_API_URL": api, "SENTINEL_USER": "ana"}
            env["SENTINEL_DATABASE_URL"] = store
            addresses[state] = stack.enter_context(viewer(env, folder / f"{state}.log"))
        yield addresses


def fill_hosts(engine: Engine, now: datetime) -> None:
    """Record three hosts: one within its limits, one above them, one that is silent."""
    for n in range(48):
        at = now - timedelta(minutes=30) * (47 - n)
        note_host(engine, "worker-1", Sample(at, 20 + 9 * (n % 5), 41.0, 63.0))
        note_host(engine, "worker-2.batch.example.com", Sample(at, 50 + n % 45, 83 + n % 3, 91.5))
        note_host(engine, "old-worker", Sample(at - timedelta(hours=2), None, 30.0, 12.0))


def newest_event(folder: Path) -> int:
    """The id of the busy store's newest event."""
    engine = open_engine(f"sqlite:///{folder / 'busy.db'}")
    with engine.connect() as connection:
        return int(connection.scalar(text("SELECT max(id) FROM alert_event")) or 1)


def address_of(page: str, event: int) -> str:
    """The path of a page."""
    return {"blotter": "/", "event": f"/?event={event}"}.get(page, f"/{page}")


def taken(browser: Browser, url: str, theme: Theme, width: int, file: Path) -> list[str]:
    """Take one picture; what is wrong on it."""
    with opened(browser, url, theme, (width, HEIGHT)) as page:
        settled(page)
        page.wait_for_function("!document.querySelector('[data-testid=stSkeleton]')")
        page.wait_for_timeout(2_500)  # tables and charts are painted after their elements exist
        page.screenshot(path=file)
        return wrong(page)


def wrong(page: Page) -> list[str]:
    """What is wrong for sure."""
    found = []
    if page.evaluate(_WIDER):
        found.append("is wider than its window")
    if page.get_by_test_id("stException").count():
        found.append("shows an exception")
    found += [f"cuts off {name!r}" for name in page.evaluate(_CUT)]
    return found


def index(folder: Path, names: list[str]) -> None:
    """All pictures on one page."""
    shown = "\n".join(
        f'<figure><a href="{escape(n)}"><img src="{escape(n)}" loading="lazy"></a>'
        f"<figcaption>{escape(n.removesuffix('.png'))}</figcaption></figure>"
        for n in names
    )
    style = "body {display: flex; flex-wrap: wrap; font: 13px sans-serif} img {height: 300px}"
    page = f"<!doctype html><title>Gallery</title><style>{style}</style>{shown}"
    (folder / "index.html").write_text(page, encoding="utf-8")


def main() -> int:
    """Take them all."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("page", nargs="*", choices=[*PAGES, []], help="all by default")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    names, problems = [], 0
    chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    with TemporaryDirectory() as temporary, viewers(Path(temporary)) as addresses:
        event = newest_event(Path(temporary))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for one, state, theme, width in itertools.product(
                given.page or PAGES, STATES, THEMES, WIDTHS
            ):
                name = f"{one}-{state}-{theme}-{width}.png"
                url = addresses[state] + address_of(one, event)
                found = taken(browser, url, theme, width, given.folder / name)
                print(name, *(f"\n  {problem}" for problem in found), flush=True)
                names.append(name)
                problems += len(found)
            browser.close()
    index(given.folder, names)
    print(f"{len(names)} pictures, {problems} problems: {given.folder / 'index.html'}")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
