"""The housekeeping flow that makes sure no run of a rule goes unrecorded."""

from datetime import timedelta
from typing import Annotated

from prefect import flow, get_run_logger
from prefect.client.orchestration import get_client
from pydantic import Field

from sentinel_core.base.settings import get_settings
from sentinel_core.flow import reconcile as core
from sentinel_core.flow.hooks import connect


@flow(name="reconcile", timeout_seconds=600, persist_result=False)
def reconcile(settle_seconds: Annotated[float, Field(ge=0, le=3600)] = 30) -> str:
    """Records runs whose hook was lost, closes stuck runs, names silent rules, sends what is owed.

    `settle_seconds`: runs that ended less long ago than this are left to their hooks.
    """
    logger = get_run_logger()
    settings = get_settings()
    with get_client(sync_client=True) as client:
        report = core.reconcile(
            client,
            connect(settings),
            settings,
            say=logger.warning,
            settle=timedelta(seconds=settle_seconds),
        )
    logger.info(report.sentence())
    return report.sentence()
