"""`sentinel reconcile`."""

from sentinel_core.cli.options import Json


def reconcile(*, settle_seconds: float = 30, as_json: Json = False) -> int:
    """Compare Prefect's runs with the event store now, and record what is missing.

    The same as the scheduled flow `reconcile/reconcile`: records runs whose hook was lost, closes
    stuck runs, reports silent rules, sends pending notifications. Running it twice changes nothing.

    Parameters
    ----------
    settle_seconds
        Leave runs that ended more recently than this to their own hooks.
    """
    from dataclasses import asdict
    from datetime import timedelta

    from rich.console import Console

    from sentinel_core.base.settings import get_settings
    from sentinel_core.cli.output import print_json
    from sentinel_core.flow.hooks import connected
    from sentinel_core.flow.reconcile import reconcile as run
    from sentinel_core.prefect_io.client import prefect_api

    console = Console(stderr=as_json)
    settings = get_settings()
    with (
        prefect_api() as client,
        connected(settings) as engine,
        console.status("Reconciling …"),
    ):
        report = run(
            client,
            engine,
            settings,
            say=lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True),
            settle=timedelta(seconds=settle_seconds),
        )
    if as_json:
        print_json({"ok": True, **asdict(report)})
        return 0
    console.print(report.sentence(), highlight=False, soft_wrap=True)
    return 0
