"""`sentinel api token`: who may ask the HTTP API."""

from datetime import timedelta
from typing import Annotated, Literal

from cyclopts import Parameter, validators

from sentinel_core.base.errors import UsageError
from sentinel_core.cli.options import By, Json
from sentinel_core.cli.output import print_changes, print_json, print_table
from sentinel_core.cli.parse import author, quoted, utc_now
from sentinel_core.cli.store import event_store, writable_store
from sentinel_core.model.times import utc
from sentinel_core.model.token import Role
from sentinel_core.store.read.api_tokens import api_tokens
from sentinel_core.store.record import api_tokens as record

TokenName = Annotated[str, Parameter(help="The token's name: who or what uses it.")]


def create_(
    name: TokenName,
    *,
    role: Annotated[
        Literal["read", "operate"],
        Parameter(help="`read` only reads; `operate` also changes events and runs rules."),
    ],
    days: Annotated[
        int | None,
        Parameter(
            validator=validators.Number(gte=1, lte=3660),
            help="Days after which it expires; without it, it never does.",
        ),
    ] = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Create a token and print it, this once: only its hash is kept.

    With the first token, reading needs one as well; only /health stays open.

    `sentinel api token create grafana --role read --days 365`
    """
    who, now = author(by), utc_now()
    until = now + timedelta(days=days) if days is not None else None
    with writable_store() as engine:
        token, secret = record.create(engine, name, Role(role), expires_at=until, by=who, now=now)
    if as_json:
        made = {"name": name, "sentence": "created", "token": secret, "role": role}
        print_changes([{**made, "expires_at": token.expires_at}])
        return
    print(secret)


def list_(*, as_json: Json = False) -> None:
    """List the tokens, without what is secret. Times in UTC."""
    now = utc_now()
    with event_store() as engine:
        found = api_tokens(engine)
    if as_json:
        print_json([{**token.model_dump(), "usable": token.usable(now)} for token in found])
        return
    if not found:
        print("no tokens: reading is open to every user of this machine, and nobody may change")
        return
    rows = []
    for token in found:
        state = "usable"
        if token.revoked_at is not None:
            state = f"revoked {utc(token.revoked_at)} by {token.revoked_by}"
        elif not token.usable(now):
            state = "expired"
        expires = utc(token.expires_at) if token.expires_at else "never"
        made = f"{utc(token.created_at)} by {token.created_by}"
        rows.append((token.name, token.role, expires, state, made))
    print_table(("Name", "Role", "Expires", "State", "Created"), rows)


def revoke_(name: TokenName, *, by: By = None, as_json: Json = False) -> None:
    """Revoke a token, at once and for good. Its name can be used again.

    `sentinel api token revoke grafana`
    """
    with writable_store() as engine:
        done = record.revoke(engine, name, by=author(by), now=utc_now())
    if not done:
        raise UsageError(
            f"no token in use is named {quoted(name)}: `sentinel api token list` shows them"
        )
    if as_json:
        print_changes([{"name": name, "sentence": "revoked"}])
    else:
        print(f"token {name}: revoked")
