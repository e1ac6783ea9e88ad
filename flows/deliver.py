"""The housekeeping flow that sends what is still owed: retries, groups, escalations, summaries."""

from prefect import flow, get_run_logger

from sentinel_core.base.settings import get_settings
from sentinel_core.flow.hooks import connect
from sentinel_core.model.routing import Routes
from sentinel_core.notify.deliver import deliver_all
from sentinel_core.notify.prefect_events import keep_up


@flow(name="deliver", timeout_seconds=300, persist_result=False)
def deliver(notify: Routes = Routes()) -> str:  # noqa: B008 (frozen)
    """Sends messages that are due: those that failed before, waited for their group, or escalate.

    `notify`: who hears that a channel fails for good; that channel itself is left out.
    """
    settings = get_settings()
    engine = connect(settings)
    report = deliver_all(engine, settings, notify)
    keep_up(engine, settings)
    get_run_logger().info(report.sentence())
    return report.sentence()
