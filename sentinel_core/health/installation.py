"""The installation that is checked: its settings, its rule file and Prefect's deployments."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from prefect.client.schemas.responses import DeploymentResponse

from sentinel_core.base.settings import Settings
from sentinel_core.prefect_io.client import all_deployments, prefect_api
from sentinel_core.prefect_io.facts import is_rule
from sentinel_core.rulefile.check_housekeeping import WITHOUT
from sentinel_core.rulefile.source import RuleFile


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment in Prefect, with the name of its flow."""

    item: DeploymentResponse
    flow_name: str
    is_rule: bool


@dataclass
class Installation:
    """What the checks look at. `file` is None where there is no rule file."""

    settings: Settings
    file: RuleFile | None
    now: datetime
    _every: Sequence[Deployment] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def deployed(self) -> Sequence[Deployment]:
        """The rules and the housekeeping in Prefect. Raises PrefectUnreachableError."""
        return [one for one in self.every() if one.is_rule or one.flow_name in WITHOUT]

    def every(self) -> Sequence[Deployment]:
        """All deployments in Prefect, also those of other flows; read once for all checks.

        Raises PrefectUnreachableError.
        """
        with self._lock:
            if self._every is None:
                with prefect_api() as client:
                    self._every = [
                        Deployment(item, flow_name, is_rule(item))
                        for item, flow_name in all_deployments(client)
                    ]
            return self._every
