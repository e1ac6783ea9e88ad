"""What deploying would change is decided from two descriptions, without a server."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from sentinel_core.rulefile.deploy.plan import Action, Deployed, Schedule, Step, Wanted, plan

HERE = [{"set_working_directory": {"directory": "/project"}}]
ELSEWHERE = [{"set_working_directory": {"directory": "/other"}}]
FIELDS = {"description": "Disk.", "tags": ["a"], "parameters": {"check": {"threshold": 90}}}
SHARED: dict[str, Any] = {
    "name": "disk",
    "flow_name": "disk-usage",
    "fields": FIELDS,
    "pull_steps": HERE,
    "entrypoint": "flows/a.py:x",
    "is_rule": True,
}


def at(cron: str, number: int = 0, **keys: Any) -> Schedule:
    return Schedule(("cron", cron, "UTC"), cron, **{"active": None, "id": UUID(int=number), **keys})


def wanted(**keys: Any) -> Wanted:
    made = Wanted(index=0, paused=None, schedules=(at("0 *"),), **SHARED)
    return replace(made, **keys)


def deployed(**keys: Any) -> Deployed:
    schedules = (at("0 *", 1, active=True),)
    made = Deployed(id=UUID(int=9), paused=False, schedules=schedules, **SHARED)
    return replace(made, **keys)


def step(new: Wanted, old: Deployed) -> Step:
    (only,) = plan([new], [old]).steps
    return only


def told(new: Wanted, old: Deployed) -> list[str]:
    return [str(change) for change in step(new, old).changes]


def test_what_is_not_deployed_is_created() -> None:
    (only,) = plan([wanted()], []).steps
    assert only.action is Action.CREATE


def test_what_is_the_same_is_left_alone() -> None:
    assert step(wanted(), deployed()).action is Action.UNCHANGED
    as_float = {**FIELDS, "parameters": {"check": {"threshold": 90.0}}}
    assert step(wanted(fields=as_float), deployed()).action is Action.UNCHANGED


def test_what_cannot_be_compared_is_deployed_again() -> None:
    again = step(wanted(incomparable="has build"), deployed())
    assert (again.action, again.changes) == (Action.UPDATE, ())


def test_each_field_that_changes_is_named_with_both_values() -> None:
    by_hand = {**FIELDS, "tags": [], "parameters": {"check": {"threshold": 5, "path": "/"}}}
    assert told(wanted(), deployed(fields=by_hand)) == [
        "tags: [] -> ['a']",
        "parameters.check.threshold: 5 -> 90",
        "parameters.check.path: '/' -> nothing",
    ]


def test_true_is_not_one() -> None:
    old = deployed(fields={**FIELDS, "parameters": {"check": {"threshold": True}}})
    new = wanted(fields={**FIELDS, "parameters": {"check": {"threshold": 1}}})
    assert told(new, old) == ["parameters.check.threshold: True -> 1"]


def test_values_from_the_environment_are_not_shown() -> None:
    new = wanted(
        fields={**FIELDS, "parameters": {"check": {"threshold": "geheim"}}},
        hidden=frozenset({"parameters.check.threshold"}),
    )
    assert told(new, deployed()) == ["parameters.check.threshold: (not shown) -> (not shown)"]


def test_a_pause_is_kept_when_the_file_leaves_it_open() -> None:
    kept = step(wanted(), deployed(paused=True))
    assert (kept.action, kept.keep_paused) == (Action.UNCHANGED, True)
    for said in (True, False):
        assert not step(wanted(paused=said), deployed(paused=True)).keep_paused
    assert told(wanted(paused=False), deployed(paused=True)) == ["paused: True -> False"]


def test_a_paused_schedule_stays_paused_even_when_its_time_changes() -> None:
    old = deployed(schedules=(at("1 *", 1, active=True), at("2 *", 2, active=False)))
    new = wanted(schedules=(at("3 *"), at("1 *")))
    changed = step(new, old)
    assert changed.keep_inactive == (0,)
    assert [str(change) for change in changed.changes] == ["schedules[0]: 2 * -> 3 *"]
    says_so = wanted(schedules=(at("3 *", active=True), at("1 *")))
    assert step(says_so, old).keep_inactive == ()
    assert "schedules[0].active: False -> True" in told(says_so, old)


def test_schedules_are_recognised_by_slug_before_timing() -> None:
    old = deployed(schedules=(at("1 *", 1, slug="a", active=True),))
    new = wanted(schedules=(at("2 *", slug="a"),))
    assert told(new, old) == ["schedules[0]: 1 * -> 2 *"]
    assert step(new, old).drop == ()


def test_only_schedules_that_prefect_would_leave_behind_are_dropped_first() -> None:
    slugged = deployed(
        schedules=(at("1 *", 1, slug="a", active=True), at("2 *", 2, slug="b", active=True))
    )
    plain = deployed(schedules=(at("1 *", 1, active=True), at("2 *", 2, active=True)))
    assert step(wanted(schedules=()), plain).drop == (UUID(int=1), UUID(int=2))
    assert step(wanted(schedules=(at("1 *", slug="a"),)), slugged).drop == (UUID(int=2),)
    assert step(wanted(schedules=(at("1 *"),)), slugged).drop == (UUID(int=1), UUID(int=2))
    assert step(wanted(schedules=(at("1 *"),)), plain).drop == ()


def test_only_this_projects_deployments_count_as_gone() -> None:
    others = [
        deployed(name="ours"),
        deployed(name="our-housekeeping", is_rule=False),
        deployed(name="from-another-folder", is_rule=False, entrypoint="jobs/a.py:x"),
        deployed(name="another-teams-rule", pull_steps=ELSEWHERE),
        deployed(name="another-teams-flow", pull_steps=ELSEWHERE, is_rule=False),
        deployed(name="served", pull_steps=[], is_rule=False),
    ]
    found = plan([wanted()], [deployed(), *others])
    assert [item.name for item in found.gone] == ["ours", "our-housekeeping"]
    assert [item.name for item in found.foreign] == ["another-teams-rule"]


def test_of_what_is_installed_only_flows_of_the_same_module_are_ours() -> None:
    installed: dict[str, Any] = {"pull_steps": [], "is_rule": False}
    housekeeping = "sentinel_core.flow.scheduled"
    others = [
        deployed(name="ours", entrypoint=f"{housekeeping}.retention", **installed),
        deployed(name="another-module", entrypoint="theirs.flows.tidy", **installed),
        deployed(name="another-folder", entrypoint="jobs/tidy.py:tidy", **installed),
        deployed(name="another-rule", pull_steps=[], entrypoint="theirs.rules.disk"),
    ]
    mine = wanted(name="reconcile", entrypoint=f"{housekeeping}.reconcile", **installed)
    found = plan([wanted(), mine], [deployed(), *others])
    assert [item.name for item in found.gone] == ["ours"]
    assert [item.name for item in found.foreign] == ["another-rule"]


def test_the_folder_of_a_flow_counts_at_every_depth() -> None:
    housekeeping: dict[str, Any] = {"is_rule": False, "pull_steps": HERE}
    others = [
        deployed(name="beside", entrypoint="./flows/eu/b.py:x", **housekeeping),
        deployed(name="above", entrypoint="flows/c.py:x", **housekeeping),
    ]
    found = plan([wanted(entrypoint="flows/eu/a.py:x")], [deployed(), *others])
    assert [item.name for item in found.gone] == ["beside"]


def test_a_value_that_becomes_a_mapping_is_one_change() -> None:
    old = deployed(fields={**FIELDS, "parameters": {"check": None}})
    assert told(wanted(), old) == ["parameters.check: nothing -> {'threshold': 90}"]
    back = wanted(fields={**FIELDS, "parameters": {"check": 5}})
    assert told(back, deployed()) == ["parameters.check: {'threshold': 90} -> 5"]


def test_schedules_that_come_and_go_and_their_parameters_are_named_with_both_values() -> None:
    old = deployed(schedules=(at("1 *", 1, active=True, parameters={"check": {"path": "/"}}),))
    new = wanted(schedules=(at("1 *", parameters={"check": {"path": "/tmp"}}), at("2 *")))
    assert told(new, old) == [
        "schedules[0].parameters.check.path: '/' -> '/tmp'",
        "schedules[1]: nothing -> 2 *",
    ]
    assert told(wanted(schedules=()), old) == ["schedules: 1 * -> nothing"]


def test_where_only_some_schedules_have_slugs_prefect_replaces_them_all() -> None:
    mixed = deployed(schedules=(at("1 *", 1, slug="a", active=True), at("2 *", 2, active=True)))
    assert step(wanted(schedules=(at("1 *", slug="a"),)), mixed).drop == ()


def test_a_long_value_is_cut_where_its_line_is_full() -> None:
    old = deployed(fields={**FIELDS, "description": "x" * 118})
    assert told(wanted(), old) == [f"description: '{'x' * 118}' -> 'Disk.'"]
    old = deployed(fields={**FIELDS, "description": "x" * 119})
    assert told(wanted(), old) == [f"description: '{'x' * 118}… -> 'Disk.'"]
