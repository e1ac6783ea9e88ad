"""A report from the store to its readers: made, owed, kept as a Prefect artifact, sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from prefect.artifacts import create_markdown_artifact
from sqlalchemy import Engine

from sentinel_core.base.errors import SetupError
from sentinel_core.base.settings import Settings
from sentinel_core.model.routing import Route
from sentinel_core.notify.deliver import deliver_due
from sentinel_core.report.figures import Window
from sentinel_core.report.query import figures, owe_report
from sentinel_core.report.tables import facts, markdown

ARTIFACT_KEY = "sentinel-daily-report"
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Report:
    """A report and what it is known by: nobody is sent two of the same name."""

    about: str
    facts: dict[str, Any]


def report(
    engine: Engine, name: str, until: datetime, lasting: timedelta, timezone: str = "UTC"
) -> Report:
    """The report of the time before `until`. Raises SetupError for a time zone there is not.

    `name` tells reports of one day apart; one of less than a day has its time in its name too.
    """
    until = datetime.fromtimestamp(
        until.timestamp() // 60 * 60, UTC
    )  # Prefect has times of its own
    try:
        local = until.astimezone(ZoneInfo(timezone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SetupError(f"there is no time zone {timezone[:60]!r}: try Europe/Berlin") from error
    window = Window(until - lasting, until, timezone)
    found = figures(engine, window, datetime.now(UTC))
    when = f"{local:%Y-%m-%d}" if lasting >= _DAY else f"{local:%Y-%m-%dT%H:%M%z}"
    title = name.replace("-", " ").capitalize()
    return Report(f"report:{name}:{when}", facts(found, title))


def publish(engine: Engine, settings: Settings, made: Report, routes: Sequence[Route]) -> str:
    """Owe the report to its readers, keep it as an artifact, send it; what was done, in a line.

    It is owed first: whatever dies after that, flows/deliver.py sends it.
    """
    routes = [one for route in routes for one in route.each()]
    owed = owe_report(engine, made.about, made.facts, routes, datetime.now(UTC))
    keep(made)
    deliver_due(engine, settings)
    told = f"owed to {len(owed)} of {len(routes)} channels" if routes else "sent to nobody"
    before = ", the others have it" if len(owed) < len(routes) else ""
    return f"{made.facts['sentence']} ({made.about}, {told}{before})"


def keep(made: Report) -> None:
    """The report as a Markdown artifact of the run."""
    create_markdown_artifact(
        markdown(made.facts), key=ARTIFACT_KEY, description=made.facts["sentence"]
    )
