"""What may be written at a hook."""

import pytest

from sentinel_core.hooks import alert_on_failure


@pytest.mark.parametrize(
    "setting", ["on_open", "on_resolve", "on_escalate", "conditions", "retries"]
)
def test_a_setting_of_rules_alone_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match=f"alert_on_failure: unknown {setting}; known are rule, "):
        alert_on_failure(**{setting: []})
