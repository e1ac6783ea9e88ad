"""A price comparison: scrape the offers of some shops, match them to a catalogue, score them.

It is watched by hooks alone. What each of them alerts on stands beside the task it belongs to;
prefect.yaml, beside this folder, has the rules that watch the same runs from outside.
"""

import csv
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prefect import flow, task

from sentinel_core.hooks import (
    alert_on_crash,
    alert_on_failure,
    alert_on_result,
    alert_on_slow,
    alert_on_timeout,
)

DATA = Path(__file__).parents[1] / "data"
SITES = [str(DATA / "sites" / "north.json"), str(DATA / "sites" / "south.json")]

# What to do about a scraper that failed, by the text of its error.
SCRAPING = {
    "timed? ?out": "Raise the timeout of the scraper, or check whether the site is slow.",
    r"\b(401|403)\b": "Check the credentials, or use a proxy.",
    "connect": "Check the network between the worker and the site.",
    ".*": "Look at the scraper's code: the site may have changed.",
}

# Who is notified, by importance: blocks as `sentinel channels setup` makes them.
NOTIFY = {
    "critical": ["slack-incoming-webhook/alerts-critical", "pager-duty-webhook/alerts"],
    "high": ["slack-incoming-webhook/alerts-critical"],
    "medium": ["slack-incoming-webhook/alerts-warnings"],
}

SAME_PRODUCT = 0.5  # the share of words that makes an offer and a product one
CONFIDENT = 0.7
EXPECTED_SCORES = (0.1, 0.9)
SUSPICIOUS = 0.5


SITE_FAILED = alert_on_failure(notify=NOTIFY, suggestions=SCRAPING)
SITE_TIMED_OUT = alert_on_timeout(notify=NOTIFY, suggestions=SCRAPING)
TASK_FAILED = alert_on_failure(notify=NOTIFY)

# In two lists each: a run that completes ends the event of the one that did not, at once.
FAILED = alert_on_failure(notify=NOTIFY)
TIMED_OUT = alert_on_timeout(notify=NOTIFY)
CRASHED = alert_on_crash(notify=NOTIFY)


@dataclass(frozen=True)
class Match:
    """An offer and the product it is taken for; `confidence` is the share of words they have."""

    sku: str
    price: float
    usual_price: float
    confidence: float


@task(
    task_run_name="scrape {site}",
    retries=3,
    retry_delay_seconds=30,
    on_failure=[SITE_FAILED, SITE_TIMED_OUT],
    on_completion=[alert_on_slow(seconds=5, items=len, notify=NOTIFY)],
)
def scrape(site: str, timeout_seconds: float = 10) -> list[dict[str, Any]]:
    """The offers of a site: an address, or a file with what the site would answer."""
    if "://" not in site:
        return _offers(Path(site).read_text("utf-8"))
    answer = httpx.get(site, timeout=timeout_seconds, follow_redirects=True)
    answer.raise_for_status()
    return _offers(answer.text)


def _offers(text: str) -> list[dict[str, Any]]:
    return [
        {"title": str(o["title"]), "price": float(o["price"])} for o in json.loads(text)["offers"]
    ]


@task(
    retries=3,
    retry_delay_seconds=30,
    on_failure=[TASK_FAILED],
    on_completion=[
        alert_on_result(
            lambda found: not found, message="no offer matched", name="no match", notify=NOTIFY
        ),
        alert_on_result(
            lambda found: bool(found) and _mean_confidence(found) < CONFIDENT,
            message="the mean confidence of the matches is below 0.7",
            name="low confidence",
            notify=NOTIFY,
        ),
    ],
)
def match(offers: list[dict[str, Any]]) -> list[Match]:
    """Each offer with the product whose title it shares most words with, if it shares half."""
    with (DATA / "catalogue.csv").open(encoding="utf-8", newline="") as file:
        products = list(csv.DictReader(file))
    found = []
    for offer in offers:
        words = _words(offer["title"])
        share, product = max(
            ((_overlap(words, _words(p["title"])), p) for p in products), key=lambda pair: pair[0]
        )
        if share >= SAME_PRODUCT:
            usual = float(product["usual_price"])
            found.append(Match(product["sku"], offer["price"], usual, share))
    return found


def _words(title: str) -> set[str]:
    return set(re.findall(r"[a-z0-9.]+", title.lower())) - {"with", "and"}


def _overlap(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)


def _mean_confidence(found: list[Match]) -> float:
    return sum(one.confidence for one in found) / len(found)


def _expected(mean_score: float) -> bool:
    low, high = EXPECTED_SCORES
    return low <= mean_score <= high


@task(
    retries=3,
    retry_delay_seconds=30,
    on_failure=[TASK_FAILED],
    on_completion=[
        alert_on_slow(seconds=5, items=len, notify=NOTIFY),
        alert_on_result(
            lambda scores: bool(scores) and not _expected(sum(scores) / len(scores)),
            message="the mean score is outside 0.1 to 0.9",
            name="scores",
            notify=NOTIFY,
        ),
    ],
)
def predict(matches: list[Match]) -> list[float]:
    """How suspicious each price is, from 0 to 1: 0.5 at 30 % below or above the usual one."""
    return [1 / (1 + math.exp(-5 * (abs(1 - m.price / m.usual_price) - 0.3))) for m in matches]


@flow(
    name="prices",
    retries=2,
    retry_delay_seconds=60,
    timeout_seconds=7200,
    on_failure=[FAILED, TIMED_OUT],
    on_crashed=[CRASHED],
    on_completion=[
        TIMED_OUT,
        CRASHED,
        alert_on_slow(seconds=3600, items="offers", notify=NOTIFY),
    ],
)
def prices(sites: list[str] = SITES, timeout_seconds: float = 10) -> dict[str, float]:
    """Scrape, match and score: how many offers, matches and suspicious prices there are."""
    pages = [scrape.submit(site, timeout_seconds) for site in sites]
    offers = [offer for page in pages for offer in page.result()]
    matches = match(offers)
    scores = predict(matches)
    return {
        "offers": len(offers),
        "matches": len(matches),
        "suspicious": sum(score > SUSPICIOUS for score in scores),
    }


if __name__ == "__main__":
    print(prices())
