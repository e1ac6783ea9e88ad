"""The hosts on which runs execute: processors, memory and disk, as their runs have told."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, ClassVar

from pydantic import Field

from sentinel_core import AlertOutput, History, Importance, Trigger
from sentinel_core.base.errors import HistoryUnavailableError
from sentinel_core.decide.hosts import LIMITS, SILENT_AFTER, Host, HostHistory
from sentinel_core.model.times import span, utc
from sentinel_core.wording.text import flat

_NAMES = {"cpu": "the processors", "memory": "the memory", "disk": "the root file system"}
_LONGEST = 180  # characters of a host's name

Percent = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]
Pattern = Annotated[str, Field(min_length=1, max_length=200)]


class HostLimits(Trigger):
    """A host on which runs execute is too busy or too full. Each of its parts is a series."""

    display_name: ClassVar[str] = "Host limits"
    default_importance: ClassVar[Importance] = Importance.HIGH
    default_category: ClassVar[str] = "System"

    cpu: Percent = Field(LIMITS["cpu"], description="percent of the processors")
    memory: Percent = Field(LIMITS["memory"], description="percent of the memory")
    disk: Percent = Field(LIMITS["disk"], description="percent of the root file system")
    silent_after_seconds: float = Field(
        SILENT_AFTER.total_seconds(),
        ge=120,
        le=3600,
        allow_inf_nan=False,
        description="age of a host's newest sample from which on nothing is known of it",
    )
    come_and_go: tuple[Pattern, ...] = Field(
        (),
        max_length=100,
        description="names of hosts (`*` stands for any text) that end when they have no runs, "
        "such as containers: it is no missing data when they are silent",
    )

    def check(self, history: History) -> list[AlertOutput]:
        """The outputs of all hosts. Raises HistoryUnavailableError without an event store."""
        if not isinstance(history, HostHistory):
            raise HistoryUnavailableError(
                "the samples of hosts are read from the event store, which knows this rule once it "
                "is deployed"
            )
        return self.evaluate(history.hosts(self._silent_after), datetime.now(UTC))

    @property
    def _silent_after(self) -> timedelta:
        return timedelta(seconds=self.silent_after_seconds)

    def evaluate(self, found: Sequence[Host], now: datetime) -> list[AlertOutput]:
        """Three outputs for each host that was heard of, and no data where nothing is known."""
        outputs = [output for host in found for output in self._of_host(host, now)]
        if any(output.problem is None for output in outputs):
            return outputs
        within = span(self.silent_after_seconds)
        nothing = _unknown("", f"no run has told of its host for {within}: nothing is known of any")
        return [*outputs, nothing]

    def _of_host(self, host: Host, now: datetime) -> list[AlertOutput]:
        name = flat(host.name, _LONGEST)
        if not host.silent(now, self._silent_after):
            return [self._of_part(name, host, part, now) for part in LIMITS]
        if any(fnmatchcase(host.name, pattern) for pattern in self.come_and_go):
            return []
        since = utc(host.latest.at)
        why = f"{name} was last heard of at {since}: what is in use of it is not known"
        return [_unknown(f"{name} {part}", why) for part in LIMITS]

    def _of_part(self, name: str, host: Host, part: str, now: datetime) -> AlertOutput:
        ticker, limit = f"{name} {part}", float(getattr(self, part))
        used = host.known(part, now - self._silent_after)
        if used is None:
            return _unknown(ticker, f"{name}: how busy {_NAMES[part]} are is not known yet")
        over = used > limit
        return AlertOutput(
            triggered=over,
            ticker=ticker,
            message=f"{name}: {used:.4g} % of {_NAMES[part]} in use; "
            f"{'more than' if over else 'allowed are'} {limit:g} %",
            metrics={"value": used, "threshold": limit},
            metadata={"unit": "%", "host": name, "sampled_at": host.latest.at.isoformat()},
        )


def _unknown(ticker: str, why: str) -> AlertOutput:
    return AlertOutput(triggered=False, problem="no_data", ticker=ticker, message=why)
