"""The jobs of Sentinel's own flows, each of which returns a sentence."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from prefect.client.orchestration import get_client

from sentinel_core.base.settings import get_settings
from sentinel_core.flow.hooks import connected
from sentinel_core.flow.host import sample_host
from sentinel_core.flow.reacting import keep_up_reactions
from sentinel_core.flow.reconcile import reconcile
from sentinel_core.model.routing import Route, Routes
from sentinel_core.notify.deliver import deliver_all
from sentinel_core.notify.prefect_events import keep_up
from sentinel_core.report.publish import make_report, publish
from sentinel_core.store.db.failure import explained
from sentinel_core.store.retention.cutoffs import Periods
from sentinel_core.store.retention.pace import Pace
from sentinel_core.store.retention.prune import prune, would_prune


def send_due(notify: Routes) -> str:
    """Send notifications and Prefect events that are due; failing channels are sent to `notify`."""
    settings = get_settings()
    with connected(settings) as engine, explained(settings.database_url):
        reacted = keep_up_reactions(engine)
        delivered = deliver_all(engine, settings, notify)
        keep_up(engine, settings)
    return "; ".join(part for part in (delivered.sentence(), reacted.sentence()) if part)


def record_missed(settle_seconds: float, say: Callable[[str], None]) -> str:
    """Record the runs that no hook recorded. Raises ReconcileError if some can't be recorded."""
    settings = get_settings()
    settle = timedelta(seconds=settle_seconds)
    with connected(settings) as engine:
        with get_client(sync_client=True) as client:
            done = reconcile(client, engine, settings, say=say, settle=settle)
        sample_host(engine, datetime.now(UTC))
    return done.sentence()


def publish_report(
    name: str,
    until: datetime,
    hours: int,
    timezone: str,
    notify: Sequence[Route],
    slow_seconds: float,
) -> str:
    """Publish the report of the `hours` before `until`, once to each reader."""
    settings = get_settings()
    with connected(settings) as engine, explained(settings.database_url):
        made = make_report(engine, name, until, timedelta(hours=hours), timezone, slow_seconds)
        return publish(engine, settings, made, notify)


def delete_old(minutes: float, dry_run: bool) -> str:
    """Delete what the settings no longer keep, for at most so many minutes; or only count it."""
    settings = get_settings()
    periods, now = Periods.of(settings), datetime.now(UTC)
    with connected(settings) as engine, explained(settings.database_url):
        if dry_run:
            return would_prune(engine, periods, now).sentence()
        return prune(
            engine, periods, now, pace=Pace(ends=time.monotonic() + minutes * 60)
        ).sentence()
