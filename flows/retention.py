"""The housekeeping flow that deletes what has been kept long enough."""

from typing import Annotated

from prefect import flow, get_run_logger
from pydantic import Field

from sentinel_core.flow.housekeeping import delete_old


@flow(name="retention", timeout_seconds=7200, persist_result=False)
def retention(
    minutes: Annotated[
        float, Field(gt=0, le=110, description="Time after which the rest is left to the next run.")
    ] = 60,
    dry_run: Annotated[bool, Field(description="Count what would go, and delete nothing.")] = False,
) -> str:
    """Deletes old evaluations, events and series, as the SENTINEL_RETENTION_* settings say."""
    sentence = delete_old(minutes, dry_run)
    get_run_logger().info(sentence)
    return sentence
