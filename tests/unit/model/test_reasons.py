"""The reason of a notification, as its row keeps it."""

import pytest

from sentinel_core.model.alert import Importance
from sentinel_core.model.reasons import NotifyReason, Reason, is_step

ON_RECORD = {
    **{
        kind.value: Reason(kind)
        for kind in NotifyReason
        if kind not in (NotifyReason.STEP, NotifyReason.ESCALATED, NotifyReason.UNKNOWN)
    },
    **{
        f"escalated-{importance}": Reason(NotifyReason.ESCALATED, importance=importance)
        for importance in Importance
    },
    "escalated": Reason(NotifyReason.ESCALATED),
    "step-1": Reason(NotifyReason.STEP, step=1),
    "step-20": Reason(NotifyReason.STEP, step=20),
    "storm-2": Reason(NotifyReason.STORM, step=2),
}


@pytest.mark.parametrize("text", ON_RECORD)
def test_a_reason_is_read_as_it_was_written(text: str) -> None:
    assert Reason.parse(text) == ON_RECORD[text]
    assert str(Reason.parse(text)) == text
    assert is_step(text) == text.startswith("step-")


@pytest.mark.parametrize(
    "text", ["", "step-", "step-x", "stepped", "storm-x", "resolved-late", "of-2030"]
)
def test_a_reason_of_another_version_is_unknown(text: str) -> None:
    assert Reason.parse(text) == Reason(NotifyReason.UNKNOWN)
    assert not is_step(text)


def test_an_escalation_to_an_importance_of_another_version_is_an_escalation() -> None:
    assert Reason.parse("escalated-apocalyptic") == Reason(NotifyReason.ESCALATED)
