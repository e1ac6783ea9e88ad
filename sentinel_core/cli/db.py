"""`sentinel db`: where the event store is, and the revision of its tables."""

import json
from typing import Any

from cyclopts import App

from sentinel_core.cli.options import Json
from sentinel_core.cli.store import exists, masked, opened, settings, sqlite_file

app = App(name="db", help="The event store: upgrade its tables, or show its status.")


@app.command
def upgrade() -> None:
    """Bring the event store's tables to this version, creating them where there are none.

    Safe to run again, and from several places at once. The store is the one that
    SENTINEL_DATABASE_URL names, else a file in your data folder.
    """
    from sentinel_core.store.db.schema import SCHEMA_HEAD, schema_revision, upgrade

    url = settings().database_url
    with opened(url) as engine:
        before = schema_revision(engine)
        upgrade(engine)
    print(f"store     {masked(url)}")
    if before == SCHEMA_HEAD:
        print(f"revision  {SCHEMA_HEAD}, nothing to do")
    else:
        print(f"revision  {before or 'none'} -> {SCHEMA_HEAD}")


@app.command
def status(*, as_json: Json = False) -> int:
    """Show the event store's address, revision and row counts. Changes nothing.

    Exits with 1 when the store is missing or its tables are not those of this version.
    """
    from sentinel_core.store.db.schema import SCHEMA_HEAD

    url = settings().database_url
    found = _look(url)
    found["needed"] = SCHEMA_HEAD
    good = found["revision"] == SCHEMA_HEAD
    if as_json:
        print(json.dumps(found))
        return 0 if good else 1
    print(f"store     {found['store']}")
    if not found["exists"]:
        print("          does not exist yet: `sentinel db upgrade` creates it")
        return 1
    newer = (found["revision"] or "") > SCHEMA_HEAD
    step = "upgrade Sentinel here" if newer else "run `sentinel db upgrade`"
    advice = "" if good else f", this Sentinel needs {SCHEMA_HEAD}: {step}"
    print(f"revision  {found['revision'] or 'none'}{advice}")
    if found["bytes"] is not None:
        print(f"size      {found['bytes'] / 2**20:,.1f} MiB")
    for table, count in found["rows"].items():
        print(f"{table:16}  {count:>12,}")
    return 0 if good else 1


def _look(url: str) -> dict[str, Any]:
    from sqlalchemy import func, inspect, select
    from sqlmodel import SQLModel

    import sentinel_core.store.db.tables  # noqa: F401  (the tables register themselves)
    from sentinel_core.store.db.engine import reading
    from sentinel_core.store.db.schema import schema_revision

    file = sqlite_file(url)
    found: dict[str, Any] = {
        "store": masked(url),
        "exists": exists(url),
        "revision": None,
        "bytes": file.stat().st_size if file and file.exists() else None,
        "rows": {},
    }
    if found["exists"]:
        with opened(url) as engine:
            found["revision"] = schema_revision(engine)
            with reading(engine) as connection:
                there = set(inspect(connection).get_table_names())
                found["rows"] = {
                    table.name: connection.scalar(select(func.count()).select_from(table)) or 0
                    for table in SQLModel.metadata.sorted_tables
                    if table.name in there
                }
    return found
