"""Two more flows of the price comparison, with promises about numbers that Prefect does not know.

Each number is in the result of a run, and a hook compares it. Promises about the runs themselves
(how long, how many fail) are rules, in prefect.yaml beside this folder.
"""

import csv
import time
from typing import Any

from prefect import flow, task
from prices import DATA, NOTIFY, SITES, match, predict, scrape

from sentinel_core.hooks import alert_on_result, alert_on_slow

MOST_ITEMS_PER_MINUTE = 100  # what a site puts up with
LONGEST_LATENCY_SECONDS = 5.0
LEAST_ACCURACY = 0.85
LARGEST_BATCH = 1000


@flow(
    name="scraping",
    on_completion=[
        alert_on_result(
            lambda scraped: scraped["items_per_minute"] > MOST_ITEMS_PER_MINUTE,
            message="more than 100 items a minute were taken from a site",
            name="items per minute",
            notify=NOTIFY,
        )
    ],
)
def scraping(site: str = SITES[0], items_per_minute: float = 80) -> dict[str, float]:
    """The offers of one site, no faster than `items_per_minute`."""
    began = time.monotonic()
    items = len(scrape(site))
    time.sleep(max(0.0, 60 * items / items_per_minute - (time.monotonic() - began)))
    return {"items": items, "items_per_minute": 60 * items / (time.monotonic() - began)}


@task(
    on_completion=[
        alert_on_slow(seconds=LONGEST_LATENCY_SECONDS, items="batch", notify=NOTIFY),
        alert_on_result(
            lambda scored: scored["accuracy"] < LEAST_ACCURACY,
            message="fewer than 85 % of the offers were matched to their product",
            name="accuracy",
            importance="high",
            notify=NOTIFY,
        ),
        alert_on_result(
            lambda scored: scored["batch"] > LARGEST_BATCH,
            message="a batch had more than 1,000 offers",
            name="batch size",
            notify=NOTIFY,
        ),
    ]
)
def score(batch: list[dict[str, Any]]) -> dict[str, float]:
    """Match and score a batch of offers whose products are known: how large, how accurate."""
    right, scores = 0, []
    for offer in batch:
        matches = match.fn([offer])
        right += [found.sku for found in matches] == [offer["sku"]]
        scores += predict.fn(matches)
    return {"batch": len(batch), "accuracy": right / len(batch), "scored": len(scores)}


@flow(name="prediction")
def prediction(batch: list[dict[str, Any]] | None = None) -> dict[str, float]:
    """Score a batch; the labelled offers of data/labelled.csv if none is given."""
    return score(batch or labelled())


def labelled() -> list[dict[str, Any]]:
    """Offers with the product that a person found for them."""
    with (DATA / "labelled.csv").open(encoding="utf-8", newline="") as file:
        return [{**row, "price": float(row["price"])} for row in csv.DictReader(file)]


if __name__ == "__main__":
    print(scraping(items_per_minute=1000))  # faster than promised
