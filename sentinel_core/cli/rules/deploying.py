"""One deploy at a time, the mark that stays in Prefect if it is killed, and its store."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient

from sentinel_core.base.errors import (
    DeployTakenError,
    NotRestoredError,
    SentinelError,
    SetupError,
    StoreRefusedError,
    StoreUnavailableError,
)
from sentinel_core.cli.parse import author
from sentinel_core.cli.store import explained, settings
from sentinel_core.prefect_io.client import all_deployments
from sentinel_core.prefect_io.deploy_lease import DeployLease, Holder, deploy_lease, variable_of
from sentinel_core.prefect_io.facts import is_rule, rule_facts
from sentinel_core.prefect_io.unfinished_deploy import (
    UnfinishedDeploy,
    mark_of,
    read_mark,
    write_mark,
)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Deployment:
    """A deploy that holds the lease; `before` is one that did not finish."""

    client: SyncPrefectClient
    lease: DeployLease
    mark: str
    before: UnfinishedDeploy | None

    @contextmanager
    def changing(self, total: int) -> Iterator[Callable[[], None]]:
        """Mark the deploy as begun, and delete the mark at its end; gives a call that counts.

        Where everything was restored, the mark is what it was before.
        """
        mark = UnfinishedDeploy.of(self.lease.holder, total)
        self.lease.require()
        if total:
            write_mark(self.client, self.mark, mark)

        def done() -> None:
            self.lease.require()
            mark.done += 1
            write_mark(self.client, self.mark, mark)

        try:
            yield done
        except (NotRestoredError, DeployTakenError):
            raise
        except SentinelError:
            write_mark(self.client, self.mark, self.before)
            raise
        write_mark(self.client, self.mark, None)


@contextmanager
def deploying(
    client: SyncPrefectClient, file: Path, wait_seconds: float, say: Say
) -> Iterator[Deployment]:
    """Hold the lease on deploying. Raises DeployTakenError while another deploy holds it."""
    store = settings().store_variable
    holder = Holder.me(author(None), str(file))
    with deploy_lease(client, variable_of(store), holder, wait_seconds, say) as lease:
        before = read_mark(client, mark_of(store))
        if before is not None:
            say(f"{before.sentence()}; this deploy finishes it")
        yield Deployment(client, lease, mark_of(store), before)


def update_store(client: SyncPrefectClient, removed: Sequence[UUID], say: Say) -> None:
    """Record the rules in the event store now, not at their first run; end events of removed ones.

    Prefect has them already, so an unreachable store is no failure: hooks and reconcile fill it in.
    """
    from sentinel_core.flow.opening import open_store
    from sentinel_core.flow.removed import end_events_of
    from sentinel_core.store.state.rules import deactivate_missing, sync

    facts = [rule_facts(item, flow) for item, flow in all_deployments(client) if is_rule(item)]
    try:
        with explained(settings().database_url):
            engine = open_store(settings())
            sync(engine, facts, datetime.now(UTC))
            deactivate_missing(engine, [rule.deployment_id for rule in facts])
            end_events_of(engine, removed, datetime.now(UTC), say=say)
    except (StoreUnavailableError, StoreRefusedError, SetupError) as error:
        print(f"note: the rules are deployed, but {error}", file=sys.stderr)
