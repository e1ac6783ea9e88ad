"""Screenshots for the documentation, taken from a running Sentinel.

    python docs/screenshots.py

starts one for it (`sentinel up` with the example rules, over a store that already holds what real
triggers measured: see tests/support/measured.py) and stops it afterwards. Each shot is one function
that is given a page and drives it to what should be seen. Chromium is found through CHROMIUM, else
at /usr/bin/chromium.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from typing import Any, Literal

from playwright.sync_api import Browser, Page, sync_playwright
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from prefect_slack import SlackWebhook
from pydantic import SecretStr
from sqlalchemy import TextClause, text

from sentinel_core import AlertOutput, NoHistory
from sentinel_core.base.settings import Settings
from sentinel_core.model.routing import Routes
from sentinel_core.notify.deliver import deliver_all
from sentinel_core.store.db.engine import open_engine
from sentinel_core.store.db.schema import ensure_schema
from tests.support.delivered import telling
from tests.support.measured import fill
from tests.support.prefect import clean_environment
from tests.support.processes import BIN, free_port, running, wait_for
from tests.support.recorded import a_run, observe
from tests.support.slack import slack_endpoint
from triggers.service.health_check import HealthCheck

CRITICAL, ONCALL, DATA = (
    f"slack-incoming-webhook/{name}" for name in ("alerts-critical", "alerts-oncall", "alerts-data")
)
DRIFT: dict[str, Any] = {
    "category": "Models",
    "on_open": [
        {
            "run": "retrain/churn",
            "parameters": {
                "model": "{{ event.ticker }}",
                "drift": "{{ event.metrics.drift }}",
                "reason": "{{ event.message }}",
            },
            "approval": True,
        },
        {"resume": "ingest/hourly"},
    ],
    "notify": {},
}
DRIFTED = AlertOutput(
    triggered=True,
    ticker="churn",
    message="churn: drift 0.223, limit 0.15",
    metrics={"value": 0.2233, "threshold": 0.15, "drift": 0.2233},
)
IMAGES = Path(__file__).parent / "images"
WIDE, NARROW = (1600, 900), (420, 900)
Theme = Literal["light", "dark"]
_ROW, _HEADER = 28, 36  # pixels
_RUN_SECONDS = 3  # what a run of tests/support/recorded.py is said to take, and one more


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
    page.get_by_text("asking Prefect").wait_for(state="detached")  # until the next refresh
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


def one_event(page: Page, rule: str = "memory") -> None:
    """A rule's newest event, whole."""
    page.goto(f"{page.url.partition('?')[0]}?rule={rule}")
    settled(page)
    table = page.get_by_test_id("stDataFrame").first
    link = table.get_by_test_id("glide-cell-11-0").text_content() or ""
    page.goto(f"{page.url.partition('?')[0]}?event={link.rpartition('=')[2]}")
    settled(page)


def approving(page: Page) -> None:
    """An event whose reaction waits for an approval, the dialog open."""
    one_event(page, "churn-drift")
    page.get_by_role("button", name="Approve", exact=True).click()
    page.get_by_role("dialog").wait_for()
    page.wait_for_timeout(1_000)


def messages(page: Page) -> None:
    """An event of which people were told, and will be."""
    one_event(page, "orders-gateway")


Shot = tuple[str, Callable[[Page], None], Theme, tuple[int, int]]

BLOTTER: tuple[Shot, ...] = (
    ("blotter-light", list_of_events, "light", WIDE),
    ("blotter-dark", list_of_events, "dark", WIDE),
    ("blotter-narrow-light", list_of_events, "light", NARROW),
    ("blotter-narrow-dark", list_of_events, "dark", NARROW),
    ("blotter-acknowledge", acknowledging, "light", WIDE),
    ("blotter-event", one_event, "light", WIDE),
    ("blotter-messages", messages, "light", WIDE),
    ("reaction-approval", approving, "light", WIDE),
    ("reaction-approval-dark", approving, "dark", WIDE),
)


def deployments(page: Page) -> None:
    """The rules, as Prefect lists them."""
    page.goto(page.url.partition("/dashboard")[0].rstrip("/") + "/deployments")
    page.get_by_text("aapl-price-surge").first.wait_for()
    page.wait_for_timeout(2_000)


def rule_form(page: Page) -> None:
    """One rule, as the form Prefect makes of its parameters."""
    deployments(page)
    page.get_by_text("disk-nearly-full").first.click()
    page.wait_for_url("**/deployments/deployment/*")
    page.goto(f"{page.url.partition('?')[0]}/run")
    page.get_by_text("percent used").first.wait_for()
    page.wait_for_timeout(2_000)


PREFECT: tuple[Shot, ...] = (
    ("prefect-deployments", deployments, "light", WIDE),
    ("prefect-rule-form", rule_form, "light", (1600, 1400)),
)


