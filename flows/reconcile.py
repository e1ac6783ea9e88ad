"""The housekeeping flow that makes sure no run of a rule goes unrecorded."""

from typing import Annotated

from prefect import flow, get_run_logger
from pydantic import Field

from sentinel_core.flow.housekeeping import record_missed


@flow(name="reconcile", timeout_seconds=600, persist_result=False)
def reconcile(settle_seconds: Annotated[float, Field(ge=0, le=3600)] = 30) -> str:
    """Records runs whose hook was lost, closes stuck runs, reports silent rules, sends what is due.

    `settle_seconds`: runs that ended less long ago than this are left to their hooks.
    """
    logger = get_run_logger()
    sentence = record_missed(settle_seconds, logger.warning)
    logger.info(sentence)
    return sentence
