"""Prefect's API: a client whose errors say why it can't be reached, and reading in pages."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol, TypeVar
from uuid import UUID

import httpx
from prefect.client.base import ServerType
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterId,
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
from sentinel_core.patches import timezones
from sentinel_core.patches.patch import apply
from sentinel_core.wording.text import without_userinfo

apply([timezones.PATCH])  # all commands that read deployments import this

PAGE = 200  # Prefect gives at most this many at once
SKEW = timedelta(seconds=5)
_SHARED = 20  # rows of two pages that overlap
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
    shown = without_userinfo(url)
    # Not the client's own health check: it tries again for a minute before it gives up.
    try:
        httpx.get(f"{url}/health", timeout=_HEALTH_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise PrefectUnreachableError(
            f"Prefect's API does not answer at {shown} (PREFECT_API_URL): "
            f"{_reason(error)}. Start it with `prefect server start` or "
            "`sentinel up`, or correct PREFECT_API_URL"
        ) from error
    try:
        with get_client(sync_client=True) as client:
            yield client
    except httpx.TransportError as error:
        raise PrefectUnreachableError(
            f"Prefect's API at {shown} (PREFECT_API_URL) stopped answering: {_reason(error)}"
        ) from error
    except httpx.HTTPStatusError as error:
        if error.response.status_code not in (401, 403):
            raise
        raise PrefectUnreachableError(
            f"Prefect's API at {shown} refuses the credentials: check PREFECT_API_KEY or "
            "PREFECT_API_AUTH_STRING"
        ) from error


def _reason(error: Exception) -> str:
    """The reason of an error. One about the URL itself would quote parts of a password."""
    if isinstance(error, httpx.InvalidURL):
        return "it is no valid URL (in a user name or a password, escape @, : and /)"
    return without_userinfo(str(error)) or type(error).__name__


def all_deployments(client: SyncPrefectClient) -> list[tuple[DeploymentResponse, str]]:
    """Every deployment with its flow's name, by name."""
    pages = each_page(lambda offset: client.read_deployments(limit=PAGE, offset=offset))
    found = [deployment for page in pages for deployment in page]
    names = names_of_flows(client, (deployment.flow_id for deployment in found))
    return [
        (deployment, names.get(deployment.flow_id) or client.read_flow(deployment.flow_id).name)
        for deployment in found
    ]


def names_of_flows(client: SyncPrefectClient, flows: Iterable[UUID]) -> dict[UUID, str]:
    """The names of these flows, without those that are gone."""
    wanted = list(set(flows))
    names: dict[UUID, str] = {}
    for start in range(0, len(wanted), PAGE):
        some = FlowFilter(id=FlowFilterId(any_=wanted[start : start + PAGE]))
        names |= {flow.id: flow.name for flow in client.read_flows(flow_filter=some, limit=PAGE)}
    return names


def takes_slas(client: SyncPrefectClient) -> bool:
    """True if `prefect deploy` may be given `sla` lists: Prefect Cloud alone takes them."""
    return client.server_type is ServerType.CLOUD


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
            f"{kind!r}. Create it (in Prefect's UI, or the usual ones by `sentinel channels "
            "setup`: docs/notifications.md), or remove it from the rule"
        )
    if not can_notify(block):
        return f"{slug} can't send notifications: choose another block"
    return None


def runs_of(
    client: SyncPrefectClient, deployments: Sequence[UUID], wanted: FlowRunFilter
) -> Iterator[list[FlowRun]]:
    """Pages of the runs of these deployments that the filter takes, however many there are."""
    for some in of_deployments(deployments, wanted):
        yield from run_pages(client, some)


def of_deployments(deployments: Sequence[UUID], wanted: FlowRunFilter) -> Iterator[FlowRunFilter]:
    """The filter for some of these deployments at a time: one request can't name them all."""
    for start in range(0, len(deployments), PAGE):
        chosen = FlowRunFilterDeploymentId(any_=list(deployments[start : start + PAGE]))
        yield wanted.model_copy(update={"deployment_id": chosen})


def run_pages(
    client: SyncPrefectClient, wanted: FlowRunFilter, *, flow: FlowFilter | None = None
) -> Iterator[list[FlowRun]]:
    """Pages of the runs that the filters take, however many there are."""
    return each_page(
        lambda offset: client.read_flow_runs(
            flow_filter=flow,
            flow_run_filter=wanted,
            sort=FlowRunSort.ID_DESC,
            limit=PAGE,
            offset=offset,
        )
    )


class _Identified(Protocol):
    @property
    def id(self) -> UUID: ...


T = TypeVar("T", bound=_Identified)


def each_page(read: Callable[[int], Sequence[T]]) -> Iterator[list[T]]:
    """Pages of a list that may change while it is read; `read` returns the page from an offset on.

    Two pages overlap, because a row that leaves the list (a run that is retried, say) moves those
    after it up, past the next offset. Each row comes once.
    """
    seen: set[UUID] = set()
    offset, full = 0, True
    while full:
        page = read(offset)
        if new := [row for row in page if row.id not in seen]:
            yield new
        seen |= {row.id for row in new}
        offset, full = offset + PAGE - _SHARED, len(page) == PAGE


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
