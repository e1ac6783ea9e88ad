"""Filters of watchers: what they take, and what they say about names that match nothing."""

from uuid import uuid4

import pytest
from pydantic import ValidationError

from triggers.pipelines.selection import Pipeline, Selection


def one(flow: str, name: str, *tags: str, pool: str | None = "k8s", own: bool = False) -> Pipeline:
    return Pipeline(uuid4(), uuid4(), flow, name, tags, pool, own)


ALL = (
    one("etl", "nightly", "prod"),
    one("etl", "test", "dev", pool="local"),
    one("report", "nightly", "prod", "slow"),
    one("scratch", "try", pool=None),
    one("disk-usage", "disk", "system", own=True),
)


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["etl/nightly", "etl/test", "report/nightly", "scratch/try"]),
        ({"flows": ["etl"]}, ["etl/nightly", "etl/test"]),
        ({"flows": ["*e*"]}, ["etl/nightly", "etl/test", "report/nightly"]),
        ({"flows": ["ETL", "etl"]}, ["etl/nightly", "etl/test"]),
        ({"deployments": ["nightly"]}, ["etl/nightly", "report/nightly"]),
        ({"deployments": ["etl/*"]}, ["etl/nightly", "etl/test"]),
        ({"tags": ["slow", "dev"]}, ["etl/test", "report/nightly"]),
        ({"work_pools": ["local"]}, ["etl/test"]),
        ({"flows": ["etl"], "tags": ["prod"]}, ["etl/nightly"]),
        ({"exclude_flows": ["scr*"]}, ["etl/nightly", "etl/test", "report/nightly"]),
        ({"exclude_deployments": ["*/nightly"]}, ["etl/test", "scratch/try"]),
        ({"exclude_tags": ["prod"]}, ["etl/test", "scratch/try"]),
        ({"exclude_work_pools": ["k8s"], "flows": ["etl"]}, ["etl/test"]),
        ({"flows": ["disk-usage"]}, []),
    ],
)
def test_a_deployment_is_taken_by_one_pattern_of_each_list(filters, names):
    selected = Selection(**filters).select(ALL)
    assert [found.name for found in selected.pipelines] == names


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"flows": ["elt"]}, "no deployment in Prefect matches flows: 'elt'"),
        ({"flows": ["etl", "elt"]}, "flows: 'elt'"),
        ({"flows": ["disk-usage"]}, "flows: 'disk-usage'"),
        ({"tags": ["prod"], "work_pools": ["local"]}, "all of the filters together"),
        ({"flows": ["two\nlines" * 2_000]}, "two lines"),
    ],
)
def test_a_name_that_matches_nothing_is_not_checked(filters, said):
    problem = Selection(**filters).select(ALL).problem
    assert problem is not None
    assert (problem.problem, problem.triggered, problem.ticker) == ("no_data", False, "")
    assert said in problem.message
    assert len(problem.message) < 300


def test_many_names_that_match_nothing_are_counted():
    problem = Selection(flows=[f"f{n}" for n in range(14)]).select(ALL).problem
    assert problem is not None
    assert "and 4 more" in problem.message


def test_no_deployment_at_all_is_not_checked_either():
    assert Selection().select([one("disk-usage", "disk", own=True)]).problem is not None
    assert Selection().select(ALL).problem is None


def test_a_name_with_the_signs_of_globs_is_taken_as_it_is():
    assert len(Selection(flows=["a[1]"]).select([one("a[1]", "x")]).pipelines) == 1


def test_wrong_filters_are_refused():
    with pytest.raises(ValidationError, match="flow\n"):
        Selection(flow=["etl"])
    with pytest.raises(ValidationError, match="at least 1 character"):
        Selection(flows=[""])


def test_long_names_keep_series_of_their_own():
    first, second = one("a" * 10_000, "x"), one("a" * 10_000, "y")
    assert first.ticker != second.ticker
    assert len(first.ticker) <= 200


@pytest.mark.parametrize(
    ("filters", "tags", "taken"),
    [
        ({}, (), True),
        ({"flows": ["et*"]}, (), True),
        ({"flows": ["report"]}, (), False),
        ({"exclude_flows": ["etl"]}, (), False),
        ({"tags": ["prod"]}, ("prod",), True),
        ({"tags": ["prod"]}, (), False),
        ({"exclude_tags": ["dev"]}, ("dev",), False),
        ({"deployments": ["*"]}, (), False),
        ({"work_pools": ["*"]}, (), False),
        ({"exclude_deployments": ["etl/*"]}, (), True),
        ({"exclude_work_pools": ["k8s"]}, (), True),
    ],
)
def test_a_run_without_a_deployment_is_taken_by_its_flow_and_its_tags(filters, tags, taken):
    assert Selection(**filters).takes_run("etl", tags) is taken


@pytest.mark.parametrize(
    ("filters", "flows", "said"),
    [
        ({"flows": ["by-hand"]}, ["by-hand"], None),
        ({"flows": ["by-hand"]}, [], "flows: 'by-hand'"),
        ({"flows": ["by-hand"], "tags": ["prod"]}, ["by-hand"], None),
        ({"flows": ["by-hand"], "work_pools": ["k8s"]}, ["by-hand"], "all of the filters together"),
        ({"flows": ["by-hand"], "tags": ["none"]}, ["by-hand"], "tags: 'none'"),
    ],
)
def test_a_flow_without_a_deployment_may_be_named(filters, flows, said):
    problem = Selection(**filters).select(ALL, flows).problem
    assert said in problem.message if said else problem is None


def test_flows_without_deployments_are_enough():
    assert Selection().select([]).problem is not None
    assert Selection().select([], ["by-hand"]).problem is None
