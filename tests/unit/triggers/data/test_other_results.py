"""Results of Great Expectations and Evidently, in the forms that these libraries write."""

import pytest

from sentinel_core import NoHistory
from triggers.data.other_results import ValidationResult
from triggers.sources.errors import SourceError

EXPECTATION = {
    "success": False,
    "expectation_config": {
        "type": "expect_column_values_to_not_be_null",
        "kwargs": {"column": "price"},
    },
    "result": {"unexpected_count": 3},
}
FINE = {"success": True, "expectation_config": {"expectation_type": "expect_table_columns"}}
VALIDATION = {"success": False, "results": [EXPECTATION, FINE], "statistics": {}}


def of(result: object):
    return ValidationResult(dataset="orders").check_frame(result, NoHistory())[0]


class Result:
    """An object that makes a dictionary of itself, as both libraries' do."""

    def to_json_dict(self) -> dict[str, object]:
        return VALIDATION


@pytest.mark.parametrize(
    "result",
    [
        VALIDATION,
        Result(),
        {"success": False, "run_results": {"a": {"validation_result": VALIDATION}}},
        {"success": False, "validation_results": [VALIDATION]},
    ],
    ids=["dictionary", "object", "checkpoint", "newer checkpoint"],
)
def test_great_expectations(result) -> None:
    output = of(result)
    assert output.triggered
    assert output.message == (
        "orders: 1 of 2 expectations failed: expect_column_values_to_not_be_null (price)"
    )


def test_evidently() -> None:
    tests = [
        {"name": "Share of missing values", "status": "FAIL"},
        {"name": "Number of rows", "status": "SUCCESS"},
        {"name": "Drift", "status": "WARNING"},
    ]
    output = of({"metrics": [], "tests": tests})
    assert output.triggered
    assert output.message == "orders: 1 of 3 expectations failed: Share of missing values"
    assert not of({"tests": tests[1:]}).triggered


def test_a_validation_that_failed_as_a_whole() -> None:
    assert of({"success": False, "results": [FINE]}).triggered


@pytest.mark.parametrize("result", [{}, {"results": []}, {"success": True}, {"tests": []}])
def test_a_result_without_expectations_checked_nothing(result) -> None:
    with pytest.raises(SourceError, match="nothing was checked"):
        of(result)


def test_what_is_no_result_is_an_error() -> None:
    with pytest.raises(SourceError, match="int is no result"):
        of(7)
