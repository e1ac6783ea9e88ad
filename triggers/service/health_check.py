"""Checks that an HTTP service answers as expected. Decides nothing about events."""

import asyncio
import json
import ssl
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import httpx
from pydantic import Field, field_validator, model_validator

from sentinel_core import AlertOutput, Importance, Trigger
from triggers.sources.address import (
    Headers,
    full_url,
    header_values,
    request_warnings,
    secret_headers,
    usable_url,
)
from triggers.sources.credentials import Basic, ClientCertificate, authorization
from triggers.sources.document import JsonField, is_json
from triggers.sources.errors import SourceError
from triggers.sources.expected import Statuses, bounds, leads_to
from triggers.sources.expected_body import BodyExpectation
from triggers.sources.fetch import shown
from triggers.sources.request import Probe, ask
from triggers.sources.secret import Reference, reference_warning
from triggers.sources.unusable import Warnings

_BODY_SHOWN = 500  # characters of evidence
_LONGEST_BODY = 100_000  # characters sent
_LONGEST_REQUEST_SECONDS = 60


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
    method: Literal["GET", "HEAD", "POST"] = Field(
        "GET", description="HEAD asks for no body; POST sends one"
    )
    body: str | None = Field(None, max_length=_LONGEST_BODY, description="text that POST sends")
    json_body: Any = Field(None, description="JSON that POST sends; null: none")
    headers: Headers = Field(
        default={},
        description="a value block:TYPE/NAME is read from that Prefect block, env:NAME from that "
        "environment variable",
    )
    bearer: Reference | None = Field(
        None, description="where the bearer token is: block:secret/NAME, or env:NAME"
    )
    basic: Basic | None = Field(None, description="a user, and where the password is")
    client_certificate: ClientCertificate | None = Field(
        None, description="PEM files by which the service knows who asks"
    )
    expected_status: Statuses | list[Statuses] = Field(
        "200-299", description="a status, a range such as 200-299, or a list of both"
    )
    latency_limit_ms: float | None = Field(
        None, gt=0, description="milliseconds until the headers of the response"
    )
    body_contains: str | None = Field(None, min_length=1, description="text the body must contain")
    body_must_not_contain: str | None = Field(
        None, min_length=1, description="text the body must not contain"
    )
    expected_url: str | None = Field(
        None, min_length=1, description="where redirects must lead; * at its end: any end"
    )
    json_field: JsonField | None = Field(None, description="a value the JSON body must hold")
    certificate_days: float | None = Field(
        None, ge=0, description="days all TLS certificates of the chain must at least be valid"
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

    @field_validator("json_body")
    @classmethod
    def _is_json(cls, value: Any) -> Any:
        try:
            size = len(json.dumps(value, allow_nan=False).encode())
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError("is not JSON; dates are written as text, NaN has no form") from error
        if size > _LONGEST_BODY:
            raise ValueError(f"is longer than {_LONGEST_BODY:,} bytes")
        return value

    @field_validator("expected_url")
    @classmethod
    def _full_url(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("expected the whole URL: http://host/… or https://host/…")
        return url

    @model_validator(mode="after")
    def _possible_expectations(self) -> Self:
        on_body = (self.body_contains, self.body_must_not_contain, self.json_field)
        if self.method == "HEAD" and any(on_body):
            raise ValueError("HEAD has no body: use GET for what the body must hold")
        if self.expected_url is not None and not self.follow_redirects:
            raise ValueError("expected_url needs follow_redirects")
        plain = self.url.startswith("http://")
        if self.certificate_days is not None and plain:
            raise ValueError("certificate_days needs an https:// URL")
        if self.client_certificate is not None and plain:
            raise ValueError("client_certificate needs an https:// URL")
        return self

    @model_validator(mode="after")
    def _possible_request(self) -> Self:
        bodies = sum(value is not None for value in (self.body, self.json_body))
        if bodies and self.method != "POST":
            raise ValueError("a body is sent by `method: POST` only")
        if bodies > 1:
            raise ValueError("give body or json_body, not both")
        named = any(name.lower() == "authorization" for name in self.headers)
        if sum((self.bearer is not None, self.basic is not None, named)) > 1:
            raise ValueError("give one of bearer, basic and the header Authorization")
        return self

    def check_warnings(self) -> Warnings:
        """What its request may not read, or whom it may not ask, here."""
        secrets = {"bearer": self.bearer, "basic": self.basic and self.basic.password}
        said = [(name, reference_warning(text)) for name, text in secrets.items() if text]
        files = self.client_certificate.refusals() if self.client_certificate else []
        return [
            *request_warnings(self.url, self.headers),
            *((name, sentence) for name, sentence in said if sentence),
            *(("client_certificate", sentence) for sentence in files),
        ]

    async def check(self) -> AlertOutput:
        """Request and compare. Raises SentinelError for an unset environment variable."""
        return self.evaluate(await self.read())

    async def read(self) -> Probe:
        """One request. An unreachable service is a Probe too; only a wrong set-up raises."""
        # A thread, as reading a block asks Prefect's API and waits for it.
        headers, verify = await asyncio.to_thread(self._identified)
        return await ask(
            full_url(self.url),
            method=self.method,
            headers=headers,
            secret_headers=secret_headers(self.headers),
            content=self._content(),
            follow_redirects=self.follow_redirects,
            verify=verify,
            timeout_seconds=self.request_timeout_seconds,
        )

    def _identified(self) -> tuple[dict[str, str], bool | ssl.SSLContext]:
        """The headers with their secrets, and the TLS that says who asks."""
        kind = {"Content-Type": "application/json"} if self.json_body is not None else {}
        if any(name.lower() == "content-type" for name in self.headers):
            kind = {}
        own = header_values(self.headers)
        headers = {**kind, **own, **authorization(self.bearer, self.basic)}
        if self.client_certificate is None:
            return headers, self.verify
        return headers, self.client_certificate.context(verify=self.verify)

    def _content(self) -> bytes | None:
        if self.json_body is not None:
            return json.dumps(self.json_body, allow_nan=False).encode()
        return None if self.body is None else self.body.encode("utf-8", "surrogatepass")

    def evaluate(self, probe: Probe) -> AlertOutput:
        """Triggered if the service did not answer, or not as expected.

        A body that can't be read hides nothing else that is wrong: the output then says so beside
        the alert. Otherwise it raises SourceError.
        """
        unmet = self._unmet(probe)
        not_checked = "" if probe.failure else self._body.not_checked(probe)
        if not_checked and not unmet:
            raise SourceError(f"{shown(probe.asked or self.url)}: {not_checked}")
        limit = self._shown_limit(probe, unmet)
        # What was to be JSON and is not is the content of something else: it is not quoted.
        not_json = self.json_field is not None and not is_json(probe.body)
        metrics = {
            "up": 0 if unmet else 1,  # the verdict as a number: its average is a share of time
            "latency_ms": probe.latency_ms,
            "status": probe.status,
            "certificate_days": probe.certificate_days,
            "value": limit[0] if limit else None,
            "threshold": limit[1] if limit else None,
        }
        return AlertOutput(
            triggered=bool(unmet),
            ticker=self.service or httpx.URL(probe.asked or self.url).host,
            message="; ".join(filter(None, [self._message(probe, unmet), not_checked])),
            metrics={name: value for name, value in metrics.items() if value is not None},
            metadata={
                "url": probe.url,
                "method": self.method,
                "status": probe.status,
                "latency_ms": probe.latency_ms,
                "certificate_days": probe.certificate_days,
                "unmet": [item.reason for item in unmet],
                "body": "" if not_json else probe.body[:_BODY_SHOWN],
                **({"certificate": probe.certificate_of} if probe.certificate_of else {}),
                **({"unit": limit[2]} if limit else {}),
                **({"not_checked": {"body": not_checked}} if not_checked else {}),
            },
        )

    def _unmet(self, probe: Probe) -> list[_Unmet]:
        if probe.status is None:
            return [_Unmet(probe.failure or "no answer")]
        unmet = [_Unmet(probe.failure)] if probe.failure else []
        if not self._status_expected(probe.status):
            unmet.append(_Unmet(f"status {probe.status}, expected {self._statuses()}"))
        if self.expected_url is not None and not leads_to(probe.url, self.expected_url):
            unmet.append(
                _Unmet(f"the final URL is {shown(probe.url)}, expected {self.expected_url}")
            )
        for value, threshold, unit in self._limits(probe):
            if unit == "ms" and value > threshold:
                reason = f"latency {value:.0f} ms, limit {threshold:g} ms"
                unmet.append(_Unmet(reason, (value, threshold, unit)))
            if unit == "days" and value < threshold:
                of = f" of {probe.certificate_of}, in the chain," if probe.certificate_of else ""
                reason = f"the TLS certificate{of} ends in {value:.1f} days, expected {threshold:g}"
                unmet.append(_Unmet(reason, (value, threshold, unit)))
        if self.certificate_days is not None and probe.certificate_days is None:
            unmet.append(_Unmet("no TLS certificate was presented"))
        if not probe.failure:  # a partial body may lack what the rest holds
            unmet += [_Unmet(reason) for reason in self._body.unmet(probe)]
        return unmet

    @property
    def _body(self) -> BodyExpectation:
        return BodyExpectation(self.body_contains, self.body_must_not_contain, self.json_field)

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
        return any(first <= status <= last for first, last in map(bounds, self._status_list()))

    def _status_list(self) -> list[int | str]:
        expected = self.expected_status
        return list(expected) if isinstance(expected, list) else [expected]

    def _statuses(self) -> str:
        return ", ".join(map(str, self._status_list()))

    def _message(self, probe: Probe, unmet: list[_Unmet]) -> str:
        asked = probe.asked or self.url
        reasons = "; ".join(item.reason for item in unmet)
        if probe.status is None:
            return f"{asked} is unreachable: {reasons}"
        if unmet:
            return f"{asked}: {reasons}"
        return f"{asked} answered {probe.status} in {probe.latency_ms:.0f} ms"
