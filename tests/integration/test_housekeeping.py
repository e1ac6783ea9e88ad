"""The jobs of Sentinel's own flows in this process: what they do, and the sentence they return."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from sentinel_core.base.settings import get_settings
from sentinel_core.flow.housekeeping import delete_old, send_due
from sentinel_core.flow.opening import open_store
from sentinel_core.model.routing import Routes
from sentinel_core.store.retention.cutoffs import LATEST_RUNS
from sentinel_core.store.state.rules import RECONCILE, set_checkpoint
from tests.support.channels import custom_webhook
from tests.support.endpoint import Endpoint
from tests.support.recorded import a_rule, calm, fire
from tests.support.runs import rows

pytestmark = pytest.mark.usefixtures("sends")
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@pytest.fixture
def store(store: Engine) -> Engine:
    """The store, which Prefect knows."""
    open_store(get_settings())
    return store


def checked(store: Engine, *days: int) -> None:
    """Evaluations of a rule so many days ago, and a reconcile just now."""
    now, rule = datetime.now(UTC), a_rule("disk")
    for ago in days:
        calm(store, rule, now - ago * DAY)
    set_checkpoint(store, RECONCILE, now)


def evaluations(store: Engine) -> int:
    return len(rows(store, "evaluation"))


def test_old_evaluations_are_counted_first_and_deleted_when_asked(store: Engine) -> None:
    checked(store, *(150 - n for n in range(LATEST_RUNS + 3)), 1)
    said = delete_old(1, dry_run=True)
    assert evaluations(store) == LATEST_RUNS + 4
    assert said.startswith("Would delete 2 evaluations,")
    said = delete_old(1, dry_run=False)
    assert evaluations(store) == LATEST_RUNS + 2
    assert said.startswith("Deleted 2 evaluations,")


def test_a_pruning_whose_time_is_up_says_that_the_next_goes_on(store: Engine) -> None:
    checked(store, *(150 - n for n in range(LATEST_RUNS + 3)), 1)
    assert delete_old(0, dry_run=False).endswith("the time was up, the next pruning goes on")
    assert evaluations(store) == LATEST_RUNS + 4


def test_what_is_due_is_sent_and_said(store: Engine, endpoint: Endpoint) -> None:
    channel = custom_webhook(endpoint.url)
    fire(store, a_rule("disk", notify={"high": [channel]}), datetime.now(UTC) - MINUTE)
    assert send_due(Routes()).startswith("1 notification sent")
    assert len(endpoint.received) == 1
    send_due(Routes())
    assert len(endpoint.received) == 1
