"""Prefect's own server: how fast it answers, and whether its services keep up."""

from collections.abc import Iterator
from typing import ClassVar, Self

from prefect.client.orchestration import SyncPrefectClient
from pydantic import Field, model_validator

from sentinel_core import AlertOutput, Importance, Trigger
from sentinel_core.prefect_io.client import prefect_api, server_time
from sentinel_core.wording.text import with_unit
from triggers.pipelines import server_facts
from triggers.pipelines.server_facts import Reading
from triggers.sources.database import DatabaseUrl, database_warnings
from triggers.sources.unusable import Warnings

_NOT_MEASURED = {
    "max_api_seconds": "the latency of the API",
    "max_event_seconds": "the backlog of events",
    "max_overdue_seconds": "due runs that are not marked as late",
    "min_ahead_seconds": "the scheduler",
    "database": "the size of the database, which Prefect's API does not show",
}


class PrefectServerHealth(Trigger):
    """Prefect's server answers, and its services keep up: one series for each of its parts."""

    display_name: ClassVar[str] = "Prefect server health"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "Pipelines"
    timeout_seconds: ClassVar[float] = 120

    max_api_seconds: float | None = Field(
        2, gt=0, description="the API may take this long to answer; null: not measured"
    )
    max_event_seconds: float | None = Field(
        120,
        gt=0,
        le=600,
        description="the event of a run's end is stored within this time; null: not measured",
    )
    max_overdue_seconds: float | None = Field(
        120,
        gt=0,
        description="a due run is marked as late within this time; null: not measured",
    )
    min_ahead_seconds: float | None = Field(
        1_800,
        gt=0,
        le=3_000,
        description="every schedule has its runs made this far ahead; null: not measured",
    )
    database: DatabaseUrl | None = Field(
        None,
        description="Prefect's database: a URL, env:NAME or block:TYPE/NAME; null: size unknown",
    )
    max_database_mb: float | None = Field(
        None, gt=0, description="the database may have this many megabytes; null: no limit"
    )

    def check_warnings(self) -> Warnings:
        """What the database's URL may not be read for here."""
        return database_warnings("database", self.database) if self.database else []

    @model_validator(mode="after")
    def _size_needs_a_database(self) -> Self:
        if self.max_database_mb is not None and self.database is None:
            raise ValueError("max_database_mb: name the database that it limits in `database`")
        return self

    def check(self) -> list[AlertOutput]:
        """One output for each part of the server.

        Raises PrefectUnreachableError when Prefect's API does not answer.
        """
        with prefect_api() as client:
            reachable = server_facts.database(str(client.api_url))
            readings = [reachable]
            if not reachable.value:  # otherwise the API has nothing to answer with
                readings += self._readings(client)
        measured = ", ".join(reading.aspect for reading in readings)
        missing = self.not_measured
        left_out = f". Not measured: {'; '.join(missing)}" if missing else ""
        looked = AlertOutput(
            triggered=False,
            message=f"Looked at {measured}{left_out}",
            metrics={"value": len(readings)},
            metadata={"unit": "parts", "not_measured": missing},
        )
        return [looked, *(self.evaluate(reading) for reading in readings)]

    @property
    def not_measured(self) -> list[str]:
        """What the parameters leave out."""
        return [text for name, text in _NOT_MEASURED.items() if getattr(self, name) is None]

    def _readings(self, client: SyncPrefectClient) -> Iterator[Reading]:
        now = server_time(client)
        if self.max_api_seconds is not None:
            yield server_facts.latency(client)
        if self.max_event_seconds is not None:
            yield server_facts.events(client, now, self.max_event_seconds)
        if self.max_overdue_seconds is not None:
            yield server_facts.overdue(client, now)
        if self.min_ahead_seconds is not None:
            yield server_facts.scheduler(client, now, self.min_ahead_seconds)
        if self.database is not None:
            yield server_facts.size(self.database)

    def limit(self, aspect: str) -> float | None:
        """More than this is an alert; None: only measured."""
        limits = {
            "api": self.max_api_seconds,
            "events": self.max_event_seconds,
            "overdue": self.max_overdue_seconds,
            "size": self.max_database_mb,
        }
        return limits.get(aspect, 0)

    def evaluate(self, reading: Reading) -> AlertOutput:
        """Triggered when a reading exceeds its limit; no data when it can't be known."""
        if reading.value is None:
            return AlertOutput(
                triggered=False,
                ticker=reading.aspect,
                problem="no_data",
                message=f"Not checked: {reading.text}",
                metadata={"code": "not_known", **reading.evidence},
            )
        limit = self.limit(reading.aspect)
        beyond = limit is not None and reading.value > limit
        said = f"; the limit is {with_unit(limit, reading.unit)}" if beyond and limit else ""
        metrics = {"value": reading.value}
        return AlertOutput(
            triggered=beyond,
            ticker=reading.aspect,
            message=f"{reading.aspect}: {reading.text}{said}",
            metrics=metrics if limit is None else {**metrics, "threshold": limit},
            metadata={"unit": reading.unit, **reading.evidence},
        )
