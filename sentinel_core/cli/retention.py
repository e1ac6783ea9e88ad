"""`sentinel db size` and `sentinel db prune`: how the event store grows, and what is deleted."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from sentinel_core.cli.options import Flag, Json
from sentinel_core.cli.output import print_json, print_table
from sentinel_core.cli.parse import utc_now
from sentinel_core.cli.store import event_store, settings, writable_store

if TYPE_CHECKING:
    from sentinel_core.store.retention.prune import Pruned


def size(*, as_json: Json = False) -> None:
    """Show the rows and bytes of each table, and the growth by rule and day. Changes nothing.

    The growth is that of the last 7 days. Reads every table, which takes a while with millions of
    rows; nothing waits for it.
    """
    from sentinel_core.store.retention.size import store_size

    with event_store() as engine:
        found = store_size(engine, utc_now())
    if as_json:
        print_json(asdict(found))
        return
    print_table(
        ["table", "rows", "MiB", "oldest row"],
        [
            (
                table.table,
                table.rows,
                "?" if table.bytes is None else f"{table.bytes / 2**20:,.1f}",
                f"{table.oldest:%F %R} UTC" if table.oldest else "",
            )
            for table in found.tables
        ],
    )
    if not found.growth:
        print("\nNothing was evaluated in the last 7 days.")
        return
    print()
    total = sum(rule.evaluations for rule in found.growth)
    print_table(
        ["rule", "evaluations a day", "MiB a day"],
        [(rule.rule, round(rule.evaluations), _mib(rule.bytes)) for rule in found.growth]
        + [("all rules", round(total), _mib(sum(rule.bytes or 0 for rule in found.growth)))],
    )


def _mib(taken: float | None) -> str:
    return "?" if not taken else f"{taken / 2**20:,.2f}"


def prune(
    *,
    dry_run: Annotated[
        bool, Flag, Parameter(help="Count what would go, and delete nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Delete what the SENTINEL_RETENTION_* settings no longer keep, as the retention flow does.

    Unresolved events stay with all that belongs to them, and so does the audit. It deletes in short
    transactions, so that runs are recorded meanwhile, and can be stopped at any moment.
    """
    from rich.console import Console

    from sentinel_core.store.retention.cutoffs import Periods
    from sentinel_core.store.retention.prune import prune as pruning
    from sentinel_core.store.retention.prune import would_prune

    periods, now = Periods.of(settings()), utc_now()
    if dry_run:
        with event_store() as engine:
            _print(would_prune(engine, periods, now), as_json)
        return
    gone = 0
    console = Console(stderr=True)
    with writable_store() as engine, console.status("Deleting …") as status:

        def progress(_table: str, rows: int) -> None:
            nonlocal gone
            gone += rows
            status.update(f"Deleting … {gone:,} rows")

        done = pruning(engine, periods, now, progress=progress)
    _print(done, as_json)


def _print(pruned: "Pruned", as_json: bool) -> None:
    if as_json:
        print_json(asdict(pruned))
        return
    before = pruned.cutoffs
    cutoffs = {
        "evaluation": before.evaluations,
        "evaluation_hour": before.hours,
        "alert_event": before.events,
        "notification": before.events,
        "alert_series": before.series,
    }
    print_table(
        ["table", "rows to go" if pruned.dry_run else "rows deleted", "older than"],
        [
            (table, rows, f"{cutoffs[table]:%F %R} UTC" if cutoffs[table] else "kept for ever")
            for table, rows in pruned.rows.items()
        ]
        if pruned.reconciled
        else [],
    )
    print(f"{pruned.sentence()}.")
