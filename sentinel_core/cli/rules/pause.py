"""`sentinel rules pause` and `resume`: in Prefect, signed in the event store's audit."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Literal

import httpx
from cyclopts import Parameter
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import PrefectException

from sentinel_core.base.errors import SentinelError, UsageError
from sentinel_core.cli.options import By, Json, Why
from sentinel_core.cli.output import one_line, print_changes
from sentinel_core.cli.parse import author, quoted, utc_now
from sentinel_core.cli.store import writable_store
from sentinel_core.flow.operate import CHANGES
from sentinel_core.prefect_io.client import all_deployments, prefect_api
from sentinel_core.prefect_io.facts import is_rule, rule_facts
from sentinel_core.rulefile.check_housekeeping import WITHOUT
from sentinel_core.rulefile.phrases import did_you_mean
from sentinel_core.store.record.rules import audit_rules
from sentinel_core.store.state.rules import sync
from sentinel_core.wording.text import without_userinfo

Names = Annotated[str, Parameter(help="Names of rules; * and ? allowed.")]
Found = tuple[DeploymentResponse, str]


def pause(*names: Names, comment: Why = "", by: By = None, as_json: Json = False) -> int:
    """Pause rules in Prefect: no more runs are scheduled until they are resumed.

    Their open events stay open. Deploying keeps the pause, unless the file says `paused: false`. A
    name with * or ? takes rules alone; Sentinel's own flows are paused by their whole names.

    `sentinel rules pause "disk-*" --comment "moving disks"`
    """
    return _change(names, "rule-paused", comment, by, as_json=as_json)


def resume(*names: Names, comment: Why = "", by: By = None, as_json: Json = False) -> int:
    """Resume paused rules in Prefect: they are checked on their schedules again.

    Of a rule none of whose schedules is active, all schedules are made active.

    `sentinel rules resume "disk-*"`
    """
    return _change(names, "rule-resumed", comment, by, as_json=as_json)


def _change(
    names: Sequence[str],
    action: Literal["rule-paused", "rule-resumed"],
    comment: str,
    by: str | None,
    *,
    as_json: bool,
) -> int:
    pausing = action == "rule-paused"
    did = "paused" if pausing else "resumed"
    if not names:
        raise UsageError("name at least one rule: `sentinel rules list` shows them")
    who, now = author(by), utc_now()
    # The store first: what could not be signed is not done.
    with prefect_api() as client, writable_store() as engine:
        chosen = _chosen(all_deployments(client), names)
        done: list[Found] = []
        already: list[Found] = []
        for found in chosen:
            try:
                if not CHANGES[action](client, found[0]):
                    already.append(found)
                    continue
                # Each at once: an error at a later rule must not leave this one unsigned.
                done.append(found)
                audit_rules(engine, [found[0].name], action, by=who, comment=comment, now=now)
            except (httpx.HTTPError, PrefectException, SentinelError) as error:
                raise _stopped(error, found, done, did) from error
        if done:
            # So that a rule that is not checked on purpose is not called silent until reconcile.
            facts = [
                rule_facts(client.read_deployment(item.id), flow_name)
                for item, flow_name in done
                if is_rule(item)
            ]
            sync(engine, facts, now)
    had = "was paused already" if pausing else "was not paused"
    if as_json:
        print_changes(
            [{"name": item.name, "sentence": did} for item, _ in done],
            [{"name": item.name, "code": "already", "sentence": had} for item, _ in already],
        )
    else:
        for found in chosen:
            print(f"{one_line(found[0].name)}: {did if found in done else had}")
    return 0


def _stopped(error: Exception, at: Found, done: Sequence[Found], did: str) -> SentinelError:
    """The error for a rule that could not be changed, with those that were changed before."""
    changed = ", ".join(one_line(item.name) for item, _ in done) or "none"
    reason = without_userinfo(one_line(str(error) or type(error).__name__))
    return SentinelError(
        f"{one_line(at[0].name)} failed: {reason}. Already {did}: {changed}. "
        "Run the command again for the rest"
    )


def _chosen(deployments: Sequence[Found], names: Sequence[str]) -> list[Found]:
    """The deployments of these names, each once. Raises UsageError for a name without one."""
    mine = [found for found in deployments if is_rule(found[0]) or found[1] in WITHOUT]
    known = [item.name for item, _ in mine]
    wanted: set[str] = set()
    for name in names:
        matching = {
            item.name
            for item, _ in mine
            if item.name == name or (is_rule(item) and fnmatchcase(item.name, name))
        }
        if not matching:
            raise UsageError(
                f"no deployed rule is named {quoted(name)}{did_you_mean(name, known)} "
                "(`sentinel rules list` shows them); nothing was changed"
            )
        wanted |= matching
    return [found for found in mine if found[0].name in wanted]
