"""An HTTP address that answers with JSON. Reads; judges nothing."""

import asyncio
import json
from typing import Annotated, Any

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from triggers.sources.address import full_url, header_values, usable_url
from triggers.sources.errors import SourceError
from triggers.sources.fetch import shown
from triggers.sources.request import Probe, ask

MOST_BYTES = 16 << 20  # ten thousand series with generous names
_SHOWN = 100  # characters of a body that is not what was expected


class Endpoint(BaseModel):
    """An address and how to request it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, AfterValidator(usable_url)] = Field(
        description="http:// or https://, without credentials; or env:NAME and a path, whose "
        "beginning is read from the environment variable NAME where the check runs"
    )
    headers: dict[str, str] = Field(
        default={}, description="a value env:NAME is read from the environment variable NAME"
    )
    verify: bool = Field(True, description="refuse TLS certificates that can't be verified")
    request_timeout_seconds: float = Field(
        10, gt=0, le=30, description="for the whole request, body included"
    )

    def get(self, suffix: str = "") -> Probe:
        """The complete answer, whatever its status. Raises SentinelError if there is none."""
        url = full_url(self.url)
        address = f"{url.rstrip('/')}{suffix}" if suffix else url
        try:
            probe = asyncio.run(
                ask(
                    address,
                    method="GET",
                    headers={"user-agent": "sentinel", **header_values(self.headers)},
                    follow_redirects=True,
                    verify=self.verify,
                    timeout_seconds=self.request_timeout_seconds,
                    body_limit=MOST_BYTES,
                )
            )
        except httpx.LocalProtocolError as error:
            raise SourceError(f"the request's headers are not valid HTTP: {error}") from error
        if probe.status is None or probe.failure is not None:
            raise SourceError(f"{shown(address)}: {probe.failure or 'no answer'}")
        if probe.body_cut:
            raise SourceError(f"{shown(address)}: answers with more than {MOST_BYTES >> 20} MiB")
        return probe


def json_of(probe: Probe) -> Any:
    """The JSON document of an answer with a 2xx status. Raises SourceError for all else."""
    where = shown(probe.url)
    if probe.status is None or not 200 <= probe.status <= 299:  # noqa: PLR2004 - HTTP's success
        raise SourceError(f"{where}: answered {probe.status}")
    try:
        return json.loads(probe.body)
    except (ValueError, RecursionError) as error:
        start = probe.body[:_SHOWN]
        raise SourceError(f"{where}: the answer is not JSON, it starts {start!r}") from error
