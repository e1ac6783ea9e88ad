"""The housekeeping flow that sends what is due: retries, groups, escalations, summaries."""

from prefect import flow, get_run_logger

from sentinel_core.flow.housekeeping import send_due
from sentinel_core.model.routing import Routes


@flow(name="deliver", timeout_seconds=300, persist_result=False)
def deliver(notify: Routes = Routes()) -> str:  # noqa: B008 (frozen)
    """Sends notifications that are due: retries, groups that are complete, escalations.

    `notify`: the channels to inform when a channel fails for good, but for that channel itself.
    """
    sentence = send_due(notify)
    get_run_logger().info(sentence)
    return sentence
