"""One feature of a model: a sample of today against a reference. Pure but for reading them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from sentinel_core import AlertOutput
from sentinel_core.wording.text import counted
from triggers.model.distances import Distances, of_categories, of_numbers
from triggers.sources.data_source import DataSource
from triggers.sources.errors import NoDataError, SourceError
from triggers.sources.table import ColumnKind, Table, column_named

RETRAIN = "Retrain the model: what it sees or how it does is no longer what it was."
_FEWEST = 2
_SIGNS = {"psi": "PSI", "ks_p_value": "KS p", "wasserstein": "Wasserstein"}
_SIGNS |= {"jensen_shannon": "Jensen–Shannon", "chi2_p_value": "chi² p"}


class Limits(BaseModel):
    """From where on a feature has drifted. A null limit is not looked at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    psi: float | None = Field(0.2, gt=0, description="population stability index above this")
    ks_p_value: float | None = Field(
        None, gt=0, lt=1, description="p-value of Kolmogorov and Smirnov's test below this"
    )
    wasserstein: float | None = Field(
        None, gt=0, description="Wasserstein distance above this, in the feature's unit"
    )
    jensen_shannon: float | None = Field(
        None, gt=0, le=1, description="Jensen–Shannon distance (base 2) above this"
    )
    chi2_p_value: float | None = Field(
        None, gt=0, lt=1, description="p-value of the chi² test below this, for categories"
    )

    def exceeded(self, found: Distances) -> list[str]:
        """The distances beyond their limit, in words."""
        said = []
        for name, limit in self:
            value = getattr(found, name)
            if limit is None or value is None:
                continue
            below = name.endswith("p_value")
            if value < limit if below else value > limit:
                said.append(f"{_SIGNS[name]} {value:.4g} {'<' if below else '>'} {limit:g}")
        return said


class Features(BaseModel):
    """Samples of a model's inputs: today's against a reference."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: DataSource = Field(description="the sample that the model was trained on")
    current: DataSource | None = Field(
        None, description="the sample of today; check_frame is given it"
    )
    names: list[str] = Field(
        [], max_length=500, description="the columns to compare; empty: all of the reference"
    )
    limits: Limits = Field(Limits(), description="from where on a feature has drifted")
    bins: int = Field(10, ge=2, le=100, description="bins of equal parts of the reference (PSI)")

    def outputs(self, reference: Table, current: Table, prefix: str) -> list[AlertOutput]:
        """One output for each feature; one that can't be compared is a problem of its own."""
        names = self.names or [column.name for column in reference.columns]
        if not names:
            raise SourceError("the reference has no columns")
        outputs = []
        for name in names:
            ticker = f"{prefix}.{name}" if prefix else name
            try:
                outputs.append(self._output(reference, current, name, ticker))
            except SourceError as error:
                outputs.append(
                    AlertOutput(
                        triggered=False,
                        problem="no_data" if isinstance(error, NoDataError) else "error",
                        ticker=ticker[:200],
                        message=f"{ticker}: not compared: {error}",
                    )
                )
        return outputs

    def _output(self, reference: Table, current: Table, name: str, ticker: str) -> AlertOutput:
        kinds = {column_named(table, name).kind for table in (reference, current)}
        numeric = kinds == {ColumnKind.NUMBER}
        if not numeric and ColumnKind.NUMBER in kinds:
            raise SourceError("it is numbers in one sample, and something else in the other")
        samples = [table.values(name) for table in (reference, current)]
        numeric = numeric or (kinds == {ColumnKind.ANY} and all(map(_are_numbers, samples)))
        for what, sample in zip(("the reference", "today's sample"), samples, strict=True):
            if len(sample) < _FEWEST:
                raise NoDataError(f"{what} has {counted(len(sample), 'value')}")
        if numeric:
            found = of_numbers(_finite(samples[0]), _finite(samples[1]), self.bins)
        else:
            found = of_categories(_counts(samples[0]), _counts(samples[1]))
        exceeded = self.limits.exceeded(found)
        sizes = f"{len(samples[0]):,} values before, {len(samples[1]):,} now"
        said = "; ".join(exceeded) or f"PSI {found.psi:.4g}, no limit exceeded"
        measured = {key: value for key, value in asdict(found).items() if value is not None}
        return AlertOutput(
            triggered=bool(exceeded),
            ticker=ticker[:200],
            message=f"{ticker}: {said} ({sizes})",
            suggestion=RETRAIN if exceeded else "",
            metrics={**measured, "value": found.psi},
            metadata={
                "kind": "numbers" if numeric else "categories",
                "reference_size": len(samples[0]),
                "current_size": len(samples[1]),
                **{key: value for key, value in measured.items() if key.endswith("p_value")},
            },
        )


def _are_numbers(sample: Sequence[Any]) -> bool:
    return all(isinstance(value, int | float) for value in sample)


def _finite(sample: Sequence[Any]) -> Any:
    import numpy as np

    values = np.asarray([float(value) for value in sample])
    if infinite := int((~np.isfinite(values)).sum()):
        raise SourceError(f"{counted(infinite, 'value is', 'values are')} infinite")
    return values


def _counts(sample: Sequence[Any]) -> Counter[str]:
    return Counter(str(value) for value in sample)
