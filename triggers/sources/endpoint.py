"""An HTTP address that answers with JSON. Reads; judges nothing."""

import asyncio
import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sentinel_core.model.fault import REFUSALS, Fault
from triggers.sources.address import (
    Headers,
    full_url,
    header_values,
    request_warnings,
    secret_headers,
    usable_url,
)
from triggers.sources.errors import SourceError
from triggers.sources.fetch import shown
from triggers.sources.request import Probe, ask

MOST_BYTES = 16 << 20  # ten thousand series with generous names


class Endpoint(BaseModel):
    """An address and how to request it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, AfterValidator(usable_url)] = Field(
        description="http:// or https://, without credentials; or env:NAME and a path, whose "
        "beginning is read from the environment variable NAME where the check runs"
    )
    headers: Headers = Field(
        default={},
        description="a value block:TYPE/NAME is read from that Prefect block, env:NAME from that "
        "environment variable",
    )
    verify: bool = Field(True, description="refuse TLS certificates that can't be verified")
    request_timeout_seconds: float = Field(
        10, gt=0, le=30, description="for the whole request, body included"
    )

    def refusals(self) -> list[str]:
        """Why the settings here keep rules from this address or these headers."""
        return [said for _, said in request_warnings(self.url, self.headers)]

    def get(self, suffix: str = "") -> Probe:
        """The complete answer, whatever its status. Raises SentinelError if there is none."""
        url = full_url(self.url)
        address = f"{url.rstrip('/')}{suffix}" if suffix else url
        probe = asyncio.run(
            ask(
                address,
                method="GET",
                headers={"user-agent": "sentinel", **header_values(self.headers)},
                follow_redirects=True,
                verify=self.verify,
                timeout_seconds=self.request_timeout_seconds,
                body_limit=MOST_BYTES,
                secret_headers=secret_headers(self.headers),
            )
        )
        if probe.status is None or probe.failure is not None:
            raise SourceError(f"{shown(address)}: {probe.failure or 'no answer'}", code=probe.fault)
        if probe.body_cut:
            raise SourceError(f"{shown(address)}: answers with more than {MOST_BYTES >> 20} MiB")
        return probe


def json_of(probe: Probe) -> Any:
    """The JSON document of an answer with a 2xx status. Raises SourceError for all else."""
    where = shown(probe.url)
    if probe.status is None or not 200 <= probe.status <= 299:  # noqa: PLR2004 - HTTP's success
        refused = probe.status in REFUSALS
        raise SourceError(
            f"{where}: answered {probe.status}", code=Fault.REFUSED if refused else None
        )
    if probe.body_fault:
        raise SourceError(f"{where}: the answer is not JSON: {probe.body_fault}")
    try:
        return json.loads(probe.body)
    except (ValueError, RecursionError) as error:
        size = f"{len(probe.body):,} characters" if probe.body else "an empty body"
        raise SourceError(
            f"{where}: the answer is not JSON, but {size} of {probe.content_type or 'no type'}"
        ) from error
