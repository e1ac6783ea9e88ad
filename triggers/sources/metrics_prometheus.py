"""Numbers that a Prometheus server (or one that speaks its API) computes. Judges nothing."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from pydantic import Field

from triggers.sources.described import Described
from triggers.sources.endpoint import Endpoint, json_of
from triggers.sources.errors import SourceError
from triggers.sources.fetch import shown
from triggers.sources.readings import Reading, distinct, no_data, reading, unreadable
from triggers.sources.request import Probe

_NAME = "__name__"
_SHOWN = 200  # characters of a query in a message
_LABELS, _LABEL_LENGTH = 64, 500  # kept as evidence
_SAMPLE = 2  # a time and a value


class PrometheusMetrics(Described, Endpoint):
    """The result of a PromQL query, evaluated now: each series of it is one."""

    kind: Literal["prometheus"] = Field(description="prometheus: an instant query")
    query: str = Field(min_length=1, description="PromQL that gives a scalar or an instant vector")
    ticker_labels: Annotated[list[str], Field(min_length=1)] | None = Field(
        None,
        description="labels whose values are the ticker; null: all labels but the metric's name",
    )

    @property
    def subject(self) -> str:
        """The measurement in words."""
        query = " ".join(self.query.split())
        return query if len(query) <= _SHOWN else f"{query[: _SHOWN - 1]}…"

    @property
    def several(self) -> bool:
        """True if the series have tickers: the labels named. Otherwise the answer decides."""
        return self.ticker_labels is not None

    def read(self) -> list[Reading]:
        """The current series. Raises SourceError if Prometheus is unreachable or refuses."""
        asked = urlencode(
            {"query": self.query, "timeout": f"{round(self.request_timeout_seconds * 1000)}ms"}
        )
        probe = self.get(f"/api/v1/query?{asked}")
        try:
            return distinct(self.readings(_data(probe)))
        except SourceError as error:
            where = shown(probe.url)
            if str(error).startswith(where):
                raise
            raise SourceError(f"{where}: {error}") from error

    def readings(self, data: Mapping[str, Any]) -> list[Reading]:
        """What the `data` of an answer holds. Pure. Raises SourceError for what can't be a number.

        An empty vector is no data: nothing matched, which may be good news or a broken exporter.
        """
        kind, result = data.get("resultType"), data.get("result")
        if kind == "scalar":
            return [_sample(result, {}, "")]
        if kind != "vector":
            raise SourceError(
                f"the query gives a {str(kind)[:20]}; a scalar or an instant vector is needed"
            )
        if not isinstance(result, list):
            raise SourceError("the vector of the answer is no list")
        if not result:
            return [no_data("matched no series")]
        return [self._series(element) for element in result]

    def _series(self, element: object) -> Reading:
        if not isinstance(element, dict) or not isinstance(element.get("metric"), dict):
            raise SourceError("a series of the answer has no labels")
        labels = {str(name): str(value) for name, value in element["metric"].items()}
        ticker = self.ticker(labels)
        if "value" not in element:
            what = "is a histogram" if "histogram" in element else "has no value"
            return unreadable(f"{what}, not a number", ticker)
        return _sample(element["value"], labels, ticker)

    def ticker(self, labels: Mapping[str, str]) -> str:
        """The values of the labels asked for, else `name=value` of all, else ""."""
        if self.ticker_labels is not None:
            chosen = " ".join(labels.get(name, "") for name in self.ticker_labels).strip()
            if chosen:
                return chosen
        return ", ".join(f"{k}={v}" for k, v in sorted(labels.items()) if k != _NAME)


def _data(probe: Probe) -> Mapping[str, Any]:
    """The `data` of a good answer. Raises SourceError with what Prometheus says is wrong."""
    where = shown(probe.url)
    said = _refusal(probe.body)
    if said is not None:
        raise SourceError(f"{where}: answered {probe.status}, {said}")
    answer = json_of(probe)
    if not isinstance(answer, dict) or answer.get("status") != "success":
        raise SourceError(f"{where}: the answer is not one of Prometheus' API")
    data = answer.get("data")
    if not isinstance(data, dict):
        raise SourceError(f"{where}: the answer has no data")
    return data


def _refusal(body: str) -> str | None:
    """Prometheus' error message; None if there is none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict) or answer.get("status") != "error":
        return None
    return f"{str(answer.get('errorType'))[:40]}: {str(answer.get('error'))[:300]}"


def _sample(sample: object, labels: Mapping[str, str], ticker: str) -> Reading:
    if not isinstance(sample, list) or len(sample) != _SAMPLE:
        return unreadable("is not a pair of time and value", ticker)
    at, value = sample
    found = reading(value, ticker)
    kept = dict(islice(labels.items(), _LABELS))
    shortened = {name[:_LABEL_LENGTH]: text[:_LABEL_LENGTH] for name, text in kept.items()}
    return replace(found, evidence={"labels": shortened, "sampled_at": _moment(at)})


def _moment(at: object) -> str | None:
    if isinstance(at, bool) or not isinstance(at, int | float):
        return None
    try:
        return datetime.fromtimestamp(at, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None
