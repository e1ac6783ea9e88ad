"""Screenshots for the documentation, taken from a running Sentinel.

    python docs/screenshots.py http://127.0.0.1:8501

Each shot is one function that is given a page and drives it to what should be seen. Chromium is
found through CHROMIUM, else at /usr/bin/chromium.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
WIDE, NARROW = (1600, 900), (420, 900)
Theme = Literal["light", "dark"]
_ROW, _HEADER = 28, 36  # pixels


@contextmanager
def opened(browser: Browser, url: str, theme: Theme, size: tuple[int, int]) -> Iterator[Page]:
    """A page at `url` in a browser window of its own."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=theme, timezone_id="UTC"
    )
    page = context.new_page()
    page.goto(url)
    yield page
    context.close()


def settled(page: Page) -> None:
    """Wait until Streamlit has drawn everything."""
    page.wait_for_selector('.stApp[data-test-script-state="notRunning"]')
    page.wait_for_selector('[data-testid="stDataFrame"] canvas')
    page.wait_for_timeout(1_500)  # charts and table cells are painted after their elements exist


def list_of_events(page: Page) -> None:
    """What is live."""
    settled(page)


def acknowledging(page: Page) -> None:
    """Two events selected, the dialog open."""
    settled(page)
    table = page.get_by_test_id("stDataFrame").first
    for row in (0, 2):
        table.click(position={"x": 16, "y": _HEADER + _ROW * (row + 0.5)})
        page.wait_for_timeout(800)
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_role("dialog").wait_for()
    page.wait_for_timeout(1_000)


def one_event(page: Page) -> None:
    """The newest event, whole."""
    settled(page)
    table = page.get_by_test_id("stDataFrame").first
    link = table.get_by_test_id("glide-cell-11-0").text_content() or ""
    page.goto(f"{page.url.partition('?')[0]}?event={link.rpartition('=')[2]}")
    settled(page)


Shot = tuple[str, Callable[[Page], None], Theme, tuple[int, int]]

BLOTTER: tuple[Shot, ...] = (
    ("blotter-light", list_of_events, "light", WIDE),
    ("blotter-dark", list_of_events, "dark", WIDE),
    ("blotter-narrow-light", list_of_events, "light", NARROW),
    ("blotter-narrow-dark", list_of_events, "dark", NARROW),
    ("blotter-acknowledge", acknowledging, "light", WIDE),
    ("blotter-event", one_event, "light", WIDE),
)


def take(url: str, shots: tuple[Shot, ...]) -> None:
    """Take `shots` of the pages at `url` into docs/images."""
    IMAGES.mkdir(exist_ok=True)
    chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, drive, theme, size in shots:
            with opened(browser, url, theme, size) as page:
                drive(page)
                page.screenshot(path=IMAGES / f"{name}.png")
                print(f"docs/images/{name}.png")
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004
        raise SystemExit("usage: python docs/screenshots.py URL_OF_THE_BLOTTER")
    take(sys.argv[1], BLOTTER)
