"""What Sentinel does by itself, as the audit has it. No other entries have these actions."""

from enum import StrEnum

ACTOR = "sentinel"
"""The actor of these entries. A person may have this name too, so it alone tells nothing."""


class SystemAction(StrEnum):
    """An action that no person takes."""

    STORE_UPGRADED = "store-upgraded"
    STORE_ADOPTED = "store-adopted"
    RETENTION = "retention"
    RECORDED_LATE = "recorded-late"
    ACKNOWLEDGEMENT_ENDED = "acknowledgement-ended"
    REACTION_STARTED = "reaction-started"
    REACTION_NOT_STARTED = "reaction-not-started"
    REACTION_FAILED = "reaction-failed"
    REACTION_ENDED = "reaction-ended"
