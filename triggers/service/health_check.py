"""Checks that an HTTP service answers as expected. Decides nothing about events."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

import httpx
from pydantic import AfterValidator, Field, field_validator, model_validator

from sentinel_core import AlertOutput, Importance, SentinelError, Trigger
from triggers.sources.address import (
    Headers,
    full_url,
    header_values,
    request_warnings,
    secret_headers,
    usable_url,
)
from triggers.sources.document import JsonField, json_difference
from triggers.sources.request import BODY_LIMIT, Probe, ask
from triggers.sources.unusable import Warnings

_BODY_SHOWN = 500  # characters of evidence
_LONGEST_REQUEST_SECONDS = 60


def _bounds(statuses: int | str) -> tuple[int, int]:
    """`204` → (204, 204), `"200-299"` → (200, 299). Raises ValueError for anything else."""
    low, dash, high = str(statuses).partition("-")
    try:
        first, last = int(low), int(high if dash else low)
    except ValueError:
        first = last = 0
    if not 100 <= first <= last <= 599:  # noqa: PLR2004 - what HTTP calls a status
        raise ValueError(f"expected a status such as 200 or a range such as 200-299: {statuses!r}")
    return first, last


def _checked(statuses: int | str) -> int | str:
    _bounds(statuses)
    return statuses


Statuses = Annotated[int | str, AfterValidator(_checked)]


@dataclass(frozen=True, slots=True)
class _Unmet:
    """An expectation that was not met; `limit` (value, threshold, unit) for a numeric one."""

    reason: str
    limit: tuple[float, float, str] | None = None


class HealthCheck(Trigger):
    """An HTTP service is unreachable or does not answer as expected."""

    display_name: ClassVar[str] = "Health check"
    default_importance: ClassVar[Importance] = Importance.CRITICAL
    default_category: ClassVar[str] = "System"
    # Name resolution can't be interrupted; the resolver's own timeout fits in between.
    timeout_seconds: ClassVar[float] = 2 * _LONGEST_REQUEST_SECONDS

    url: str = Field(
        description="http:// or https://, without credentials; or env:NAME and a path, whose "
        "beginning is read from the environment variable NAME where the check runs"
    )
    service: str = Field("", max_length=200, description="the ticker; empty: the URL's host")
    method: Literal["GET", "HEAD"] = Field("GET", description="HEAD asks for no body")
    headers: Headers = Field(
        default={},
        description="a value block:TYPE/NAME is read from that Prefect block, env:NAME from that "
        "environment variable",
    )
    expected_status: Statuses | list[Statuses] = Field(
        "200-299", description="a status, a range such as 200-299, or a list of both"
    )
    latency_limit_ms: float | None = Field(
        None, gt=0, description="milliseconds until the headers of the response"
    )
    body_contains: str | None = Field(None, min_length=1, description="text the body must contain")
    json_field: JsonField | None = Field(None, description="a value the JSON body must hold")
    certificate_days: float | None = Field(
        None, ge=0, description="days the TLS certificate must at least be valid"
    )
    verify: bool = Field(True, description="refuse TLS certificates that can't be verified")
    follow_redirects: bool = Field(True, description="judge the page a redirect leads to")
    request_timeout_seconds: float = Field(
        10, gt=0, le=_LONGEST_REQUEST_SECONDS, description="for the whole request, body included"
    )

    @field_validator("url")
    @classmethod
    def _usable_url(cls, url: str) -> str:
        return usable_url(url)

    @model_validator(mode="after")
    def _possible_expectations(self) -> Self:
        if self.method == "HEAD" and (self.body_contains or self.json_field):
            raise ValueError("HEAD has no body: use GET for body_contains and json_field")
        plain = self.url.startswith("http://")
        if self.certificate_days is not None and plain:
            raise ValueError("certificate_days needs an https:// URL")
        return self

    def check_warnings(self) -> Warnings:
        """What its request may not read, or whom it may not ask, here."""
        return request_warnings(self.url, self.headers)

    async def check(self) -> AlertOutput:
        """Request and compare. Raises SentinelError for an unset environment variable."""
        return self.evaluate(await self.read())

    async def read(self) -> Probe:
        """One request. An unreachable service is a Probe too; only a wrong set-up raises."""
        try:
            return await ask(
                full_url(self.url),
                method=self.method,
                # A thread, as reading a block asks Prefect's API and waits for it.
                headers=await asyncio.to_thread(header_values, self.headers),
                secret_headers=secret_headers(self.headers),
                follow_redirects=self.follow_redirects,
                verify=self.verify,
                timeout_seconds=self.request_timeout_seconds,
            )
        except httpx.LocalProtocolError as error:
            raise SentinelError(f"the request's headers are not valid HTTP: {error}") from error

    def evaluate(self, probe: Probe) -> AlertOutput:
        """Triggered if the service did not answer, or not as expected."""
        unmet = self._unmet(probe)
        limit = self._shown_limit(probe, unmet)
        metrics = {
            "latency_ms": probe.latency_ms,
            "status": probe.status,
            "certificate_days": probe.certificate_days,
            "value": limit[0] if limit else None,
            "threshold": limit[1] if limit else None,
        }
        return AlertOutput(
            triggered=bool(unmet),
            ticker=self.service or httpx.URL(probe.asked or self.url).host,
            message=self._message(probe, unmet),
            metrics={name: value for name, value in metrics.items() if value is not None},
            metadata={
                "url": probe.url,
                "method": self.method,
                "status": probe.status,
                "latency_ms": probe.latency_ms,
                "certificate_days": probe.certificate_days,
                "unmet": [item.reason for item in unmet],
                "body": probe.body[:_BODY_SHOWN],
                **({"unit": limit[2]} if limit else {}),
            },
        )

    def _unmet(self, probe: Probe) -> list[_Unmet]:
        if probe.status is None:
            return [_Unmet(probe.failure or "no answer")]
        unmet = [_Unmet(probe.failure)] if probe.failure else []
        if not self._status_expected(probe.status):
            unmet.append(_Unmet(f"status {probe.status}, expected {self._statuses()}"))
        for value, threshold, unit in self._limits(probe):
            if unit == "ms" and value > threshold:
                reason = f"latency {value:.0f} ms, limit {threshold:g} ms"
                unmet.append(_Unmet(reason, (value, threshold, unit)))
            if unit == "days" and value < threshold:
                reason = f"the TLS certificate ends in {value:.1f} days, expected {threshold:g}"
                unmet.append(_Unmet(reason, (value, threshold, unit)))
        if self.certificate_days is not None and probe.certificate_days is None:
            unmet.append(_Unmet("no TLS certificate was presented"))
        if not probe.failure:  # a partial body may lack what the rest holds
            unmet += [_Unmet(reason) for reason in self._body_unmet(probe)]
        return unmet

    def _limits(self, probe: Probe) -> list[tuple[float, float, str]]:
        """The numbers compared: value, threshold, unit."""
        pairs = [
            (probe.latency_ms, self.latency_limit_ms, "ms"),
            (probe.certificate_days, self.certificate_days, "days"),
        ]
        return [(v, t, unit) for v, t, unit in pairs if v is not None and t is not None]

    def _shown_limit(self, probe: Probe, unmet: list[_Unmet]) -> tuple[float, float, str] | None:
        """The value and threshold to show; None if several or none apply."""
        shown = [item.limit for item in unmet] if unmet else list(self._limits(probe))
        return shown[0] if len(shown) == 1 else None

    def _status_expected(self, status: int) -> bool:
        return any(first <= status <= last for first, last in map(_bounds, self._status_list()))

    def _status_list(self) -> list[int | str]:
        expected = self.expected_status
        return list(expected) if isinstance(expected, list) else [expected]

    def _statuses(self) -> str:
        return ", ".join(map(str, self._status_list()))

    def _body_unmet(self, probe: Probe) -> list[str]:
        unmet = []
        if self.body_contains and self.body_contains not in probe.body:
            where = f"first {BODY_LIMIT:,} bytes of the body" if probe.body_cut else "body"
            unmet.append(f"{self.body_contains!r} is not in the {where}")
        if self.json_field and probe.body_cut:
            unmet.append(f"the body is longer than {BODY_LIMIT:,} bytes: its JSON can't be read")
        elif self.json_field and (difference := json_difference(probe.body, self.json_field)):
            unmet.append(difference)
        return unmet

    def _message(self, probe: Probe, unmet: list[_Unmet]) -> str:
        asked = probe.asked or self.url
        reasons = "; ".join(item.reason for item in unmet)
        if probe.status is None:
            return f"{asked} is unreachable: {reasons}"
        if unmet:
            return f"{asked}: {reasons}"
        return f"{asked} answered {probe.status} in {probe.latency_ms:.0f} ms"
