"""A report from the store to its readers: made, enqueued, saved as a Prefect artifact, sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx
from prefect.artifacts import create_markdown_artifact
from sqlalchemy import Engine

from sentinel_core.base.errors import PrefectUnreachableError, SetupError
from sentinel_core.base.settings import Settings
from sentinel_core.model.routing import Route
from sentinel_core.notify.deliver import deliver_due
from sentinel_core.prefect_io.client import prefect_api
from sentinel_core.report.figures import Window
from sentinel_core.report.flow_runs import read_flow_runs
from sentinel_core.report.query import enqueue_report, figures
from sentinel_core.report.run_figures import SLOW_SECONDS, FlowRuns
from sentinel_core.report.tables import facts, markdown
from sentinel_core.wording.text import without_userinfo

ARTIFACT_KEY = "sentinel-daily-report"
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Report:
    """A report and its identity `about`: no reader gets two with the same."""

    about: str
    facts: dict[str, Any]


def make_report(
    engine: Engine,
    name: str,
    until: datetime,
    lasting: timedelta,
    timezone: str = "UTC",
    slow_seconds: float = SLOW_SECONDS,
) -> Report:
    """The report of the time before `until`. Raises SetupError for an unknown time zone.

    Runs of people's own flows are slow from `slow_seconds` on. Where Prefect does not say what ran,
    the report says that.

    `name` distinguishes reports of one day; the identity of a report of less than a day has its
    time too.
    """
    # Prefect's datetime is a class of its own.
    until = datetime.fromtimestamp(until.timestamp() // 60 * 60, UTC)
    try:
        local = until.astimezone(ZoneInfo(timezone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SetupError(f"there is no time zone {timezone[:60]!r}: try Europe/Berlin") from error
    window = Window(until - lasting, until, timezone)
    found = figures(engine, window, datetime.now(UTC))
    when = f"{local:%Y-%m-%d}" if lasting >= _DAY else f"{local:%Y-%m-%dT%H:%M%z}"
    title = name.replace("-", " ").capitalize()
    return Report(
        f"report:{name}:{when}", facts(found, title, _own_flow_runs(window, slow_seconds))
    )


def _own_flow_runs(window: Window, slow_seconds: float) -> FlowRuns | str:
    """The runs of people's own flows, or why they are not known."""
    try:
        with prefect_api() as client:
            return read_flow_runs(client, window, slow_seconds)
    except PrefectUnreachableError as error:
        return str(error)
    except httpx.HTTPError as error:
        return without_userinfo(f"Prefect's API answered with an error: {error}")


def publish(engine: Engine, settings: Settings, made: Report, routes: Sequence[Route]) -> str:
    """Enqueue the report to its readers, save it as an artifact, send it; returns a line about it.

    Enqueued first: if this process dies after that, the flow `deliver` sends it.
    """
    routes = [single for route in routes for single in route.each()]
    new = enqueue_report(engine, made.about, made.facts, routes, datetime.now(UTC))
    create_markdown_artifact(
        markdown(made.facts), key=ARTIFACT_KEY, description=made.facts["sentence"]
    )
    deliver_due(engine, settings)
    to = f"enqueued for {len(new)} of {len(routes)} channels" if routes else "no channels"
    before = ", the others have it already" if len(new) < len(routes) else ""
    return f"{made.facts['sentence']} ({made.about}, {to}{before})"
