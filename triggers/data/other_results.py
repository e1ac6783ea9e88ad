"""Verdicts of Great Expectations and Evidently, recorded as ours. Depends on neither."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sentinel_core import AlertOutput, History, Importance
from sentinel_core.wording.text import counted
from triggers.sources.errors import SourceError

_METHODS = ("to_json_dict", "as_dict", "dict")  # of Great Expectations, of Evidently old and new
_FAILED = ("FAIL", "ERROR")
_MOST_NAMED = 5


@dataclass(frozen=True)
class ValidationResult:
    """A check for `check_frame` that takes the result of a validation of your own.

    Of Great Expectations (a validation or checkpoint result) or of Evidently (a report with
    tests), as the object itself or as the dictionary that it makes of itself.
    """

    dataset: str = ""
    default_importance: Importance = Importance.HIGH
    default_category: str = "Data"

    @classmethod
    def slug(cls) -> str:
        """The name of its series."""
        return "validation-result"

    def check_frame(self, frame: object, history: History) -> list[AlertOutput]:
        """One output. Raises SourceError for what is no such result."""
        del history
        document = as_dictionary(frame)
        total, failed = parts_of(document)
        said = ", ".join(failed[:_MOST_NAMED])
        more = f" and {len(failed) - _MOST_NAMED} more" if len(failed) > _MOST_NAMED else ""
        name = f"{self.dataset}: " if self.dataset else ""
        success = document.get("success")
        bad = bool(failed) or success is False
        return [
            AlertOutput(
                triggered=bad,
                ticker=self.dataset,
                message=f"{name}{len(failed):,} of {counted(total, 'expectation')} failed"
                + (f": {said}{more}" if failed else ""),
                metrics={"value": len(failed), "failed": len(failed), "expectations": total},
                metadata={"failed": failed[:100]},
            )
        ]


def as_dictionary(result: object) -> Mapping[str, Any]:
    """A result as a dictionary. Raises SourceError for what is none."""
    if isinstance(result, Mapping):
        return result
    for name in _METHODS:
        method = getattr(result, name, None)
        if callable(method) and isinstance(found := method(), Mapping):
            return found
    raise SourceError(
        f"{type(result).__name__} is no result of Great Expectations or Evidently: give the result "
        "or the dictionary it makes of itself"
    )


def parts_of(document: Mapping[str, Any]) -> tuple[int, list[str]]:
    """How many expectations or tests there are, and the names of those that failed.

    Raises SourceError for a document without any: nothing was checked.
    """
    expectations = list(_expectations(document))
    if expectations:
        return len(expectations), [_named(one) for one in expectations if not one["success"]]
    tests = [test for test in document.get("tests") or [] if isinstance(test, Mapping)]
    if tests:
        failed = [test for test in tests if _status(test) in _FAILED]
        return len(tests), [str(test.get("name", "a test")) for test in failed]
    raise SourceError("the result has neither expectations nor tests: nothing was checked")


def _expectations(document: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """The results of expectations, of a validation or of each validation of a checkpoint."""
    for one in document.get("results") or document.get("validation_results") or []:
        if isinstance(one, Mapping) and "success" in one:
            nested = list(_expectations(one))
            yield from nested or [one]
    runs = document.get("run_results")
    for run in runs.values() if isinstance(runs, Mapping) else []:
        if isinstance(run, Mapping):
            yield from _expectations(run.get("validation_result", run))


def _named(expectation: Mapping[str, Any]) -> str:
    config = expectation.get("expectation_config")
    config = config if isinstance(config, Mapping) else expectation
    kind = config.get("type") or config.get("expectation_type") or "an expectation"
    arguments = config.get("kwargs")
    column = arguments.get("column") if isinstance(arguments, Mapping) else None
    return f"{kind} ({column})" if column else str(kind)


def _status(test: Mapping[str, Any]) -> str:
    status = test.get("status", "")
    return str(getattr(status, "value", status)).upper()