def page_named(address: str) -> Callable[[Page], None]:
    """Drives to the page at this address."""

    def drive(page: Page) -> None:
        page.goto(f"{page.url.partition('?')[0]}{address}")
        settled(page)

    return drive


PAGES: tuple[Shot, ...] = (
    ("page-history", page_named("history"), "light", (1440, 760)),
    ("page-rules", page_named("rules"), "light", (1440, 760)),
    ("page-activity", page_named("activity"), "light", (1440, 760)),
    ("page-system", page_named("system"), "light", (1440, 760)),
)


DEMO: tuple[Shot, ...] = (("demo-blotter", list_of_events, "light", (1600, 600)),)


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


@contextmanager
def sentinel(folder: Path) -> Iterator[tuple[str, str]]:
    """A running `sentinel up` with the example rules: the addresses of the blotter and the UI."""
    store = f"sqlite:///{folder / 'sentinel.db'}"
    engine = open_engine(store)
    ensure_schema(engine)
    fill(engine)
    server, viewer = free_port(), free_port()
    log = folder / "up.log"
    command = (str(BIN / "sentinel"), "up", "--server-port", str(server))
    command += ("--viewer-port", str(viewer))
    env = {**clean_environment(folder), "SENTINEL_DATABASE_URL": store, "SENTINEL_USER": "ana"}
    with running(*command, env=env, log=log, grace_seconds=60):
        wait_for(lambda: "Ctrl-C stops all" in log.read_text(), seconds=180, what="sentinel up")
        with open_engine(store).connect() as connection:
            runs = text("SELECT count(DISTINCT rule_id) FROM evaluation")
            before = connection.scalar(runs)
        wait_for(lambda: _count(store, runs) >= before + 11, seconds=240, what="the first runs")
        blotter, ui = f"http://127.0.0.1:{viewer}", f"http://127.0.0.1:{server}"
        tell(Settings(database_url=store, viewer_url=blotter, prefect_ui_url=ui))
        yield blotter, ui


@contextmanager
def demo(folder: Path) -> Iterator[str]:
    """The blotter of a running `sentinel demo` in which everything of its page has happened."""
    server, viewer, page = free_port(), free_port(), free_port()
    log = folder / "demo.log"
    command = (str(BIN / "sentinel"), "demo", "--server-port", str(server))
    command += ("--viewer-port", str(viewer), "--page-port", str(page))
    with running(*command, env=clean_environment(folder), log=log, grace_seconds=90):
        wait_for(lambda: "27 November 2012" in log.read_text(), seconds=400, what="the demo")
        yield f"http://127.0.0.1:{viewer}"


def tell(settings: Settings) -> None:
    """Two services that do not answer, told of through real blocks: one channel takes its message,
    the other one's webhook is gone."""
    api = {PREFECT_API_URL: f"{settings.prefect_ui_url}/api", PREFECT_LOGGING_TO_API_ENABLED: False}
    gateway = {
        "notify": {"critical": [CRITICAL]},
        "escalation": [{"after_seconds": 900, "channels": [ONCALL]}],
        "suggestions": {"refused": "Start the gateway: systemctl restart orders-gateway"},
        "runbook": "https://runbooks.example.com/orders-gateway",
    }
    feed = {"notify": {"critical": [DATA]}}
    engine = open_engine(settings.database_url)
    with temporary_settings(api), slack_endpoint() as slack, slack_endpoint() as gone:
        gone.answer = 404
        for channel, url in ((CRITICAL, slack.url), (ONCALL, slack.url), (DATA, gone.url)):
            block = SlackWebhook(url=SecretStr(url))
            block.save(channel.partition("/")[2], overwrite=True, _sync=True)
        for name, chosen in (("orders-gateway", gateway), ("vendor-feed", feed)):
            check = HealthCheck(url="http://127.0.0.1:9", service=name)
            at = datetime.now(UTC).replace(microsecond=0)
            seen = check.measure(NoHistory())
            assert isinstance(seen, AlertOutput)
            rule = telling(name, "critical", **chosen)
            observe(engine, rule, a_run(at, name="Triggered"), [seen])
        observe(engine, telling("churn-drift", **DRIFT), a_run(at, name="Triggered"), [DRIFTED])
        sleep(_RUN_SECONDS)
        deliver_all(engine, settings, Routes.model_validate({"high": [CRITICAL]}))


def _count(store: str, query: TextClause) -> int:
    with open_engine(store).connect() as connection:
        return int(connection.scalar(query) or 0)


def main() -> None:
    """All of them, or those of a running blotter at the address given."""
    if sys.argv[1:]:
        take(sys.argv[1], BLOTTER + PAGES)
        return
    with TemporaryDirectory() as name, sentinel(Path(name)) as (blotter, ui):
        take(blotter, BLOTTER + PAGES)
        take(ui, PREFECT)
    with TemporaryDirectory() as name, demo(Path(name)) as blotter:
        take(blotter, DEMO)


if __name__ == "__main__":
    main()
