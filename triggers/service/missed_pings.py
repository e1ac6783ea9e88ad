"""Jobs outside Prefect that have not said in time that they ran: a dead man's switch."""

from datetime import UTC, datetime
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from sentinel_core import AlertOutput, History, Importance, Trigger
from sentinel_core.base.errors import HistoryUnavailableError
from sentinel_core.model.ping import Key
from sentinel_core.model.times import span, utc
from sentinel_core.model.trigger import PingedHistory

_WAITING = "waiting_since"


def _different(keys: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(keys)) < len(keys):
        raise ValueError("each key is named once")
    return keys


class MissedPings(Trigger):
    """A job outside Prefect has not pinged in time. Each key is a series of its own."""

    display_name: ClassVar[str] = "Missed pings"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "System"

    keys: Annotated[tuple[Key, ...], AfterValidator(_different)] = Field(
        min_length=1, max_length=100, description="what the jobs call themselves: POST /ping/{key}"
    )
    every_seconds: float = Field(
        86_400, gt=0, le=3_200_000, allow_inf_nan=False, description="how often each job runs"
    )
    grace_seconds: float = Field(
        300, ge=0, le=3_200_000, allow_inf_nan=False, description="how late a ping may be"
    )

    def check(self, history: History) -> list[AlertOutput]:
        """An output for each key. Raises HistoryUnavailableError without an event store."""
        if not isinstance(history, PingedHistory):
            raise HistoryUnavailableError(
                "pings are read from the event store, which knows this rule once it is deployed"
            )
        last, now = history.pings(self.keys), datetime.now(UTC)
        return [
            self.evaluate(key, last.get(key), self._since(history, key, now), now)
            for key in self.keys
        ]

    @staticmethod
    def _since(history: History, key: str, now: datetime) -> datetime:
        """Since when the rule waits for a key's first ping: its first evaluation."""
        for past in history.latest(1, key):
            since = past.metadata.get(_WAITING)
            return datetime.fromisoformat(since) if isinstance(since, str) else past.at
        return now

    def evaluate(
        self, key: str, last: datetime | None, since: datetime, now: datetime
    ) -> AlertOutput:
        """The verdict on one key: `last` is its last ping, `since` when the rule began to wait."""
        allowed = self.every_seconds + self.grace_seconds
        age = max((now - (last or since)).total_seconds(), 0.0)
        missed = age > allowed
        metadata = {
            "last_ping": last.isoformat() if last else None,
            _WAITING: since.isoformat(),
            "unit": "s",
        }
        return AlertOutput(
            triggered=missed,
            ticker=key,
            message=f"{key}: {_said(last, since, age)}; "
            f"{'more than' if missed else 'allowed are'} {span(allowed)}",
            metrics={"value": age, "threshold": allowed},
            metadata=metadata,
        )


def _said(last: datetime | None, since: datetime, age: float) -> str:
    if last is None:
        return f"no ping has come in {span(age)} (since {utc(since)})"
    return f"the last ping came {span(age)} ago ({utc(last)})"
