"""`sentinel report`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH = 40


def report(
    *,
    hours: Annotated[int, Parameter(help="How many hours back.")] = 24,
    timezone: Annotated[str, Parameter(help="The zone of the times: Europe/Berlin.")] = "UTC",
    chart: Annotated[Path | None, Parameter(help="Also write the chart there, as PNG.")] = None,
    flow: Annotated[
        str | None, Parameter(help="Only the last runs of this flow of yours, by its name.")
    ] = None,
    last: Annotated[int | None, Parameter(help="How many of them; 10 by default.")] = None,
    slow_seconds: Annotated[
        float, Parameter(help="Seconds from which on a run of your own flows is slow.")
    ] = 3600,
    json: Annotated[
        bool, Parameter("--json", negative="", help="Print JSON instead of text.")
    ] = False,
) -> int:
    """Print the daily report as of now; sends nothing and changes nothing.

    Events by importance and state, unacknowledged events, noisiest and slowest rules,
    evaluations and coverage, notifications; and the runs of your own flows. With --flow, the last
    runs of one flow.

    `sentinel report --flow etl --last 10`
    """
    from datetime import UTC, datetime, timedelta
    from json import dumps

    from sentinel_core.base.errors import SetupError, UsageError
    from sentinel_core.cli import store
    from sentinel_core.cli.flow_report import report_flow
    from sentinel_core.message.charts import report_chart
    from sentinel_core.report.publish import make_report
    from sentinel_core.store.db.schema import require_schema

    if slow_seconds <= 0:
        raise UsageError(f"--slow-seconds must be above 0; got {slow_seconds:g}")
    if flow is not None:
        if chart is not None:
            raise UsageError("--chart is of the daily report: leave it out, or leave out --flow")
        return report_flow(flow, 10 if last is None else last, slow_seconds, as_json=json)
    if last is not None:
        raise UsageError("--last counts the runs of one flow: name it with --flow")
    if not 1 <= hours <= 24 * 366:
        raise SetupError(f"--hours must be from 1 to 8784; got {hours}")
    url = store.settings().database_url
    if not store.exists(url):
        raise SetupError(f"there is no event store at {store.masked(url)} yet: run `sentinel up`")
    with store.opened(url) as engine:
        require_schema(engine)
        now = datetime.now(UTC)
        lasting = timedelta(hours=hours)
        facts = make_report(engine, "report", now, lasting, timezone, slow_seconds).facts
    if chart is not None:
        picture = report_chart(facts["bars"])
        if picture is None:
            raise SetupError("there is no chart: no event opened in that time")
        try:
            chart.write_bytes(picture)
        except OSError as error:
            raise SetupError(f"the chart can't be written to {chart}: {error.strerror}") from error
    if json:
        print(dumps(facts, indent=2, ensure_ascii=False))
    else:
        _show(facts)
    return 0


def _show(facts: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.text import Text

    from sentinel_core.cli.output import print_table

    console = Console()
    console.print(Text(facts["title"], style="bold"))
    console.print(Text(facts["sentence"]), soft_wrap=True)
    console.print()
    print_table(("", ""), facts["figures"], folded={""})
    _show_bars(console, facts["bars"], facts["chart_text"])
    for section in facts["sections"]:
        print()
        print_table(
            section["columns"],
            section["rows"],
            title=section["title"],
            folded=section["columns"][:1],
        )


def _show_bars(console: "Console", bars: dict[str, Any], title: str) -> None:
    """One line for each bar, the longest as wide as there is room."""
    from datetime import datetime

    from rich.text import Text

    from sentinel_core.wording.colours import COLOURS

    totals = [sum(column) for column in zip(*bars["counts"].values(), strict=True)]
    if not (highest := max(totals, default=0)):
        return
    console.print()
    console.print(Text(title, style="bold"))
    for position, since in enumerate(bars["since"]):
        line = Text(f"{datetime.fromisoformat(since):%b %d %H:%M}  ", style="dim")
        for name, column in bars["counts"].items():
            width = -(-column[position] * _WIDTH // highest)
            line.append("█" * width, style=COLOURS.get(name, ""))
        line.append(f" {totals[position]:,}" if totals[position] else "")
        console.print(line)
