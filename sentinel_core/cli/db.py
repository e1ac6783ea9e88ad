"""`sentinel db`: where the event store is, its identity, and the revision of its tables."""

import json
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from sentinel_core.base.errors import SchemaBehindError
from sentinel_core.cli.options import Json
from sentinel_core.cli.output import print_changes
from sentinel_core.cli.store import exists, explained, masked, opened, settings

if TYPE_CHECKING:
    from sentinel_core.prefect_io.registration import Answer

app = App(
    name="db",
    help="The event store: upgrade its tables, show its status and size, delete what is old, "
    "register it in Prefect.",
)
app.command("sentinel_core.cli.retention:size", name="size")
app.command("sentinel_core.cli.retention:prune", name="prune")


@app.command
def upgrade(*, as_json: Json = False) -> None:
    """Bring the event store's tables to this version, creating them where there are none.

    Safe to run again, and from several places at once. The store is the one that
    SENTINEL_DATABASE_URL names, else a file in your data folder. Refuses another store than the
    one that is registered in Prefect.
    """
    from sentinel_core.flow.opening import open_store
    from sentinel_core.store.db.schema import SCHEMA_HEAD, schema_revision

    url = settings().database_url
    before = None
    if exists(url):
        with opened(url) as engine:
            before = schema_revision(engine)
    with explained(url):
        open_store(settings(), upgrading=True)
    if as_json:
        step = {"name": masked(url), "before": before, "revision": SCHEMA_HEAD}
        if before == SCHEMA_HEAD:
            print_changes([], [{**step, "code": "already", "sentence": "nothing to do"}])
        else:
            print_changes([{**step, "sentence": "upgraded" if before else "created"}])
        return
    print(f"store     {masked(url)}")
    if before == SCHEMA_HEAD:
        print(f"revision  {SCHEMA_HEAD}, nothing to do")
    else:
        print(f"revision  {before or 'none'} -> {SCHEMA_HEAD}")


@app.command
def adopt(
    *,
    yes: Annotated[bool, Parameter(negative="", help="Replace what is registered.")] = False,
    as_json: Json = False,
) -> int:
    """Register this event store in Prefect as the one of all runs, in place of another.

    For a store that replaces a lost one, and where a new, empty one is to begin. The store is the
    one that SENTINEL_DATABASE_URL names; it is created if it is missing. From then on only
    processes that use it record, notify and acknowledge.
    """
    from sentinel_core.flow.opening import adopt as adopting
    from sentinel_core.flow.opening import described, look
    from sentinel_core.prefect_io.client import prefect_api
    from sentinel_core.prefect_io.registration import ask

    given = settings()
    with prefect_api() as client, explained(given.database_url):
        answer = ask(given.store_variable)
        identity, older = None, False
        try:
            _, identity = look(given.database_url)
        except SchemaBehindError:
            older = True
        step: dict[str, Any] = {"name": masked(given.database_url), "replaces": _replaced(answer)}
        if identity is not None and identity == answer.identity:
            if as_json:
                already = {"code": "already", "sentence": "registered already"}
                print_changes([], [{**step, **already, "identity": identity}])
                return 0
            print(f"store     {masked(given.database_url)}\nregistered already: {identity}")
            return 0
        if as_json:
            if not yes:
                step |= {"code": "not-confirmed", "sentence": "--yes replaces what is registered"}
                print_changes([], [{**step, "identity": identity}], ok=False)
                return 1
            registered = adopting(client, given)
            step |= {"sentence": "registered", "identity": registered.identity}
            print_changes([step])
            return 0
        print(f"store       {masked(given.database_url)}")
        created = "its tables are upgraded first" if older else "a new, empty store is created"
        print(f"identity    {identity or f'none: {created}'}")
        print(f"replaces    {_replaced(answer)}")
        if not yes:
            print("Nothing was changed. Run `sentinel db adopt --yes` to do this.")
            return 1
        print(f"registered  {described(adopting(client, given))}")
    return 0


def _replaced(answer: "Answer") -> str:
    from sentinel_core.flow.opening import described

    if answer.registration is not None:
        return described(answer.registration)
    return "nothing" if answer.known == "none" else "a value that can't be read"


@app.command
def status(*, as_json: Json = False) -> int:
    """Show the event store's address, identity, revision and row counts. Changes nothing.

    Exits with 1 when the store is missing, when its tables are not those of this version, and when
    another store is registered in Prefect.
    """
    from sentinel_core.flow.opening import described
    from sentinel_core.prefect_io.registration import ask
    from sentinel_core.store.db.schema import SCHEMA_HEAD

    url = settings().database_url
    found = _look(url)
    found["needed"] = SCHEMA_HEAD
    answer = ask(settings().store_variable)
    registered = answer.registration
    found["registered"] = registered.model_dump(mode="json") if registered else None
    mine = registered is None or str(registered.identity) == found["identity"]
    current = found["revision"] == SCHEMA_HEAD
    good = current and mine and answer.known != "unreadable"
    if as_json:
        print(json.dumps(found))
        return 0 if good else 1
    print(f"store     {found['store']}")
    if not found["exists"]:
        print("          does not exist yet: `sentinel db upgrade` creates it")
        if registered:
            print(f"in Prefect  {described(registered)}: restore it, or `sentinel db adopt`")
        return 1
    newer = (found["revision"] or "") > SCHEMA_HEAD
    step = "upgrade Sentinel here" if newer else "run `sentinel db upgrade`"
    advice = "" if current else f", this Sentinel needs {SCHEMA_HEAD}: {step}"
    print(f"revision  {found['revision'] or 'none'}{advice}")
    if found["identity"]:
        print(f"identity  {found['identity']}{_REGISTERED[answer.known] if mine else ''}")
    if registered and mine and registered.place != found["store"]:
        print(f"          registered as {registered.place}: of two copies use one only")
    if registered and not mine:
        print(f"          not the one in Prefect: {described(registered)}")
        print("          correct SENTINEL_DATABASE_URL, or run `sentinel db adopt`")
    if found["bytes"] is not None:
        print(f"size      {found['bytes'] / 2**20:,.1f} MiB")
    for table, count in found["rows"].items():
        print(f"{table:16}  {count:>12,}")
    return 0 if good else 1


_REGISTERED = {
    "registered": ", registered in Prefect",
    "none": ", not registered in Prefect yet",
    "unreadable": ", and the variable in Prefect can't be read: run `sentinel db adopt`",
    "unreachable": ", and Prefect does not answer",
    "no-prefect": "",
}


def _look(url: str) -> dict[str, Any]:
    from sqlalchemy import func, inspect, select
    from sqlmodel import SQLModel

    import sentinel_core.store.db.tables  # noqa: F401  (the tables register themselves)
    from sentinel_core.store.db.engine import sqlite_file, transaction
    from sentinel_core.store.db.schema import SCHEMA_HEAD, require_schema, schema_revision

    file = sqlite_file(url)
    found: dict[str, Any] = {
        "store": masked(url),
        "exists": exists(url),
        "revision": None,
        "identity": None,
        "bytes": file.stat().st_size if file and file.exists() else None,
        "rows": {},
    }
    if found["exists"]:
        with opened(url) as engine:
            found["revision"] = schema_revision(engine)
            if found["revision"] == SCHEMA_HEAD:
                found["identity"] = str(require_schema(engine))
            with transaction(engine, write=False) as connection:
                there = set(inspect(connection).get_table_names())
                found["rows"] = {
                    table.name: connection.scalar(select(func.count()).select_from(table)) or 0
                    for table in SQLModel.metadata.sorted_tables
                    if table.name in there and table.name != "store_identity"
                }
    return found
