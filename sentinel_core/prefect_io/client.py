"""Prefect's API: a client whose errors say why it can't be reached, and reading in pages."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import BlockDocument, FlowRun, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, get_current_settings

from sentinel_core.base.errors import PrefectUnreachableError

PAGE = 200  # Prefect gives at most this many at once
SKEW = timedelta(seconds=5)
_HEALTH_SECONDS = 10
# Blocks with nothing but credentials: the route has the recipients.
_ADDRESSED = frozenset({"email-server-credentials", "slack-credentials"})


@contextmanager
def prefect_api() -> Iterator[SyncPrefectClient]:
    """A client of the API that PREFECT_API_URL names. Raises PrefectUnreachableError."""
    url = PREFECT_API_URL.value()
    if not url:
        # Prefect would start a server of its own in this process, with a database of its own.
        raise PrefectUnreachableError(
            "PREFECT_API_URL is not set, so there is no Prefect API to talk to: set it "
            "(export PREFECT_API_URL=http://127.0.0.1:4200/api), or run `sentinel up`"
        )
    # Not the client's own health check: it tries again for a minute before it gives up.
    try:
        httpx.get(f"{url}/health", timeout=_HEALTH_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise PrefectUnreachableError(
            f"Prefect's API does not answer at {url} (PREFECT_API_URL): "
            f"{str(error) or type(error).__name__}. Start it with `prefect server start` or "
            "`sentinel up`, or correct PREFECT_API_URL"
        ) from error
    try:
        with get_client(sync_client=True) as client:
            yield client
    except httpx.TransportError as error:
        raise PrefectUnreachableError(
            f"Prefect's API at {url} (PREFECT_API_URL) stopped answering: "
            f"{str(error) or type(error).__name__}"
        ) from error
    except httpx.HTTPStatusError as error:
        if error.response.status_code not in (401, 403):
            raise
        raise PrefectUnreachableError(
            f"Prefect's API at {url} refuses the credentials: check PREFECT_API_KEY or "
            "PREFECT_API_AUTH_STRING"
        ) from error


def all_deployments(client: SyncPrefectClient) -> list[tuple[DeploymentResponse, str]]:
    """Every deployment with its flow's name, by name."""
    deployments: list[DeploymentResponse] = []
    while page := client.read_deployments(limit=PAGE, offset=len(deployments)):
        deployments.extend(page)
    flows = {deployment.flow_id for deployment in deployments}
    names = {flow_id: client.read_flow(flow_id).name for flow_id in flows}
    return [(deployment, names[deployment.flow_id]) for deployment in deployments]


def default_work_pool() -> str | None:
    """The work pool of deployments that name none, by Prefect's settings."""
    return get_current_settings().deployments.default_work_pool_name


def work_pool_exists(client: SyncPrefectClient, name: str) -> bool:
    """True if Prefect has a work pool of this name."""
    try:
        client.read_work_pool(name)
    except ObjectNotFound:
        return False
    return True


def read_channel(client: SyncPrefectClient, slug: str) -> BlockDocument | None:
    """The block `type/name` without its secrets; None when it does not exist."""
    kind, _, name = slug.partition("/")
    try:
        return client.read_block_document_by_name(name, kind, include_secrets=False)
    except ObjectNotFound:
        return None


def channels(client: SyncPrefectClient) -> dict[str, BlockDocument]:
    """Every block that messages can be sent through, by slug, without its secrets."""
    blocks: list[BlockDocument] = []
    while new := client.read_block_documents(include_secrets=False, offset=len(blocks), limit=PAGE):
        blocks.extend(new)
    named = {f"{_kind(block)}/{block.name}": block for block in blocks if block.name}
    return {slug: named[slug] for slug in sorted(named) if can_notify(named[slug])}


def can_notify(block: BlockDocument) -> bool:
    """True if messages can be sent through a block."""
    capabilities = block.block_schema.capabilities if block.block_schema else []
    return "notify" in capabilities or _kind(block) in _ADDRESSED


def needs_recipient(slug: str) -> bool:
    """True if a channel's route must name recipients."""
    return slug.partition("/")[0] in _ADDRESSED


def _kind(block: BlockDocument) -> str:
    return block.block_type.slug if block.block_type else ""


def wrong_channel(slug: str, block: BlockDocument | None) -> str | None:
    """The reason why a block can't send notifications; None when it can."""
    kind, _, name = slug.partition("/")
    if block is None:
        return (
            f"unknown notification block {slug}: Prefect has no block {name!r} of the type "
            f"{kind!r}. Create it (`sentinel channels setup`, docs/notifications.md), or remove it "
            "from the rule"
        )
    if not can_notify(block):
        return f"{slug} can't send notifications: choose another block"
    return None


def runs_of(
    client: SyncPrefectClient, deployments: Sequence[UUID], wanted: FlowRunFilter
) -> Iterator[list[FlowRun]]:
    """Pages of the runs of these deployments that the filter takes, however many there are."""
    for start in range(0, len(deployments), PAGE):
        chosen = FlowRunFilterDeploymentId(any_=list(deployments[start : start + PAGE]))
        some = wanted.model_copy(update={"deployment_id": chosen})
        offset = 0
        while page := client.read_flow_runs(
            flow_run_filter=some, sort=FlowRunSort.ID_DESC, limit=PAGE, offset=offset
        ):
            yield page
            offset += len(page)


def in_states(types: Iterable[str]) -> FlowRunFilterState:
    """A filter for runs in one of these state types."""
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType(t) for t in types]))


def server_time(client: SyncPrefectClient) -> datetime:
    """Prefect's clock: its runs end by it, and that of this machine may differ by hours."""
    here = datetime.now(UTC)
    stamp = client.hello().headers.get("date")
    if stamp is None:
        return here
    there = parsedate_to_datetime(stamp).astimezone(UTC)
    # The header is of whole seconds and may be a few old: a smaller difference is none.
    return there if abs(there - here) > SKEW else here
